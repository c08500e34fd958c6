/// A place in a text file, both numbers counted from 1; a column counts Unicode scalars.
package struct Position: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The line.
    package var line: Int
    /// The column.
    package var column: Int

    /// A place.
    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// The place behind `text`, where the text begins at the first line and column.
    package init(after text: some StringProtocol) {
        let lastLine = text.unicodeScalars.reversed().prefix { $0 != "\n" }
        line = text.unicodeScalars.count { $0 == "\n" } + 1
        column = lastLine.count + 1
    }

    /// Line and column: `3:14`.
    package var description: String { "\(line):\(column)" }

    /// Orders by place.
    package static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}
