import Cinflate
import Clibdeflate
import TestSupport
import Testing

@testable import Git

#if canImport(Glibc)
    import Glibc
#endif

/// The decompressor that keeps tables, compared with libdeflate's, between pages that nobody may touch.
@Suite struct InflateTests {
    /// Text, noise, and both, of up to 16 KiB.
    private func input(_ random: inout SplitMix) -> [UInt8] {
        let count = Int.random(in: 1...Compressor.longestShort, using: &random)
        let words = [
            "<project>", "true", "\n  <name>", "0", "é", "timer", "</name>", "aaaaaaaaaaaaaaaaaaaaaaaa",
        ]
        var bytes: [UInt8] = []
        while bytes.count < count {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: bytes += (0..<9).map { _ in UInt8.random(in: 0...255, using: &random) }
            case 1: bytes += [UInt8](repeating: 7, count: Int.random(in: 1...700, using: &random))
            case 2: bytes += bytes.suffix(Int.random(in: 1...20, using: &random))
            default: bytes += Array((words.randomElement(using: &random) ?? "").utf8)
            }
        }
        return Array(bytes.prefix(count))
    }

    private func compressed(_ input: [UInt8], by compressor: Compressor) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: compressor.bound(input.count)) { output, count in
            count = unsafe input.withUnsafeBytes {
                unsafe compressor.compress($0, into: UnsafeMutableRawBufferPointer(output), stores: false)
            }
        }
    }

    /// What ours makes of a stream, nil when it leaves it to libdeflate; the checksum is ours to compare.
    private func ours(_ stream: [UInt8], _ size: Int, _ tables: KeptTables, _ place: Guarded) -> [UInt8]? {
        let input = unsafe place.input(stream)
        let output = unsafe place.output(size)
        let used = unsafe cinflate_one_block(
            tables.pointer, input.baseAddress, input.count, output.baseAddress, size)
        guard used > 0, stream.count - used >= 4 else { return nil }
        let checksum = stream[used..<(used + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return unsafe libdeflate_adler32(1, output.baseAddress, size) == checksum ? Array(output) : nil
    }

    private func theirs(_ stream: [UInt8], _ size: Int) -> [UInt8]? {
        let decompressor = unsafe libdeflate_alloc_decompressor()
        defer { unsafe libdeflate_free_decompressor(decompressor) }
        var output = [UInt8](repeating: 0, count: size)
        var used = 0
        let result = unsafe libdeflate_zlib_decompress_ex(
            decompressor, stream, stream.count, &output, size, &used, nil)
        return result == LIBDEFLATE_SUCCESS ? output : nil
    }

    @Test func shortStreamsAreReadWithTablesThatAreKept() async {
        var random = SplitMix(state: 11)
        // Three threads wrote in turn, each with tables of its own, and more than once.
        let compressors = (0..<3).map { _ in Compressor() }
        let tables = KeptTables()
        let place = Guarded(1 << 16)
        let decompressor = Decompressor()
        var count = 0
        for number in 0..<1500 {
            if number % 100 == 0 { await Task.yield() }
            let input = input(&random)
            let stream = compressed(input, by: compressors[number % 3])
            let output = ours(stream, input.count, tables, place)
            if output != nil { count += 1 }
            #expect(output == nil || output == input, "\(number)")
            #expect(output != nil || theirs(stream, input.count) == input, "\(number)")
            let whole = unsafe [UInt8](unsafeUninitializedCapacity: input.count) { output, count in
                let isWhole = unsafe stream.withUnsafeBytes {
                    unsafe decompressor.decompress($0, into: UnsafeMutableRawBufferPointer(output))
                }
                count = isWhole ? input.count : 0
            }
            #expect(whole == input, "\(number)")
        }
        // The rest is too short to compress, or comes to more than itself.
        #expect(count > 1200, "\(count)")
    }

    /// What is damaged is refused, or is what libdeflate makes of it too; nothing outside is touched.
    @Test func damagedStreamsAreReadAsLibdeflateReadsThem() async {
        var random = SplitMix(state: 12)
        let compressor = Compressor()
        let tables = KeptTables()
        let place = Guarded(1 << 16)
        var compared = 0
        for number in 0..<300 {
            await Task.yield()
            let input = input(&random)
            let stream = compressed(input, by: compressor)
            for _ in 0..<40 {
                var damaged = stream
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged.removeLast(Int.random(in: 1..<damaged.count, using: &random))
                // In the tables.
                case 1:
                    damaged[Int.random(in: 0..<min(120, damaged.count), using: &random)] ^=
                        1 << UInt8.random(in: 0..<8, using: &random)
                default:
                    let place = damaged.indices.randomElement(using: &random) ?? 0
                    damaged[place] = UInt8.random(in: 0...255, using: &random)
                }
                let size = max(0, input.count + ([0, 0, 0, -1, 1, 300].randomElement(using: &random) ?? 0))
                if let output = ours(damaged, size, tables, place) {
                    compared += 1
                    #expect(output == theirs(damaged, size), "\(number)")
                }
            }
        }
        #expect(compared > 0)
    }
}

@safe private final class KeptTables {
    let pointer: OpaquePointer

    init() {
        guard let pointer = unsafe cinflate_allocate_tables() else { preconditionFailure("out of memory") }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe free(UnsafeMutableRawPointer(pointer))
    }
}

/// Two places, each of which ends where a page begins that cannot be read: a byte too many ends the process.
@safe private final class Guarded {
    private let size: Int
    private let bases: [UnsafeMutableRawPointer]

    init(_ size: Int) {
        self.size = size
        var bases: [UnsafeMutableRawPointer] = unsafe []
        for _ in 0..<2 {
            guard
                let base = unsafe mmap(
                    nil, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                unsafe mprotect(base + size, 4096, PROT_NONE) == 0
            else { preconditionFailure("no memory could be taken") }
            unsafe bases.append(base)
        }
        unsafe self.bases = bases
    }

    deinit {
        unsafe bases.forEach { unsafe munmap($0, size + 4096) }
    }

    func input(_ bytes: [UInt8]) -> UnsafeBufferPointer<UInt8> {
        let place = unsafe bases[0] + (size - bytes.count)
        unsafe UnsafeMutableRawBufferPointer(start: place, count: bytes.count).copyBytes(from: bytes)
        return unsafe UnsafeBufferPointer(
            start: place.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    }

    func output(_ count: Int) -> UnsafeMutableBufferPointer<UInt8> {
        unsafe UnsafeMutableBufferPointer(
            start: (bases[1] + (size - count)).assumingMemoryBound(to: UInt8.self), count: count)
    }
}
