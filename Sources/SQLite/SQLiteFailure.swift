internal import Csqlite3
package import SystemPackage

/// SQLite could not do what was asked of it.
package struct SQLiteFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is, as far as anyone acts on it.
    package enum Reason: Hashable, Sendable {
        /// Another connection held the database for longer than the time limit.
        case busy
        /// The file is not a database, or it is damaged.
        case damaged
        /// The file is not there, or may not be opened.
        case cannotOpen
        /// The file system is full.
        case full
        /// Anything else: the message says what.
        case other
    }

    /// What was being done.
    package var operation: String
    /// The database's file.
    package var path: FilePath
    /// What kind of failure it is.
    package var reason: Reason
    /// SQLite's own words, or ours where it has none.
    package var message: String

    /// A failure.
    package init(_ operation: String, _ path: FilePath, _ reason: Reason, _ message: String) {
        self.operation = operation
        self.path = path
        self.reason = reason
        self.message = message
    }

    /// A failure from SQLite's result code.
    init(_ operation: String, _ path: FilePath, code: Int32, message: String) {
        let reason: Reason =
            switch code & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
            case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH: .cannotOpen
            case SQLITE_FULL: .full
            default: .other
            }
        self.init(operation, path, reason, "\(message) (SQLite result \(code))")
    }

    /// One line: what failed, where, and why.
    package var description: String {
        "cannot \(operation) the database \(path): \(message)"
    }
}
