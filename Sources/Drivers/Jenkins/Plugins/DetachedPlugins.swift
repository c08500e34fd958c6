/// What was once part of the core and is a plugin now: who was built before that gets it as a dependency.
///
/// The tables differ from core to core (`/jenkins/split-plugins.txt` and `split-plugin-cycles.txt` in the core's jar), so
/// they are read from the war at hand and never built in.
package struct DetachedPlugins: Hashable, Sendable {
    /// A row of the first table.
    package struct Row: Hashable, Sendable {
        /// The plugin.
        package var id: String
        /// The last core that still had it.
        package var lastCore: String
        /// The version that is implied, and the least that a core accepts.
        package var version: String

        /// Whether it was part of a core; of one that nobody knows, yes.
        func isPart(of core: String?) -> Bool {
            guard let core, core != "null" else { return true }
            return VersionNumber(core).compared(to: splitWhen) <= 0
        }

        var splitWhen: VersionNumber { VersionNumber("\(lastCore).*") }
    }

    /// A line that is no row.
    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        /// The line.
        package var line: String

        /// One line.
        package var description: String { "'\(line)' is no row of split-plugins.txt" }
    }

    /// The rows in their order.
    package var rows: [Row]
    /// Pairs that are left out, `plugin dependency`, because they would make circles.
    package var exceptions: Set<String>

    /// The tables as text; throws a ``Malformed`` for a row without three words.
    package init(table: String, exceptions: String) throws(Malformed) {
        rows = []
        for line in Self.lines(table) {
            let words = line.split(separator: " ")
            guard words.count >= 3 else { throw Malformed(line: line) }
            rows.append(Row(id: String(words[0]), lastCore: String(words[1]), version: String(words[2])))
        }
        self.exceptions = Set(Self.lines(exceptions))
    }

    /// Nothing was ever split off.
    package init() {
        rows = []
        exceptions = []
    }

    /// The dependencies that a plugin has without saying so, because of the core it was built for.
    package func implied(for id: String, builtFor core: String?) -> [PluginDependency] {
        rows.filter { $0.id != id && !exceptions.contains("\(id) \($0.id)") && $0.isPart(of: core) }
            .map { PluginDependency($0.id, $0.version, isOptional: true) }
    }

    private static func lines(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map(String.init).filter {
            !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace)
        }
    }
}
