internal import FileTree
internal import SnapshotModel

/// A file that was listed and is to be read.
struct UnreadFile: Sendable {
    /// Its place among the entries of its directory.
    var index: Int
    var name: [UInt8]
    /// As it was when it was listed.
    var status: FileStatus
    var entryClass: EntryClass

    /// Bytes whose reading takes as long, or thereabouts; a made-up size is no more than a piece.
    private var work: Int64 { min(status.size, Self.pieceSize) + 1 << 14 }

    /// What a thread reads before another can take over.
    private static let pieceSize: Int64 = 1 << 24

    /// Shares files out, so that no thread has all those of a directory.
    static func pieces(of files: [UnreadFile]) -> [ArraySlice<UnreadFile>] {
        var pieces: [ArraySlice<UnreadFile>] = []
        var start = 0
        var work: Int64 = 0
        for (index, file) in files.enumerated() {
            work += file.work
            guard work >= pieceSize || index == files.count - 1 else { continue }
            pieces.append(files[start...index])
            start = index + 1
            work = 0
        }
        return pieces
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
