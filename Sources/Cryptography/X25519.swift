internal import Clibcrypto

/// Diffie-Hellman on Curve25519 (RFC 7748).
package enum X25519 {
    /// The public key of a secret of 32 bytes.
    package static func publicKey(of secret: [UInt8]) -> [UInt8] {
        let key = unsafe privateKey(secret)
        defer { unsafe EVP_PKEY_free(key) }
        var result = [UInt8](repeating: 0, count: 32)
        var count = 32
        let status = unsafe result.withUnsafeMutableBufferPointer {
            unsafe EVP_PKEY_get_raw_public_key(key, $0.baseAddress, &count)
        }
        precondition(status == 1 && count == 32, "OpenSSL has no X25519")
        return result
    }

    /// The secret that both sides share; nil when the other's point is of low order, so that everybody knows it.
    package static func sharedSecret(_ secret: [UInt8], with publicKey: [UInt8]) -> [UInt8]? {
        let own = unsafe privateKey(secret)
        defer { unsafe EVP_PKEY_free(own) }
        guard publicKey.count == 32,
            let other = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, publicKey, 32)
        else { return nil }
        defer { unsafe EVP_PKEY_free(other) }
        guard let context = unsafe EVP_PKEY_CTX_new(own, nil) else { preconditionFailure("no memory") }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var result = [UInt8](repeating: 0, count: 32)
        var count = 32
        let isDone =
            unsafe EVP_PKEY_derive_init(context) == 1
            && EVP_PKEY_derive_set_peer(context, other) == 1
            && result.withUnsafeMutableBufferPointer {
                unsafe EVP_PKEY_derive(context, $0.baseAddress, &count)
            } == 1
        guard isDone, count == 32, result.contains(where: { $0 != 0 }) else {
            // OpenSSL keeps the failure in this thread's list of errors; it is told by the result.
            ERR_clear_error()
            return nil
        }
        return result
    }

    @unsafe private static func privateKey(_ secret: [UInt8]) -> OpaquePointer {
        precondition(secret.count == 32, "an X25519 secret has 32 bytes")
        guard let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, secret, 32) else {
            preconditionFailure("OpenSSL has no X25519")
        }
        return unsafe key
    }
}
