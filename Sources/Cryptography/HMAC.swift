internal import Clibcrypto

/// Message authentication by a keyed hash.
package enum HMAC {
    /// The 32 bytes of HMAC-SHA-256 of `message` under `key`.
    package static func sha256(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        let result = unsafe digest.withUnsafeMutableBufferPointer { digest in
            unsafe Clibcrypto.HMAC(
                EVP_sha256(), key, CInt(key.count), message, message.count, digest.baseAddress, &count)
        }
        precondition(unsafe result != nil && count == 32, "HMAC-SHA-256 is not there")
        return digest
    }
}
