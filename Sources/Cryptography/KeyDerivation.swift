internal import Clibcrypto

/// Keys from keys: HKDF with SHA-256 (RFC 5869).
package enum HKDF {
    /// A key of up to 32 bytes from any secret.
    package static func derive(secret: [UInt8], salt: [UInt8], info: [UInt8], count: Int = 32) -> [UInt8] {
        // A salt that is not given is as many zeros as the hash has bytes, which HMAC makes of an empty key.
        expand(key: HMAC.sha256(key: salt, message: secret), info: info, count: count)
    }

    /// The second half alone, from a secret that is uniformly random already.
    package static func expand(key: [UInt8], info: [UInt8], count: Int = 32) -> [UInt8] {
        precondition(count <= 32, "one block of HMAC-SHA-256 has 32 bytes")
        return Array(HMAC.sha256(key: key, message: info + [1]).prefix(count))
    }
}

/// Keys from passphrases: scrypt (RFC 7914).
package enum Scrypt {
    /// A key of 32 bytes, nil when there is not the memory: 128 × 8 × 2^`workFactor` bytes.
    package static func derive(passphrase: [UInt8], salt: [UInt8], workFactor: Int) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: 32)
        let memory = UInt64(128 * 8) << UInt64(workFactor) + UInt64(1 << 20)
        let status = unsafe passphrase.withUnsafeBytes { passphrase in
            unsafe EVP_PBE_scrypt(
                passphrase.baseAddress?.assumingMemoryBound(to: CChar.self), passphrase.count, salt,
                salt.count,
                1 << UInt64(workFactor), 8, 1, memory, &key, 32)
        }
        guard status == 1 else {
            ERR_clear_error()
            return nil
        }
        return key
    }
}

/// Random bytes that nobody can guess.
package func randomBytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let status = unsafe bytes.withUnsafeMutableBufferPointer {
        unsafe RAND_bytes($0.baseAddress, CInt($0.count))
    }
    precondition(status == 1, "the system gives no random bytes")
    return bytes
}
