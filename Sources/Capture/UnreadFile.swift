internal import FileTree
internal import SnapshotModel
internal import Workers

/// A file that was listed and is to be read.
struct UnreadFile: Sendable {
    /// Its place among the entries of its directory.
    var index: Int
    var name: [UInt8]
    /// As it was when it was listed.
    var status: FileStatus
    var entryClass: EntryClass

    /// What a thread reads before another can take over: so many bytes, and for each file what takes as long as 16 KiB.
    private static let pieceSize: Int64 = 1 << 24

    /// Shares files out, so that no thread has all those of a directory.
    static func pieces(of files: [UnreadFile]) -> [ArraySlice<UnreadFile>] {
        files.pieces(of: pieceSize) { min($0.status.size, pieceSize) + 1 << 14 }
    }
}

/// What a file became when it was read.
struct ReadFile: Sendable {
    /// Its place among the entries of its directory.
    var index: Int
    /// Nil when it could not be read.
    var record: EntryRecord?
    var extra = EntryExtra()
}
