internal import Cryptography
internal import FileTree
internal import Git
internal import Sealing
internal import SnapshotModel

/// A regular file on its way from the store: made, then written and hashed piece by piece, then compared with its line in the
/// manifest.
@safe final class NewFile {
    private let entry: Entry
    private let file: OpenFile
    private var hash = SHA256()
    private var sealedHash = SHA256()
    private var size: Int64 = 0
    /// What is to be written next, from where it lies.
    private var waiting = unsafe [UnsafeRawBufferPointer]()
    private var waitingCount = 0
    /// Bytes that are written together.
    ///
    /// Blocks that are stored are fifteen pages each; written so, they cost the kernel a third more than in pieces of sixteen, for
    /// which it takes whole folios. For larger ones it needs memory that a hypervisor may have taken back.
    private static let gatheredSize = 1 << 16

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

    /// Adds contents.
    @unsafe func write(_ piece: BlobStream.Piece) throws(FileFailure) {
        unsafe hash.update(piece.bytes)
        try unsafe put(piece)
    }

    /// Adds contents to two files, hashed in little more than the time of one.
    @unsafe static func write(
        _ piece: BlobStream.Piece, to one: NewFile, _ otherPiece: BlobStream.Piece, to other: NewFile
    ) throws(FileFailure) {
        unsafe update(&one.hash, piece.bytes, &other.hash, otherPiece.bytes)
        try unsafe one.put(piece)
        try unsafe other.put(otherPiece)
    }

    /// Writes bytes, those that last some of them together.
    @unsafe private func put(_ piece: BlobStream.Piece) throws(FileFailure) {
        guard unsafe piece.isLasting else {
            try writeWaiting(waitingCount)
            return try unsafe put(piece.bytes)
        }
        // A stored block may be of nothing.
        guard unsafe !piece.bytes.isEmpty else { return }
        unsafe size += Int64(piece.bytes.count)
        unsafe waiting.append(piece.bytes)
        unsafe waitingCount += piece.bytes.count
        if waitingCount >= Self.gatheredSize {
            try writeWaiting(waitingCount - waitingCount % Self.gatheredSize)
        }
    }

    private func writeWaiting(_ count: Int) throws(FileFailure) {
        try unsafe file.write(&waiting, count: count)
        waitingCount -= count
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
        try writeWaiting(waitingCount)
        if entry.isSparse { try file.truncate(to: size) }
        return try file.set(metadata)
    }
}
