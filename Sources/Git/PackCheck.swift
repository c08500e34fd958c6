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
        let work = WorkStack<Int>(threads: usualThreads)
        let problems = Problems()
        work.push(Array(packs.indices))
        try work.run(
            start: { _ in () },
            body: { index, _ in problems.add(damage(of: packs[index])) },
            end: { _ in })
        return (problems.all + lostPacks.map(\.description)).sorted()
    }

    /// The damaged packs, each with the ids that its index names, none when one of the two cannot be read at all.
    package func objectsOfDamagedPacks() throws -> [(path: FilePath, ids: [ObjectID])] {
        packs.filter { !damage(of: $0).isEmpty }.map { pack in
            (pack.file.path, (0..<pack.index.count).map { pack.index.id(at: $0) })
        } + lostPacks.map { ($0.path, []) }
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

    private func damage(of pack: Pack) -> [String] {
        let bytes = unsafe pack.file.bytes
        guard bytes.count >= 32 else { return ["\(pack.file.path): it is too short for a pack"] }
        var problems: [String] = []
        let header = unsafe (
            bytes.load(as: UInt32.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).bigEndian,
            Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self).bigEndian)
        )
        if header != (0x5041_434b, 2, pack.index.count) {
            problems.append(
                "\(pack.file.path): its header is not that of a pack with \(pack.index.count) objects")
        }
        let end = bytes.count - 20
        let trailer = unsafe Array(bytes[end...])
        var hash = SHA1()
        unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        if hash.finish() != trailer {
            problems.append("\(pack.file.path): its bytes are not what its checksum says")
        }
        return problems + pack.index.damage(packChecksum: trailer)
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
    private var ownPackChecksum: Slice<UnsafeRawBufferPointer> {
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
