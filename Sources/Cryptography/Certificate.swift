internal import Clibcrypto

/// A certificate of X.509.
@safe package final class Certificate {
    private let handle: OpaquePointer

    /// The certificate that bytes hold, as DER or as PEM; nil when they hold none.
    package init?(_ bytes: [UInt8]) {
        let handle = unsafe bytes.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var start = bytes.baseAddress
            if let found = unsafe d2i_X509(nil, &start, bytes.count) { return unsafe found }
            guard let source = unsafe BIO_new_mem_buf(bytes.baseAddress, CInt(clamping: bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(source) }
            return unsafe PEM_read_bio_X509(source, nil, nil, nil)
        }
        ERR_clear_error()
        guard let handle = unsafe handle else { return nil }
        unsafe self.handle = handle
    }

    deinit {
        unsafe X509_free(handle)
    }

    /// Whether it holds now: neither expired nor not valid yet.
    package var isInTime: Bool {
        let (from, to) = unsafe (X509_get0_notBefore(handle), X509_get0_notAfter(handle))
        return unsafe X509_cmp_current_time(from) < 0 && X509_cmp_current_time(to) > 0
    }

    /// Why a chain of certificates, the signer's first, leads to none of the roots; nil when it does.
    ///
    /// Times are not looked at: see ``isInTime``.
    package static func fault(of chain: [Certificate], roots: [Certificate]) -> String? {
        guard !chain.isEmpty else { return "there is no certificate" }
        var reason: UnsafePointer<CChar>?
        let handles = unsafe chain.map { unsafe Optional($0.handle) }
        let rootHandles = unsafe roots.map { unsafe Optional($0.handle) }
        let holds = withExtendedLifetime((chain, roots)) {
            unsafe clibcrypto_check_chain(
                handles, CInt(chain.count), rootHandles, CInt(roots.count), &reason)
        }
        guard holds != 1 else { return nil }
        return unsafe reason.map { unsafe String(cString: $0) } ?? "unknown"
    }

    /// Whether its key, which must be RSA, made a signature with SHA-512 (PKCS #1, version 1.5) over bytes.
    package func signed(_ bytes: [UInt8], with signature: [UInt8]) -> Bool {
        guard let key = unsafe X509_get0_pubkey(handle), unsafe EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA,
            let context = unsafe EVP_MD_CTX_new()
        else { return false }
        defer {
            unsafe EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        return unsafe EVP_DigestVerifyInit(context, nil, EVP_sha512(), nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
    }
}
