/// Why a document could not be read.
package struct XMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Kind: Hashable, Sendable {
        /// It is not XML, or is cut off.
        case malformed
        /// It is larger or deeper than the reader's limits.
        case tooLarge
        /// It declares entities, which no configuration needs and attacks are made of.
        case entities
    }

    /// What kind of failure it is.
    package var kind: Kind
    /// The line, counted from 1.
    package var line: Int
    /// The column, counted from 1.
    package var column: Int
    /// What is wrong, in one phrase.
    package var reason: String

    /// A failure.
    package init(_ kind: Kind, line: Int, column: Int, _ reason: String) {
        self.kind = kind
        self.line = line
        self.column = column
        self.reason = reason
    }

    /// One line: where, and what.
    package var description: String { "line \(line), column \(column): \(reason)" }
}
