import FileTree
import Judge
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// A production log that is watched: read on from where it was read to, whatever becomes of it meanwhile.
struct LogWatchTests {
    private struct Log {
        let shadow: BuildbotShadow
        let file: FilePath
        var mark = LogMark()

        init(_ directory: FilePath) throws {
            shadow = BuildbotShadow(
                driver: try BuildbotDriver(
                    Component(
                        name: "ci", driver: "buildbot", settings: ["master": .text(directory.string)])))
            file = directory.appending("twistd.log")
        }

        /// Writes behind what is there, into the same file, as a server does.
        func add(_ text: String) throws {
            try #require(text.utf8.isEmpty == false)
            let descriptor = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
            try descriptor.closeAfter { _ = try descriptor.writeAll(Array(text.utf8)) }
        }

        mutating func complaints() throws -> [String] {
            try shadow.complaints(after: &mark).map(\.detail)
        }
    }

    private static let head = "2026-11-26 02:00:00+0000 [-] "

    @Test func onlyWhatIsNewIsTold() throws {
        try withTemporaryDirectory { directory in
            var log = try Log(directory)
            #expect(try log.complaints() == [])
            try log.add(Self.head + "ERROR: old trouble\n")
            #expect(try log.complaints() == ["ERROR: old trouble"])
            #expect(try log.complaints() == [])
            try log.add(Self.head + "all is well\n")
            #expect(try log.complaints() == [])
        }
    }

    @Test func whatAServerThatEndedDidNotFinishIsNotItsSuccessors() throws {
        try withTemporaryDirectory { directory in
            var log = try Log(directory)
            try log.add("\tTraceback (most recent call last):\n\t  File \"x.py\", line 1\n")
            #expect(try log.complaints() == [])
            log.mark.giveUpUnfinished()
            try log.add(Self.head + "Loading buildbot.tac...\n" + Self.head + "ERROR: new trouble\n")
            #expect(try log.complaints() == ["ERROR: new trouble"])
        }
    }

    @Test func aTracebackThatIsWrittenInPiecesIsToldOnceAndWhole() throws {
        try withTemporaryDirectory { directory in
            var log = try Log(directory)
            for piece in ["\tTraceback (most recent", " call last):\n\t  File \"x.py\", line 1\n", "\tKeyEr"]
            {
                try log.add(piece)
                #expect(try log.complaints() == [])
            }
            try log.add("ror: 'x'\n" + Self.head + "next\n")
            let found = try log.shadow.complaints(after: &log.mark)
            #expect(found.map(\.kind) == ["log-exception"])
            #expect(found.first?.lines.count == 3)
        }
    }

    @Test func whatWasWrittenBeforeTheLogWasFullIsNotLost() throws {
        try withTemporaryDirectory { directory in
            var log = try Log(directory)
            try log.add(Self.head + "ERROR: seen\n")
            _ = try log.complaints()
            try log.add(Self.head + "ERROR: last words\n")
            try Files.rename(log.file, to: directory.appending("twistd.log.1"))
            try log.add(Self.head + "ERROR: first words\n")
            #expect(try log.complaints() == ["ERROR: last words", "ERROR: first words"])
            #expect(try log.complaints() == [])
        }
    }

    @Test func aLogThatWasEmptiedIsReadFromItsBeginning() throws {
        try withTemporaryDirectory { directory in
            var log = try Log(directory)
            try log.add(Self.head + "ERROR: one that is long enough to be longer\n")
            _ = try log.complaints()
            let descriptor = try FileDescriptor.open(log.file, .writeOnly, options: [.truncate])
            try descriptor.close()
            try log.add(Self.head + "ERROR: two\n")
            #expect(try log.complaints() == ["ERROR: two"])
            try Files.remove(log.file)
            #expect(try log.complaints() == [])
        }
    }
}
