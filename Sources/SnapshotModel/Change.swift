/// A difference between two states of a system, in the words of its users.
package struct Change: Hashable, Codable, Sendable {
    /// How it changed.
    package enum Kind: String, Codable, Sendable {
        case added, removed, changed, renamed, upgraded, downgraded
    }

    /// One thing inside an item that changed: a trigger, a step, a line of a script.
    package struct Part: Hashable, Codable, Sendable {
        /// How it changed.
        package enum Kind: String, Codable, Sendable {
            case added, removed, changed, reordered
        }

        /// What it is: `trigger`, `parameter`, `step`, `script`, `right`.
        package var aspect: String
        /// Its name, empty where there is one only.
        package var name: String
        /// How it changed.
        package var change: Kind
        /// One line: `H 2 * * * → H 3 * * *`; empty where it is not to be shown, or too long for a line.
        package var detail: String
        /// A longer text, line by line as `diff -u` has it.
        package var lines: [String]

        /// A part.
        package init(aspect: String, name: String, change: Kind, detail: String = "", lines: [String] = []) {
            self.aspect = aspect
            self.name = name
            self.change = change
            self.detail = detail
            self.lines = lines
        }
    }

    /// The component.
    package var component: String
    /// What it is: `job`, `plugin`, `file`.
    package var kind: String
    /// Its name.
    package var name: String
    /// How it changed.
    package var change: Kind
    /// What changed in it, in short: `5.2.1 → 5.5.2`, `script, 2 triggers`.
    package var detail: String
    /// The name before, where it was renamed.
    package var was: String?
    /// The version before and the version after, where it has versions.
    package var versions: [String]?
    /// What changed inside, where that can be told.
    package var parts: [Part]?
    /// What is known to be wrong with the new version, or was with the old one; nil where nobody was asked.
    package var advisories: [String]?

    /// A change.
    package init(component: String, kind: String, name: String, change: Kind, detail: String = "") {
        self.component = component
        self.kind = kind
        self.name = name
        self.change = change
        self.detail = detail
    }
}
