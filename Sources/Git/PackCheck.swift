internal import Cryptography
internal import FileTree
internal import Synchronization
package import SystemPackage
internal import Workers

extension ObjectReader {
    /// What is wrong with the files of the packs, each against its own checksum: byte by byte, at the speed of the disk.
    ///
    /// Finds every changed byte of a pack or its index, whether or not anything that is still wanted lies there.
    package func damagedPacks() throws -> [String] {
        let work = WorkStack<Pack>(threads: usualThreads)
        let problems = Problems()
        work.push(packs + doubtfulPacks)
        try work.run(
            start: { _ in () },
            body: { pack, _ in problems.add(pack.damage()) },
            end: { _ in })
        return (problems.all + lostPacks.filter { $0.pack == nil }.map(\.description)).sorted()
    }

    /// The damaged packs, each with the ids that its index names, none when one of the two cannot be read at all.
    package func objectsOfDamagedPacks() throws -> [(path: FilePath, ids: [ObjectID])] {
        (packs.filter { !$0.damage().isEmpty } + doubtfulPacks).map { pack in
            (pack.file.path, (0..<pack.index.count).map { pack.index.id(at: $0) })
        } + lostPacks.filter { $0.pack == nil }.map { ($0.path, []) }
    }

    /// The name of a pack without its ending: git makes it of the pack's own checksum.
    package static func packName(_ path: FilePath) throws -> String {
        let pack = try MappedFile(path)
        return "pack-\(hex(unsafe Array(pack.bytes.suffix(20))))"
    }

    /// The pack indexes of a repository that are not what their checksums say, are those of other packs, or are no indexes at
    /// all.
    package static func damagedIndexes(of repository: FilePath) throws -> [FilePath] {
        let directory = repository.appending("objects").appending("pack")
        return try Files.names(directory).filter {
            $0.starts(with: "pack-".utf8) && $0.suffix(4) == Array(".idx".utf8)[...]
        }
        .map { directory.appending(String(decoding: $0, as: UTF8.self)) }
        .filter { path in
            do {
                let index = try PackIndex(path)
                return try index.hasDamagedBytes || !index.isOf(FilePath(path.string.dropLast(4) + ".pack"))
            } catch let error as GitError where error.code == .damaged {
                return true
            } catch let error as FileFailure where error.reason == .invalidArgument {
                // An empty file cannot be mapped.
                return true
            }
        }
    }

    /// Findings of several threads.
    private final class Problems: Sendable {
        private let found = Mutex<[String]>([])

        func add(_ problems: [String]) {
            if !problems.isEmpty { found.withLock { $0 += problems } }
        }

        var all: [String] { found.withLock { $0 } }
    }
}

extension ObjectReader.Pack {
    /// Why the pack is not the one that the index is of, nil when it is: a pack that was cut has another end.
    ///
    /// What git asks when it opens one, so that neither of the two finds what the other does not.
    func mismatch() throws -> String? {
        guard try bytes(0..<12) == header else {
            return "its header is not that of a pack with \(index.count) objects"
        }
        let size = unsafe file.bytes.count
        let end = try bytes((size - 20)..<size)
        return unsafe index.ownPackChecksum.elementsEqual(end)
            ? nil : "it was cut, or its index is that of another pack"
    }

    /// How a pack begins that has as many objects as the index.
    private var header: [UInt8] {
        Array("PACK".utf8) + bigEndian(UInt32(2)) + bigEndian(UInt32(index.count))
    }

    private func bytes(_ range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try unsafe bytes.withUnsafeMutableBytes {
            try unsafe file.copy(from: range.lowerBound, into: $0)
        }
        return bytes
    }

    /// What is wrong with its bytes, and those of the index.
    fileprivate func damage() -> [String] {
        let bytes = unsafe file.bytes
        var problems: [String] = []
        if unsafe !bytes.prefix(12).elementsEqual(header) {
            problems.append("\(file.path): its header is not that of a pack with \(index.count) objects")
        }
        let end = bytes.count - 20
        let trailer = unsafe Array(bytes[end...])
        var hash = SHA1()
        unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        if hash.finish() != trailer {
            problems.append("\(file.path): its bytes are not what its checksum says")
        }
        return problems + index.damage(packChecksum: trailer)
    }
}

extension PackIndex {
    /// What is wrong with the index of a pack with this checksum.
    fileprivate func damage(packChecksum: [UInt8]) -> [String] {
        var problems: [String] = []
        if unsafe !ownPackChecksum.elementsEqual(packChecksum) {
            problems.append("\(file.path): it is the index of another pack")
        }
        if hasDamagedBytes {
            problems.append("\(file.path): its bytes are not what its checksum says")
        }
        return problems
    }

    /// The checksum of the pack that it is the index of, as it says.
    fileprivate var ownPackChecksum: Slice<UnsafeRawBufferPointer> {
        unsafe file.bytes[(file.bytes.count - 40)..<(file.bytes.count - 20)]
    }

    /// Whether it is the index of this pack; of one that cannot be read nobody can say that it is not.
    fileprivate func isOf(_ pack: FilePath) throws(FileFailure) -> Bool {
        guard let status = try Files.status(pack), status.kind == .file, status.size >= 32 else {
            return true
        }
        let file = try MappedFile(pack)
        defer { withExtendedLifetime(file) {} }
        let end = unsafe Array(file.bytes.suffix(20))
        return unsafe ownPackChecksum.elementsEqual(end)
    }

    /// Whether the bytes are not what the checksum at their end says.
    fileprivate var hasDamagedBytes: Bool {
        let bytes = unsafe file.bytes
        let end = bytes.count - 20
        var hash = SHA1()
        unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        return unsafe !bytes[end...].elementsEqual(hash.finish())
    }
}
