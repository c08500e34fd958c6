/// What one plugin needs of another, as a manifest spells it: `id:version`, with `;resolution:=optional` when it can do
/// without.
package struct PluginDependency: Hashable, Sendable, CustomStringConvertible {
    /// The other plugin, untrimmed: after a comma and a space the id begins with that space.
    package var id: String
    /// The oldest version that will do.
    ///
    /// Where the dependency is mandatory, directives are part of it, as Jenkins takes them: `1.0;foo:=bar`.
    package var version: String
    /// Whether the plugin loads without the other one; if that is there, its version counts nevertheless.
    package var isOptional: Bool

    /// A part of `Plugin-Dependencies` without a colon.
    package struct Malformed: Error, Hashable, Sendable {
        /// The part.
        package var text: String
    }

    /// A dependency.
    package init(_ id: String, _ version: String, isOptional: Bool = false) {
        self.id = id
        self.version = version
        self.isOptional = isOptional
    }

    /// Reads one part of `Plugin-Dependencies`.
    package init(_ text: String) throws(Malformed) {
        guard let colon = text.firstIndex(of: ":") else { throw Malformed(text: text) }
        id = String(text[..<colon])
        version = String(text[text.index(after: colon)...])
        let parts = version.split(separator: ";", omittingEmptySubsequences: false)
        isOptional = parts.dropFirst().contains { part in
            let directive = part.drop { $0.unicodeScalars.allSatisfy { $0.value <= 0x20 } }
            let end = directive.lastIndex { !$0.unicodeScalars.allSatisfy { $0.value <= 0x20 } }
            return end.map { directive[...$0].lowercased() == "resolution:=optional" } ?? false
        }
        if isOptional { version = String(parts[0]) }
    }

    /// `git ≥ 5.2.1`, `junit ≥ 1.0 (optional)`.
    package var description: String { "\(id) ≥ \(version)\(isOptional ? " (optional)" : "")" }
}
