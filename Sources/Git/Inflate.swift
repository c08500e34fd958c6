internal import Cinflate
internal import Clibdeflate
internal import Glibc

/// Reads zlib streams; used by one thread at a time.
///
/// libdeflate's work, but for short streams that a ``Compressor`` made: half of the time that they take goes into tables, and
/// those of one are mostly those of the one before.
@safe final class Decompressor {
    private let pointer: OpaquePointer
    private let tables: OpaquePointer

    init() {
        guard let pointer = unsafe libdeflate_alloc_decompressor(),
            let tables = unsafe cinflate_allocate_tables()
        else { preconditionFailure("no decompressor could be allocated: out of memory") }
        unsafe self.pointer = pointer
        unsafe self.tables = tables
    }

    deinit {
        unsafe libdeflate_free_decompressor(pointer)
        unsafe free(UnsafeMutableRawPointer(tables))
    }

    /// Fills `output` from the zlib stream at the start of `input`; false when it is damaged or of another length.
    @unsafe func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer)
        -> Bool
    {
        if output.count <= Compressor.longestShort, unsafe decompressShort(input, into: output) {
            return true
        }
        var none: UInt8 = 0
        guard unsafe !output.isEmpty else {
            // libdeflate wants a place to write to even for nothing.
            return unsafe withUnsafeMutableBytes(of: &none) { unsafe run(input, $0, count: 0) }
        }
        return unsafe run(input, output, count: output.count)
    }

    /// What the zlib stream at the start of `input` holds, nil when it is damaged or of another size.
    @unsafe func contents(_ size: Int, of input: UnsafeRawBufferPointer) -> [UInt8]? {
        var isWhole = false
        let contents = unsafe [UInt8](unsafeUninitializedCapacity: size) { output, count in
            isWhole = unsafe decompress(
                input,
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[..<size]))
            count = isWhole ? size : 0
        }
        return isWhole ? contents : nil
    }

    /// False for what is damaged and for most of what a ``Compressor`` does not make: libdeflate is to say which.
    @unsafe private func decompressShort(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let used = unsafe cinflate_one_block(
            tables, input.baseAddress, input.count, output.baseAddress, output.count)
        guard used > 0, input.count - used >= 4 else { return false }
        let checksum = unsafe input.loadUnaligned(fromByteOffset: used, as: UInt32.self)
        return unsafe UInt32(bigEndian: checksum) == libdeflate_adler32(1, output.baseAddress, output.count)
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
