import FileTree
import Foundation
import SQLite
import SystemPackage
import TestSupport
import Testing

@Suite struct HotCopyTests {
    @Test func aCopyOfACopyIsTheCopy() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "WAL", rows: 500)
            let once = directory.appending("once")
            let twice = directory.appending("twice")
            try HotCopy.make(of: source, at: once, expecting: "things")
            try HotCopy.make(of: once, at: twice, expecting: "things")
            #expect(try Files.read(once) == Files.read(twice))
            #expect(try Files.status(once)?.mode == 0o600)
            #expect(try Files.names(directory).count == 3)
        }
    }

    @Test(arguments: ["WAL", "DELETE"]) func anIdleDatabaseGivesTheSameBytesEveryNight(_ journal: String)
        throws
    {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: journal, rows: 20)
            try HotCopy.make(of: source, at: directory.appending("1"), expecting: "things")
            // A change that is taken back leaves the contents alone and moves the counters.
            let database = try Database(source, .writing)
            try database.execute("CREATE TABLE passing (x); DROP TABLE passing")
            _ = consume database
            try HotCopy.make(of: source, at: directory.appending("2"), expecting: "things")
            let one = try Files.read(directory.appending("1"))
            let two = try Files.read(directory.appending("2"))
            #expect(Array(one[0..<100]).prefix(28) == Array(two[0..<100]).prefix(28))
            #expect(one[24..<28] == [0, 0, 0, 1] && one[92..<96] == [0, 0, 0, 1])
            #expect(one[40..<44] == two[40..<44])
            try HotCopy.make(of: source, at: directory.appending("3"), expecting: "things")
            #expect(try Files.read(directory.appending("3")) == two)
        }
    }

    @Test func whatIsOnlyInTheLogIsCopied() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "WAL", rows: 3)
            let writer = try Database(source, .writing)
            try writer.execute("PRAGMA wal_autocheckpoint = 0; INSERT INTO things (name) VALUES ('new')")
            #expect(try (Files.status(directory.appending("state.sqlite-wal"))?.size ?? 0) > 0)
            let copy = directory.appending("copy")
            try HotCopy.make(of: source, at: copy, expecting: "things")
            #expect(try rowCount(copy) == "4")
            _ = consume writer
        }
    }

    @Test func aCopyUnderAWriterIsSoundAndLosesNothingCommitted() async throws {
        try await withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "WAL", rows: 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let writer = try Database(source, .writing)
                    while !Task.isCancelled {
                        try writer.execute(
                            "BEGIN; INSERT INTO things (name) VALUES (hex(randomblob(2000)));"
                                + "INSERT INTO things (name) VALUES ('pair'); COMMIT")
                        await Task.yield()
                    }
                }
                var last = 0
                // Twenty times, and on until the writer has had its turn.
                for round in 0..<1000 where round < 20 || last == 1 {
                    let copy = directory.appending("copy-\(round)")
                    try HotCopy.make(of: source, at: copy, expecting: "things")
                    let count = try Int(rowCount(copy)) ?? 0
                    // Rows come in pairs after the first: half a transaction would be an even number.
                    #expect(count % 2 == 1 && count >= last)
                    last = count
                    await Task.yield()
                }
                group.cancelAll()
                try await group.waitForAll()
                #expect(last > 1, "the writer never wrote")
            }
        }
    }

    @Test func aDatabaseThatStaysLockedIsBusyAndLeavesNoFile() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 1)
            let holder = try Database(source, .writing)
            try holder.execute("BEGIN EXCLUSIVE")
            let copy = directory.appending("copy")
            let failure = #expect(throws: SQLiteFailure.self) {
                try HotCopy.make(of: source, at: copy, expecting: "things", patience: .milliseconds(200))
            }
            #expect(failure?.reason == .busy)
            #expect(try !Files.exists(copy))
            _ = consume holder
        }
    }

    @Test func aShortLockIsWaitedFor() async throws {
        try await withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 1)
            // On a thread of its own: the copy waits on one of the few that tests share, and another test may keep the others.
            try await withCheckedThrowingContinuation { (held: CheckedContinuation<Void, any Error>) in
                Thread.detachNewThread {
                    do {
                        let holder = try Database(source, .writing)
                        try holder.execute("BEGIN EXCLUSIVE")
                        held.resume()
                        Thread.sleep(forTimeInterval: 0.3)
                        do { try holder.execute("COMMIT") } catch { Issue.record(error) }
                    } catch {
                        held.resume(throwing: error)
                    }
                }
            }
            try HotCopy.make(of: source, at: directory.appending("copy"), expecting: "things")
            #expect(try rowCount(directory.appending("copy")) == "1")
        }
    }

    @Test func aTruncatedDatabaseIsDamaged() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 2000)
            try Files.replace(source, with: Array(Files.read(source).prefix(9000)))
            #expect(failure(of: source, in: directory)?.reason == .damaged)
        }
    }

    @Test func aDatabaseWithRubbishInItsPagesIsDamaged() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 2000)
            var bytes = try Files.read(source)
            for index in 8192..<12288 { bytes[index] = 0xa5 }
            try Files.replace(source, with: bytes)
            #expect(failure(of: source, in: directory)?.reason == .damaged)
        }
    }

    @Test func whatIsNoDatabaseIsAFailureAndNeverAnEmptyCopy() throws {
        try withTemporaryDirectory { directory in
            let empty = directory.appending("empty")
            try Files.replace(empty, with: [])
            #expect(failure(of: empty, in: directory)?.reason == .damaged)
            let text = directory.appending("text")
            try Files.replace(text, with: Array(repeating: UInt8(ascii: "x"), count: 5000))
            #expect(failure(of: text, in: directory)?.reason == .damaged)
            let missing = directory.appending("missing")
            #expect(failure(of: missing, in: directory)?.reason == .cannotOpen)
            #expect(try !Files.exists(missing))
        }
    }

    @Test func aTableThatIsMissingOrEmptyIsAFailure() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 0)
            #expect(failure(of: source, in: directory)?.message.contains("is empty") == true)
            #expect(
                failure(of: source, in: directory, table: "other")?.message.contains("no table") == true)
        }
    }

    @Test func aFileThatIsThereIsNeverOverwritten() throws {
        try withTemporaryDirectory { directory in
            let source = directory.appending("state.sqlite")
            try makeDatabase(source, journal: "DELETE", rows: 1)
            let copy = directory.appending("copy")
            try Files.replace(copy, with: [1])
            #expect(throws: SQLiteFailure.self) {
                try HotCopy.make(of: source, at: copy, expecting: "things")
            }
            #expect(try Files.read(copy) == [1])
        }
    }
}

private func failure(
    of source: FilePath, in directory: FilePath, table: String = "things"
) -> SQLiteFailure? {
    let copy = directory.appending("copy")
    let failure = #expect(throws: SQLiteFailure.self) {
        try HotCopy.make(of: source, at: copy, expecting: table, patience: .milliseconds(200))
    }
    #expect(throws: Never.self) { try #expect(!Files.exists(copy)) }
    return failure
}

func makeDatabase(_ path: FilePath, journal: String, rows: Int) throws {
    try Files.replace(path, with: [])
    let database = try Database(path, .writing)
    try database.execute(
        "PRAGMA journal_mode = \(journal); CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    guard rows > 0 else { return }
    try database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))"
            + " INSERT INTO things (name) SELECT 'thing number ' || i FROM n")
}

func rowCount(_ path: FilePath) throws -> String {
    try Database(path, .reading).rows("SELECT count(*) FROM things")[0][0] ?? ""
}
