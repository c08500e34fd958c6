internal import Clibdeflate
internal import Clibisal

/// Makes zlib streams; one for each thread.
///
/// ISA-L compresses faster than libdeflate, and to hardly more bytes (docs/benchmarks.md).
///
/// Two thirds of the time that a short input takes go into Huffman tables of its own. So short inputs have tables that were
/// made of inputs before them: a page of a database takes a third of the time, and comes to a twentieth more.
@safe final class Compressor {
    private let fast: UnsafeMutableRawPointer
    private let tables: UnsafeMutableRawPointer
    /// Short inputs so far.
    private var shortInputs = 0

    /// Compressing fewer bytes costs more than all else that is done for them, and saves less than a hundred.
    private static let smallest = 400
    /// The longest input that has no tables of its own.
    static let longestShort = 1 << 14
    /// The first tables are made of so many inputs, and so many have tables of their own.
    private static let firstInputs = 64
    /// New tables are made after so many inputs: what comes now may be of another kind.
    private static let inputsPerTables = 1024
    /// One in so many of them is a sample.
    private static let inputsPerSample = 32
    /// Bytes of a stored block: whole pages, and at most 65,535 (RFC 1951).
    ///
    /// A restore writes block by block, and a page that two of them share costs the kernel two visits.
    private static let storedBlock = 15 << 12

    init() {
        guard let fast = unsafe clibisal_allocate_compressor(), let tables = unsafe clibisal_allocate_tables()
        else { preconditionFailure("no compressor could be allocated: out of memory") }
        unsafe self.fast = fast
        unsafe self.tables = tables
    }

    deinit {
        unsafe clibisal_free_compressor(fast)
        unsafe clibisal_free_tables(tables)
    }

    /// The most bytes that `count` bytes can become.
    func bound(_ count: Int) -> Int {
        // Two bytes before, four after; five before each block, of which there is one at least.
        6 + count + 5 * (1 + count / Self.storedBlock)
    }

    /// Writes a zlib stream of `input` to `output`, which has room for ``bound(_:)``, and returns its length.
    @unsafe func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, stores: Bool
    ) -> Int {
        if !stores, input.count >= Self.smallest, unsafe isWorthwhile(input) {
            let tables = input.count <= Self.longestShort ? unsafe tablesForNext(input) : nil
            // With the tables of others it may become longer than when it is stored; with its own it is stored then.
            let room = unsafe tables == nil ? output.count : min(output.count, input.count)
            let count = unsafe clibisal_zlib_compress(
                fast, tables, input.baseAddress, input.count, output.baseAddress, room)
            // Nothing: it would be longer than when it is stored.
            if count > 0 { return count }
        }
        return unsafe store(input, into: output)
    }

    /// Writes a zlib stream (RFC 1950) of stored blocks.
    @unsafe private func store(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(output.count >= bound(input.count), "the output has room for the bound")
        var used = 0
        func append(_ number: some FixedWidthInteger) {
            unsafe output.storeBytes(of: number, toByteOffset: used, as: type(of: number))
            used += MemoryLayout.size(ofValue: number)
        }
        append(UInt16(0x7801).bigEndian)
        var start = 0
        var checksum: UInt32 = 1
        repeat {
            let count = min(Self.storedBlock, input.count - start)
            let block = unsafe UnsafeRawBufferPointer(rebasing: input[start..<(start + count)])
            append(UInt8(start + count == input.count ? 1 : 0))
            append(UInt16(count).littleEndian)
            append(~UInt16(count).littleEndian)
            unsafe UnsafeMutableRawBufferPointer(rebasing: output[used...]).copyMemory(from: block)
            // Now, while the block is in the processor's cache.
            unsafe checksum = libdeflate_adler32(checksum, block.baseAddress, count)
            used += count
            start += count
        } while start < input.count
        append(checksum.bigEndian)
        return used
    }

    /// The tables for a short input, nil when it should have its own; it may be a sample for the next.
    @unsafe private func tablesForNext(_ input: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer? {
        let hasTables = shortInputs >= Self.firstInputs
        shortInputs += 1
        if !hasTables || shortInputs % Self.inputsPerSample == 0 {
            unsafe clibisal_add_sample(tables, input.baseAddress, input.count)
        }
        if shortInputs == Self.firstInputs || shortInputs % Self.inputsPerTables == 0 {
            unsafe clibisal_make_tables(tables)
        }
        return hasTables ? unsafe tables : nil
    }

    /// Whether compressing saves anything, judged by a sample of a long input.
    @unsafe private func isWorthwhile(_ input: UnsafeRawBufferPointer) -> Bool {
        let sampleSize = 1 << 14
        guard input.count > 4 * sampleSize else { return true }
        return unsafe withUnsafeTemporaryAllocation(byteCount: bound(sampleSize), alignment: 16) { output in
            let middle = (input.count - sampleSize) / 2
            let count = unsafe clibisal_zlib_compress(
                fast, nil, input.baseAddress?.advanced(by: middle), sampleSize, output.baseAddress,
                output.count)
            return count > 0 && count < sampleSize * 15 / 16
        }
    }
}

/// CRC-32 as zip and git use it; of bytes that follow others, when `crc` is that of the others.
@unsafe package func crc32(_ bytes: UnsafeRawBufferPointer, after crc: UInt32 = 0) -> UInt32 {
    unsafe libdeflate_crc32(crc, bytes.baseAddress, bytes.count)
}
