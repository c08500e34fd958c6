import FileTree
import Git
import Glibc
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// What is said of a file is of the file that was read.
@Suite struct FileReaderTests {
    private func read(
        _ path: FilePath, seen: FileStatus?, _ entryClass: EntryClass = .config
    ) throws -> FileReader.Result {
        let file = try OpenDirectory(path.removingLastComponent()).file(
            Array((path.lastComponent?.string ?? "").utf8))
        return try FileReader(Rehearsal(nil), sealer: nil).read(file, entryClass, seen: seen)
    }

    @Test func anotherFileThatTookTheNameIsReadAgainAndIsNotTorn() throws {
        try withTemporaryDirectory { directory in
            let (old, new) = (directory.appending("old"), directory.appending("new"))
            try Files.replace(old, with: Array("one of them\n".utf8))
            try Files.replace(new, with: Array("the other!!\n".utf8))
            let seen = try #require(try Files.status(old))
            let result = try read(new, seen: seen)
            #expect(result.status == (try Files.status(new)))
            #expect(result.contents.id == ObjectID.of(.blob, Array("the other!!\n".utf8)))
            #expect(!result.isTorn)
        }
    }

    @Test func aFileThatGrewSinceItWasSeenIsReadWhole() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("file")
            try Files.replace(path, with: Array("one\n".utf8))
            let seen = try #require(try Files.status(path))
            let file = try FileDescriptor.open(path, .writeOnly, options: .append)
            try file.closeAfter { _ = try file.writeAll(Array("two\n".utf8)) }
            let result = try read(path, seen: seen)
            #expect(result.status == (try Files.status(path)))
            #expect(result.contents.id == ObjectID.of(.blob, Array("one\ntwo\n".utf8)))
            #expect(!result.isTorn)
        }
    }

    @Test func aPipeThatTookTheNameIsNoFile() throws {
        try withTemporaryDirectory { directory in
            let (path, pipe) = (directory.appending("file"), directory.appending("pipe"))
            try Files.replace(path, with: Array("one\n".utf8))
            let seen = try #require(try Files.status(path))
            #expect(unsafe pipe.withPlatformString { unsafe mkfifo($0, 0o600) } == 0)
            #expect(throws: FileFailure.self) { try read(pipe, seen: seen) }
        }
    }

    @Test func aLogThatIsWrittenAnewInItsPlaceIsReadAgain() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("log")
            try Files.replace(path, with: Array("old\n".utf8))
            let seen = try #require(try Files.status(path))
            usleep(20_000)
            let file = try FileDescriptor.open(path, .writeOnly)
            try file.closeAfter { _ = try file.writeAll(Array("new\n".utf8)) }
            #expect(try read(path, seen: seen, .bulk).status == (try Files.status(path)))
        }
    }

    @Test(.timeLimit(.minutes(1))) func aPipeWhereATextIsExpectedIsRefusedAtOnce() throws {
        try withTemporaryDirectory { directory in
            let pipe = directory.appending("pipe")
            #expect(unsafe pipe.withPlatformString { unsafe mkfifo($0, 0o600) } == 0)
            let failure = FileFailure.notRegular(pipe.byteArray)
            #expect(throws: failure) { try Files.read(pipe) }
            #expect(throws: failure) { _ = try OpenFile(pipe) }
            #expect(throws: failure) { try MappedFile(pipe) }
        }
    }
}
