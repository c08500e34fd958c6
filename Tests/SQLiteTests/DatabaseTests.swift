import FileTree
import SQLite
import SystemPackage
import TestSupport
import Testing

@Suite struct DatabaseTests {
    @Test func valuesAreBoundAndNullIsNil() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("state.sqlite")
            try makeDatabase(path, journal: "DELETE", rows: 0)
            let database = try Database(path, .writing)
            try database.rows("INSERT INTO things (name) VALUES (?), (?)", ["it's; DROP", nil])
            #expect(try database.rows("SELECT name FROM things ORDER BY id") == [["it's; DROP"], [nil]])
            #expect(try database.columns(of: "things") == ["id", "name"])
            #expect(try database.columns(of: "nothing").isEmpty)
        }
    }

    @Test func readingChangesNothing() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("state.sqlite")
            try makeDatabase(path, journal: "WAL", rows: 1)
            let before = try Files.read(path)
            let database = try Database(path, .reading)
            #expect(throws: SQLiteFailure.self) { try database.execute("DELETE FROM things") }
            #expect(try database.rows("SELECT count(*) FROM things") == [["1"]])
            _ = consume database
            #expect(try Files.read(path) == before)
            #expect(try Files.names(directory).count == 1)
        }
    }

    /// SQLite would follow the link, and as root give what it leads to to the owner of the database.
    @Test(arguments: ["-journal", "-wal", "-shm"], [true, false])
    func aLinkBesideADatabaseIsNotFollowed(_ suffix: String, _ leadsSomewhere: Bool) throws {
        try withTemporaryDirectory { directory in
            let database = directory.appending("state.sqlite")
            try makeDatabase(database, journal: "DELETE", rows: 2)
            let outside = directory.appending("outside")
            if leadsSomewhere { try Files.replace(outside, with: Array("theirs".utf8)) }
            let beside = directory.appending("state.sqlite\(suffix)")
            try Files.makeLink(beside, to: Array(outside.string.utf8))
            let failure = try #require(throws: SQLiteFailure.self) { try rowCount(database) }
            #expect(failure.reason == .cannotOpen && failure.message.hasPrefix("\(beside) is a link"))
            #expect(try Files.exists(outside) == leadsSomewhere)
            // Also where the database itself is reached by a link.
            let other = directory.appending("other.sqlite")
            try Files.makeLink(other, to: Array("state.sqlite".utf8))
            #expect(throws: SQLiteFailure.self) { try rowCount(other) }
            try Files.remove(beside)
            #expect(try rowCount(other) == "2")
        }
    }
}
