/// Why a text is not YAML.
package struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where.
    package var position: Position
    /// What is wrong, in libyaml's words.
    package var reason: String

    /// A failure.
    package init(_ reason: String, at position: Position) {
        self.position = position
        self.reason = reason
    }

    /// One line: where, and what.
    package var description: String { "\(position): \(reason)" }
}
