internal import Clibcrypto

/// AES with a key of 128 bits and PKCS #7 padding.
package enum AES128 {
    /// How blocks are chained.
    package enum Mode: Hashable, Sendable {
        /// Each block by itself: only for reading what others have encrypted so.
        case electronicCodebook
        /// Each block with the one before, the first with these 16 bytes.
        case cipherBlockChaining(vector: [UInt8])
    }

    /// The plain bytes, nil when the key does not fit: sizes or padding are wrong.
    ///
    /// A wrong key passes about once in 256 times, so that the caller checks what comes out as well.
    package static func decrypted(_ bytes: [UInt8], key: [UInt8], mode: Mode) -> [UInt8]? {
        guard !bytes.isEmpty, bytes.count % 16 == 0 else { return nil }
        return run(bytes, key: key, mode: mode, encrypts: false)
    }

    /// The encrypted bytes, nil when key or vector do not have 16 bytes.
    package static func encrypted(_ bytes: [UInt8], key: [UInt8], mode: Mode) -> [UInt8]? {
        run(bytes, key: key, mode: mode, encrypts: true)
    }

    private static func run(_ bytes: [UInt8], key: [UInt8], mode: Mode, encrypts: Bool) -> [UInt8]? {
        guard key.count == 16, let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        let direction: CInt = encrypts ? 1 : 0
        let started: CInt
        switch mode {
        case .electronicCodebook:
            started = unsafe EVP_CipherInit_ex(context, EVP_aes_128_ecb(), nil, key, nil, direction)
        case .cipherBlockChaining(let vector):
            guard vector.count == 16 else { return nil }
            started = unsafe EVP_CipherInit_ex(context, EVP_aes_128_cbc(), nil, key, vector, direction)
        }
        guard started == 1, bytes.count < Int(CInt.max) - 32 else { return nil }
        var result = [UInt8](repeating: 0, count: bytes.count + 32)
        var count: CInt = 0
        var rest: CInt = 0
        let isDone = unsafe result.withUnsafeMutableBufferPointer { result -> Bool in
            guard let base = result.baseAddress,
                unsafe EVP_CipherUpdate(context, base, &count, bytes, CInt(bytes.count)) == 1
            else { return false }
            return unsafe EVP_CipherFinal_ex(context, base + Int(count), &rest) == 1
        }
        guard isDone else {
            // OpenSSL keeps wrong padding in this thread's list of errors; it is told by the result.
            ERR_clear_error()
            return nil
        }
        return Array(result[..<Int(count + rest)])
    }
}
