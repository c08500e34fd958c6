internal import Clibdeflate
internal import Clibisal

/// Makes zlib streams; one for each thread.
///
/// ISA-L compresses faster than libdeflate, and to hardly more bytes (docs/benchmarks.md); storing and reading are libdeflate's.
@safe final class Compressor {
    private let fast: UnsafeMutableRawPointer
    private let stored: OpaquePointer

    /// Compressing fewer bytes costs more than all else that is done for them, and saves less than a hundred.
    private static let smallest = 400

    init() {
        guard let fast = unsafe clibisal_allocate_compressor(),
            let stored = unsafe libdeflate_alloc_compressor(0)
        else {
            preconditionFailure("no compressor could be allocated: out of memory")
        }
        unsafe self.fast = fast
        unsafe self.stored = stored
    }

    deinit {
        unsafe clibisal_free_compressor(fast)
        unsafe libdeflate_free_compressor(stored)
    }

    /// The most bytes that `count` bytes can become.
    func bound(_ count: Int) -> Int {
        unsafe libdeflate_zlib_compress_bound(stored, count)
    }

    /// Writes a zlib stream of `input` to `output`, which has room for ``bound(_:)``, and returns its length.
    @unsafe func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, stores: Bool
    ) -> Int {
        if !stores, input.count >= Self.smallest, unsafe isWorthwhile(input) {
            let count = unsafe clibisal_zlib_compress(
                fast, input.baseAddress, input.count, output.baseAddress, output.count)
            // Nothing: it would be longer than when it is stored.
            if count > 0 { return count }
        }
        let count = unsafe libdeflate_zlib_compress(
            stored, input.baseAddress, input.count, output.baseAddress, output.count)
        precondition(count > 0, "the output has room for the bound")
        return count
    }

    /// Whether compressing saves anything, judged by a sample of a long input.
    @unsafe private func isWorthwhile(_ input: UnsafeRawBufferPointer) -> Bool {
        let sampleSize = 1 << 14
        guard input.count > 4 * sampleSize else { return true }
        return unsafe withUnsafeTemporaryAllocation(byteCount: bound(sampleSize), alignment: 16) { output in
            let middle = (input.count - sampleSize) / 2
            let count = unsafe clibisal_zlib_compress(
                fast, input.baseAddress?.advanced(by: middle), sampleSize, output.baseAddress, output.count)
            return count > 0 && count < sampleSize * 15 / 16
        }
    }
}

/// Reads zlib streams; used by one thread at a time.
@safe final class Decompressor {
    private let pointer: OpaquePointer

    init() {
        guard let pointer = unsafe libdeflate_alloc_decompressor() else {
            preconditionFailure("libdeflate could not allocate a decompressor: out of memory")
        }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe libdeflate_free_decompressor(pointer)
    }

    /// Fills `output` from the zlib stream at the start of `input`; false when it is damaged or of another length.
    @unsafe func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer)
        -> Bool
    {
        var none: UInt8 = 0
        guard unsafe !output.isEmpty else {
            // libdeflate wants a place to write to even for nothing.
            return unsafe withUnsafeMutableBytes(of: &none) { unsafe run(input, $0, count: 0) }
        }
        return unsafe run(input, output, count: output.count)
    }

    @unsafe private func run(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, count: Int
    ) -> Bool {
        var used = 0
        let result = unsafe libdeflate_zlib_decompress_ex(
            pointer, input.baseAddress, input.count, output.baseAddress, count, &used, nil)
        return result == LIBDEFLATE_SUCCESS
    }
}

/// CRC-32 as zip and git use it; of bytes that follow others, when `crc` is that of the others.
@unsafe package func crc32(_ bytes: UnsafeRawBufferPointer, after crc: UInt32 = 0) -> UInt32 {
    unsafe libdeflate_crc32(crc, bytes.baseAddress, bytes.count)
}
