internal import Cryptography
internal import FileTree
internal import SystemPackage

/// Pack indexes, version 2, as they are written.
enum PackIndexWriter {
    /// The records in the order of their ids: dealt into one array by the first byte, and sorted there from byte to byte.
    static func sorted(_ records: [PackFile.Record]) -> [PackFile.Record] {
        guard let any = records.first else { return [] }
        var sorted = [PackFile.Record](repeating: any, count: records.count)
        var ends = [Int](repeating: 0, count: 256)
        for record in records { ends[Int(record.id.firstByte)] += 1 }
        for first in 1..<256 { ends[first] += ends[first - 1] }
        var next = [0] + ends.dropLast()
        for record in records {
            sorted[next[Int(record.id.firstByte)]] = record
            next[Int(record.id.firstByte)] += 1
        }
        for first in 0..<256 {
            sorted[(first == 0 ? 0 : ends[first - 1])..<ends[first]].sort { $0.id < $1.id }
        }
        return sorted
    }

    /// The bytes of an index of `records`, which are sorted by id.
    static func contents(_ records: [PackFile.Record], packChecksum: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0xff, 0x74, 0x4f, 0x63] + bigEndian(UInt32(2))
        bytes.reserveCapacity(records.count * 28 + 2000)
        var count = 0
        for first in 0..<256 {
            while count < records.count, records[count].id.firstByte == first { count += 1 }
            bytes.append(contentsOf: bigEndian(UInt32(count)))
        }
        for record in records { record.id.append(to: &bytes) }
        for record in records { bytes.append(contentsOf: bigEndian(record.crc)) }
        var far: [Int64] = []
        for record in records {
            if record.offset < 1 << 31 {
                bytes.append(contentsOf: bigEndian(UInt32(record.offset)))
            } else {
                bytes.append(contentsOf: bigEndian(UInt32(1 << 31 | far.count)))
                far.append(record.offset)
            }
        }
        for offset in far { bytes.append(contentsOf: bigEndian(UInt64(offset))) }
        bytes.append(contentsOf: packChecksum)
        var hash = SHA1()
        hash.update(bytes)
        bytes.append(contentsOf: hash.finish())
        return bytes
    }
}

/// A pack index, mapped: where in the pack an object is.
struct PackIndex: Sendable {
    let file: MappedFile
    let count: Int
    private static let tableStart = 8 + 256 * 4

    init(_ path: FilePath) throws {
        file = try MappedFile(path)
        let bytes = unsafe file.bytes
        guard bytes.count >= Self.tableStart + 40,
            unsafe bytes.load(as: UInt32.self).bigEndian == 0xff74_4f63,
            unsafe bytes.load(fromByteOffset: 4, as: UInt32.self).bigEndian == 2
        else { throw GitError(.damaged, "read the pack index \(path)", "it is not an index of version 2") }
        count = unsafe Int(bytes.load(fromByteOffset: Self.tableStart - 4, as: UInt32.self).bigEndian)
        guard bytes.count >= Self.tableStart + count * 28 + 40 else {
            throw GitError(.damaged, "read the pack index \(path)", "it is shorter than its table says")
        }
    }

    private func fan(_ first: Int) -> Int {
        unsafe Int(file.bytes.load(fromByteOffset: 8 + first * 4, as: UInt32.self).bigEndian)
    }

    func id(at position: Int) -> ObjectID {
        guard let base = unsafe file.bytes.baseAddress else {
            preconditionFailure("a mapping of at least one byte")
        }
        return unsafe ObjectID(base + Self.tableStart + position * 20)
    }

    /// The object's place in the index, nil when it is not in the pack.
    ///
    /// Ids are spread evenly, so their bytes say about where in the table they are: the search begins there, goes in growing
    /// steps to both sides until the id is between two of them, and then by halves.
    func position(of id: ObjectID) -> Int? {
        let first = Int(id.firstByte)
        var low = first == 0 ? 0 : fan(first - 1)
        var high = min(fan(first), count)
        guard low < high else { return nil }
        var step = 4
        var guess = Self.likelyPlace(of: id, in: low..<high)
        while low < high {
            let other = self.id(at: guess)
            if other == id { return guess }
            if other < id { low = guess + 1 } else { high = guess }
            let near = other < id ? guess + step : guess - step
            guess = low <= near && near < high ? near : (low + high) / 2
            step *= 2
        }
        return nil
    }

    /// Where in a part of a table an id would be if the ids there were spread evenly.
    static func likelyPlace(of id: ObjectID, in range: Range<Int>) -> Int {
        range.lowerBound + (range.count * id.secondAndThirdByte) >> 16
    }

    /// The object's offset in the pack, nil when the index is damaged there.
    func offset(at position: Int) -> Int? {
        let bytes = unsafe file.bytes
        let near = Self.tableStart + count * 24 + position * 4
        let offset = unsafe bytes.loadUnaligned(fromByteOffset: near, as: UInt32.self).bigEndian
        guard offset >= 1 << 31 else { return Int(offset) }
        let far = Self.tableStart + count * 28 + Int(offset & 0x7fff_ffff) * 8
        guard far + 8 <= bytes.count - 40 else { return nil }
        return unsafe Int(exactly: bytes.loadUnaligned(fromByteOffset: far, as: UInt64.self).bigEndian)
    }
}
