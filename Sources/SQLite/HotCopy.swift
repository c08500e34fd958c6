internal import Csqlite3
internal import Glibc
package import SystemPackage

/// A consistent copy of a database that others may be writing to.
package enum HotCopy {
    /// Copies the database at `source` to the new file `copy` (mode 0600) by SQLite's own backup interface.
    ///
    /// The copy is checked: SQLite finds it sound, and `table` is in it and holds at least one row. Then those fields of
    /// its header that change with every copy, and mean nothing to a file that nobody has open, get fixed values: an
    /// idle database gives the same bytes every night, and a copy of a copy is the copy.
    ///
    /// Throws a ``SQLiteFailure``, and leaves no file, when the source stays busy for longer than `patience`, is no
    /// database, is damaged, or lacks the table.
    package static func make(
        of source: FilePath, at copy: FilePath, expecting table: String, patience: Duration = .seconds(30)
    ) throws(SQLiteFailure) {
        try makeEmptyFile(copy)
        do throws(SQLiteFailure) {
            try copyPages(of: source, to: copy, patience: patience)
            try check(copy, source: source, expecting: table)
            try normalise(copy)
        } catch {
            // The first failure is the one to tell; what is left of the copy is removed as well as can be.
            for suffix in ["", "-wal", "-shm", "-journal"] {
                unsafe FilePath(copy.string + suffix).withPlatformString { _ = unsafe unlink($0) }
            }
            throw error
        }
    }

    private static func makeEmptyFile(_ path: FilePath) throws(SQLiteFailure) {
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: 0o600))
            try file.close()
        } catch {
            throw SQLiteFailure("make a copy at", path, .cannotOpen, "\(error)")
        }
    }

    private static func copyPages(
        of source: FilePath, to copy: FilePath, patience: Duration
    ) throws(SQLiteFailure) {
        let live = try Database(source, .reading, patience: patience)
        let target = try Database(copy, .writing, patience: patience)
        // The file is thrown away when anything fails: it needs no journal.
        try target.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        guard let backup = unsafe sqlite3_backup_init(target.handle, "main", live.handle, "main") else {
            throw target.failure("copy", unsafe sqlite3_extended_errcode(target.handle))
        }
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var code: Int32
        repeat {
            // All pages in one step: in steps, every write by another process would start the copy over.
            code = unsafe sqlite3_backup_step(backup, -1)
            let isBusy = code & 0xff == SQLITE_BUSY || code & 0xff == SQLITE_LOCKED
            guard isBusy, clock.now < deadline else { break }
            sqlite3_sleep(20)
        } while true
        let finished = unsafe sqlite3_backup_finish(backup)
        guard code == SQLITE_DONE else {
            let message = unsafe String(cString: sqlite3_errstr(code))
            throw SQLiteFailure("copy", source, code: code, message: message)
        }
        guard finished == SQLITE_OK else { throw target.failure("copy", finished) }
    }

    private static func check(
        _ copy: FilePath, source: FilePath, expecting table: String
    ) throws(SQLiteFailure) {
        let database = try Database(copy, .reading)
        let findings = try database.rows("PRAGMA quick_check(5)").compactMap { $0[0] }
        guard findings == ["ok"] else {
            throw SQLiteFailure(
                "copy", source, .damaged, "its check says: \(findings.joined(separator: "; "))")
        }
        guard try database.hasTable(table) else {
            throw SQLiteFailure("copy", source, .damaged, "it has no table '\(table)'")
        }
        let quoted = table.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        guard try !database.rows("SELECT 1 FROM \"\(quoted)\" LIMIT 1").isEmpty else {
            throw SQLiteFailure("copy", source, .damaged, "its table '\(table)' is empty")
        }
    }

    /// Gives fixed values to the change counter (offset 24), the schema cookie (40), the change counter for which the
    /// size in the header holds (92, always that at 24), and the version of the library that wrote last (96).
    private static func normalise(_ copy: FilePath) throws(SQLiteFailure) {
        let one: [UInt8] = [0, 0, 0, 1]
        do {
            let file = try FileDescriptor.open(copy, .readWrite, options: [.closeOnExec])
            defer {
                // Nothing is buffered in a descriptor: closing cannot lose what was written.
                try? file.close()
            }
            for offset in [24, 40, 92, 96] as [Int64] {
                let written = try file.writeAll(toAbsoluteOffset: offset, one)
                guard written == one.count else { throw Errno.ioError }
            }
        } catch {
            throw SQLiteFailure("normalise", copy, .other, "\(error)")
        }
    }
}
