/// Why a text is not YAML.
package struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line, counted from 1.
    package var line: Int
    /// The column in Unicode scalars, counted from 1.
    package var column: Int
    /// What is wrong, in libyaml's words.
    package var reason: String

    /// A failure.
    package init(line: Int, column: Int, _ reason: String) {
        self.line = line
        self.column = column
        self.reason = reason
    }

    /// One line: where, and what.
    package var description: String { "line \(line), column \(column): \(reason)" }
}
