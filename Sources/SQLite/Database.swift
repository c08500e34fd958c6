internal import Csqlite3
package import FileTree
package import SystemPackage

/// An open SQLite database.
///
/// Closing it is the end of the value; the last connection to a database in WAL mode moves what is in the log into the
/// file and removes the log, as SQLite does for everyone.
@safe package struct Database: ~Copyable {
    /// What may be done with it.
    package enum Access: Sendable {
        /// Only questions; the file must be there.
        ///
        /// Where the file may be written it is opened so, because only then the last connection leaves no log behind.
        case reading
        /// Questions and changes; the file must be there.
        case writing
    }

    /// One value of a row, as text; nil for NULL.
    package typealias Value = String?

    /// The file.
    package let path: FilePath
    let handle: OpaquePointer

    /// Opens a database; other connections may hold it for `patience` before a call fails as busy.
    ///
    /// Not where a link or anything else that is no file stands beside it under the name of its log or journal: SQLite follows
    /// it, and for root gives what it leads to to the owner of the database (`robustFchown` in os_unix.c).
    package init(_ path: FilePath, _ access: Access, patience: Duration = .seconds(5)) throws(SQLiteFailure) {
        try refuseStrangers(beside: path)
        let opened = try unsafe open(path, patience: patience)
        self.path = path
        unsafe handle = opened
        if access == .reading { unsafe sqlite3_exec(handle, "PRAGMA query_only = 1", nil, nil, nil) }
    }

    /// Whether what comes next in a file is how SQLite's begin; no more is read, for a database may be large.
    ///
    /// Throws a `FileFailure` when it cannot be read.
    package static func begins(_ file: borrowing OpenFile) throws -> Bool {
        let mark = Array("SQLite format 3\0".utf8)
        var start = [UInt8](repeating: 0, count: mark.count)
        let count = try unsafe start.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
        return start.prefix(count) == mark[...]
    }

    deinit {
        unsafe sqlite3_close_v2(handle)
    }

    /// Runs statements that return nothing of interest.
    package borrowing func execute(_ sql: String) throws(SQLiteFailure) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure("change", code) }
    }

    /// Runs one statement with its values and gives all rows, each with its columns as text.
    @discardableResult
    package borrowing func rows(_ sql: String, _ values: [Value] = []) throws(SQLiteFailure) -> [[Value]] {
        var prepared: OpaquePointer?
        var code = unsafe sqlite3_prepare_v2(handle, sql, -1, &prepared, nil)
        guard code == SQLITE_OK, let statement = unsafe prepared else { throw failure("ask", code) }
        defer { unsafe sqlite3_finalize(statement) }
        for (index, value) in values.enumerated() {
            let place = Int32(index + 1)
            code =
                if let value {
                    unsafe csqlite3_bind_text(statement, place, value, Int32(value.utf8.count))
                } else {
                    unsafe sqlite3_bind_null(statement, place)
                }
            guard code == SQLITE_OK else { throw failure("ask", code) }
        }
        var rows: [[Value]] = []
        while true {
            code = unsafe sqlite3_step(statement)
            if code == SQLITE_DONE { return rows }
            guard code == SQLITE_ROW else { throw failure("ask", code) }
            let count = unsafe sqlite3_column_count(statement)
            rows.append((0..<count).map { unsafe text(statement, $0) })
        }
    }

    /// Whether there is a table of this name.
    package borrowing func hasTable(_ name: String) throws(SQLiteFailure) -> Bool {
        try !rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [name]).isEmpty
    }

    /// The names of a table's columns, empty when there is no such table.
    package borrowing func columns(of table: String) throws(SQLiteFailure) -> [String] {
        try rows("SELECT name FROM pragma_table_info(?)", [table]).compactMap { $0[0] }
    }

    borrowing func failure(_ operation: String, _ code: Int32) -> SQLiteFailure {
        unsafe SQLiteFailure(
            operation, path, code: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// Throws when SQLite would open something beside a database that is none of its files.
private func refuseStrangers(beside path: FilePath) throws(SQLiteFailure) {
    var strangers: [String] = []
    do throws(FileFailure) {
        // It looks beside what a link leads to.
        let file = try Files.resolved(path).byteArray
        for suffix in ["-journal", "-wal", "-shm"] {
            let beside = FilePath(bytes: file + suffix.utf8)
            guard let kind = try Files.status(beside)?.kind, kind != .file else { continue }
            strangers.append("\(beside) is a \(kind), and no file of SQLite's")
        }
    } catch {
        throw SQLiteFailure("open", path, .cannotOpen, "\(error)")
    }
    if let stranger = strangers.first { throw SQLiteFailure("open", path, .cannotOpen, stranger) }
}

/// A connection to a file that is there; the handle is the caller's to close.
private func open(_ path: FilePath, patience: Duration) throws(SQLiteFailure) -> OpaquePointer {
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    var opened: OpaquePointer?
    let code = unsafe path.withPlatformString { unsafe sqlite3_open_v2($0, &opened, flags, nil) }
    guard code == SQLITE_OK, let opened = unsafe opened else {
        let message = unsafe opened.map { unsafe String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
        unsafe sqlite3_close_v2(opened)
        throw SQLiteFailure("open", path, code: code, message: message)
    }
    let limit = patience.components
    let milliseconds = limit.seconds * 1000 + limit.attoseconds / 1_000_000_000_000_000
    unsafe sqlite3_busy_timeout(opened, Int32(clamping: milliseconds))
    return unsafe opened
}

/// A column of the current row as text; bytes that are no UTF-8 become U+FFFD.
private func text(_ statement: OpaquePointer, _ column: Int32) -> String? {
    guard let start = unsafe sqlite3_column_text(statement, column) else { return nil }
    let count = unsafe Int(sqlite3_column_bytes(statement, column))
    return unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
}
