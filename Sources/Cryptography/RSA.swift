internal import Clibcrypto

/// RSA key pairs that come out of a seed: throw-away keys for rehearsals, never for anything that has to be kept.
package enum RSA {
    /// The numbers of a key pair of 2048 bits, in the order of PKCS #1: modulus, public exponent, private exponent, both
    /// primes, both exponents for them, coefficient; each without leading zeros.
    package struct KeyPair: Sendable {
        /// The numbers, highest byte first.
        package var numbers: [[UInt8]]
    }

    /// The key pair of a seed; equal seeds give equal pairs.
    package static func keyPair(seed: [UInt8]) -> KeyPair {
        guard let context = unsafe BN_CTX_new() else { preconditionFailure("no memory") }
        defer { unsafe BN_CTX_free(context) }
        let one = Number(1)
        let exponent = Number(65537)
        var (p, q) = unsafe (prime(seed: seed, "first", context), prime(seed: seed, "second", context))
        // The coefficient is that of the greater prime.
        if unsafe BN_cmp(p.handle, q.handle) < 0 { swap(&p, &q) }
        let (modulus, order, secret, coefficient) = (Number(0), Number(0), Number(0), Number(0))
        let (lessP, lessQ, partP, partQ) = (Number(0), Number(0), Number(0), Number(0))
        let isDone =
            unsafe BN_mul(modulus.handle, p.handle, q.handle, context) == 1
            && BN_sub(lessP.handle, p.handle, one.handle) == 1
            && BN_sub(lessQ.handle, q.handle, one.handle) == 1
            && BN_mul(order.handle, lessP.handle, lessQ.handle, context) == 1
            && BN_mod_inverse(secret.handle, exponent.handle, order.handle, context) != nil
            && BN_div(nil, partP.handle, secret.handle, lessP.handle, context) == 1
            && BN_div(nil, partQ.handle, secret.handle, lessQ.handle, context) == 1
            && BN_mod_inverse(coefficient.handle, q.handle, p.handle, context) != nil
        precondition(isDone, "OpenSSL cannot reckon with large numbers")
        return KeyPair(
            numbers: [modulus, exponent, secret, p, q, partP, partQ, coefficient].map(\.bytes))
    }

    /// The first prime of 1024 bits from a place that the seed gives, fit for the exponent 65537.
    @unsafe private static func prime(seed: [UInt8], _ name: String, _ context: OpaquePointer) -> Number {
        var start = (0..<4).flatMap { HKDF.derive(secret: seed, salt: [], info: Array("\(name) \($0)".utf8)) }
        // Both upper bits, so that the product has 2048; odd.
        start[0] |= 0xc0
        start[127] |= 1
        let prime = Number(start)
        while unsafe BN_check_prime(prime.handle, context, nil) != 1 || BN_mod_word(prime.handle, 65537) == 1
        {
            precondition(unsafe BN_add_word(prime.handle, 2) == 1, "no memory")
        }
        return prime
    }

    /// A large number of OpenSSL's.
    @safe private final class Number {
        let handle: OpaquePointer

        init(_ bytes: [UInt8]) {
            guard let handle = unsafe BN_bin2bn(bytes, CInt(bytes.count), nil) else {
                preconditionFailure("no memory")
            }
            unsafe self.handle = handle
        }

        convenience init(_ small: UInt32) {
            self.init((0..<4).reversed().map { UInt8(truncatingIfNeeded: small >> ($0 * 8)) })
        }

        deinit {
            unsafe BN_free(handle)
        }

        /// Highest first, without leading zeros.
        var bytes: [UInt8] {
            var bytes = [UInt8](repeating: 0, count: unsafe Int(BN_num_bits(handle) + 7) / 8)
            let count = unsafe BN_bn2bin(handle, &bytes)
            return Array(bytes.prefix(Int(count)))
        }
    }
}

/// Key pairs of Ed25519 (RFC 8032).
package enum Ed25519 {
    /// The public key of a secret of 32 bytes.
    package static func publicKey(of secret: [UInt8]) -> [UInt8] {
        precondition(secret.count == 32, "an Ed25519 secret has 32 bytes")
        guard let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, secret, 32) else {
            preconditionFailure("OpenSSL has no Ed25519")
        }
        defer { unsafe EVP_PKEY_free(key) }
        var result = [UInt8](repeating: 0, count: 32)
        var count = 32
        let status = unsafe result.withUnsafeMutableBufferPointer {
            unsafe EVP_PKEY_get_raw_public_key(key, $0.baseAddress, &count)
        }
        precondition(status == 1 && count == 32, "OpenSSL has no Ed25519")
        return result
    }
}
