internal import Clibcrypto

/// Has libcrypto do now, on any thread, what it does at the first use of an algorithm.
///
/// It reads its configuration, and looks for the algorithm in all that it has: 2 ms.
package func warmUpCryptography() {
    // A process that ends meanwhile must not take away what is being made.
    OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    _ = HMAC.sha256(key: [], message: [])
    unsafe withUnsafeTemporaryAllocation(byteCount: ChaChaPoly.tagCount, alignment: 1) { tag in
        let nonce = [UInt8](repeating: 0, count: 12)
        unsafe ChaChaPoly(key: [UInt8](repeating: 0, count: 32)).seal(
            UnsafeRawBufferPointer(start: nil, count: 0), nonce: nonce, into: tag)
    }
}
