internal import Clibcrypto

/// ChaCha20-Poly1305 (RFC 8439) under one key, without associated data.
@safe package final class ChaChaPoly {
    /// Bytes that sealing adds.
    package static let tagCount = 16

    private let key: [UInt8]
    private let context: OpaquePointer

    /// A cipher under a key of 32 bytes.
    package init(key: [UInt8]) {
        precondition(key.count == 32, "a ChaCha20-Poly1305 key has 32 bytes")
        guard let context = unsafe EVP_CIPHER_CTX_new() else { preconditionFailure("no memory") }
        self.key = key
        unsafe self.context = context
    }

    deinit {
        unsafe EVP_CIPHER_CTX_free(context)
    }

    /// Writes the sealed bytes and their tag to `output`, which holds ``tagCount`` bytes more than `plain`.
    ///
    /// A nonce of 12 bytes must never come twice under one key for different bytes.
    @unsafe package func seal(
        _ plain: UnsafeRawBufferPointer, nonce: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(nonce.count == 12 && output.count == plain.count + Self.tagCount)
        unsafe start(nonce, encrypts: 1)
        unsafe update(plain, into: output)
        var rest: CInt = 0
        let end = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self).advanced(by: plain.count)
        let isDone =
            unsafe EVP_CipherFinal_ex(context, end, &rest) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(Self.tagCount), end) == 1
        precondition(isDone, "ChaCha20-Poly1305 is not there")
    }

    /// Writes the plain bytes to `output`, which holds ``tagCount`` bytes less than `sealed`; false when the tag is wrong.
    ///
    /// What `output` holds after false must not be used.
    @unsafe package func open(
        _ sealed: UnsafeRawBufferPointer, nonce: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard sealed.count >= Self.tagCount else { return false }
        let count = sealed.count - Self.tagCount
        precondition(nonce.count == 12 && output.count == count)
        unsafe start(nonce, encrypts: 0)
        unsafe update(UnsafeRawBufferPointer(rebasing: sealed[..<count]), into: output)
        var tag = unsafe Array(sealed[count...])
        var rest: CInt = 0
        var nothing: UInt8 = 0
        let isTagSet = unsafe EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_SET_TAG, CInt(Self.tagCount), &tag)
        precondition(isTagSet == 1, "ChaCha20-Poly1305 is not there")
        guard unsafe EVP_CipherFinal_ex(context, &nothing, &rest) == 1 else {
            ERR_clear_error()
            return false
        }
        return true
    }

    @unsafe private func start(_ nonce: [UInt8], encrypts: CInt) {
        let status = unsafe EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nil, key, nonce, encrypts)
        precondition(status == 1, "ChaCha20-Poly1305 is not there")
    }

    @unsafe private func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
        guard input.count > 0 else { return }
        precondition(input.count <= CInt.max, "one message is a small piece of a file")
        var count: CInt = 0
        let status = unsafe EVP_CipherUpdate(
            context, output.baseAddress?.assumingMemoryBound(to: UInt8.self), &count,
            input.baseAddress?.assumingMemoryBound(to: UInt8.self), CInt(input.count))
        precondition(status == 1 && Int(count) == input.count, "ChaCha20-Poly1305 is not there")
    }
}

extension ChaChaPoly {
    /// The sealed bytes with their tag.
    package func seal(_ plain: [UInt8], nonce: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: plain.count + Self.tagCount) { buffer, count in
            count = plain.count + Self.tagCount
            let output = unsafe UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
            unsafe plain.withUnsafeBytes { unsafe seal($0, nonce: nonce, into: output) }
        }
    }

    /// The plain bytes, nil when the tag is wrong.
    package func open(_ sealed: [UInt8], nonce: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.tagCount else { return nil }
        var plain = [UInt8](repeating: 0, count: sealed.count - Self.tagCount)
        let isOpen = unsafe sealed.withUnsafeBytes { sealed in
            unsafe plain.withUnsafeMutableBytes { unsafe open(sealed, nonce: nonce, into: $0) }
        }
        return isOpen ? plain : nil
    }
}
