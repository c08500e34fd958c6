internal import Cryptography
internal import FileTree
internal import Sealing
internal import SnapshotModel

/// A regular file on its way from the store: made, then written and hashed piece by piece, then compared with its line in the
/// manifest.
final class NewFile {
    private let entry: Entry
    private let file: OpenFile
    private var hash = SHA256()
    private var sealedHash = SHA256()
    private var size: Int64 = 0

    /// Makes the file, empty.
    init(_ entry: Entry, _ name: [UInt8], in place: OpenDirectory) throws(FileFailure) {
        self.entry = entry
        file = try place.createFile(name, mode: entry.mode)
    }

    /// Adds contents.
    @unsafe func write(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        unsafe hash.update(bytes)
        try unsafe put(bytes)
    }

    /// Adds contents to two files, hashed in little more than the time of one.
    @unsafe static func write(
        _ bytes: UnsafeRawBufferPointer, to one: NewFile, _ otherBytes: UnsafeRawBufferPointer,
        to other: NewFile
    ) throws(FileFailure) {
        unsafe update(&one.hash, bytes, &other.hash, otherBytes)
        try unsafe one.put(bytes)
        try unsafe other.put(otherBytes)
    }

    /// Takes note of what the store holds of a sealed file; its contents are for ``write(_:)``.
    @unsafe func addSealed(_ bytes: UnsafeRawBufferPointer) {
        unsafe sealedHash.update(bytes)
    }

    @unsafe private func put(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        size += Int64(bytes.count)
        if entry.isSparse {
            try unsafe putSparsely(bytes)
        } else {
            try unsafe file.write(bytes)
        }
    }

    /// Leaves out blocks of zeros.
    @unsafe private func putSparsely(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        var start = 0
        while start < bytes.count {
            let end = min(start + 4096, bytes.count)
            let block = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if unsafe block.allSatisfy({ $0 == 0 }) {
                try file.skip(end - start)
            } else {
                try unsafe file.write(block)
            }
            start = end
        }
    }

    /// Whether all that was written is what the manifest says; to be asked once.
    ///
    /// `sealer` is of a file that was opened. A sealed file that nothing opened is not whole: its bytes have another digest.
    func isWhole(opening sealer: Sealer?) -> Bool {
        guard size == entry.size else { return false }
        let digest = hash.finish()
        guard let sealer else { return digest == entry.digest }
        return sealedHash.finish() == entry.sealedDigest && sealer.name(digest: digest) == entry.digest
    }

    /// Sets the metadata, and returns the status afterwards.
    func set(_ metadata: FileMetadata) throws(FileFailure) -> FileStatus {
        if entry.isSparse { try file.truncate(to: size) }
        return try file.set(metadata)
    }
}
