/// The value of one setting of a component in the system file.
package enum SettingValue: Hashable, Sendable {
    /// A text, a number or a path.
    case text(String)
    /// A list of texts.
    case list([String])
    /// Named texts.
    case map([String: String])
}

/// One setting that a driver understands.
package struct SettingKey: Hashable, Sendable {
    /// What a value must be.
    package enum Shape: String, Hashable, Sendable {
        /// One line of text.
        case text
        /// What a shell runs, in one line.
        case command
        /// An absolute path.
        case path
        /// A list of absolute paths.
        case paths
        /// A list of texts of one line.
        case texts
        /// `http://…` or `https://…`.
        case url
        /// `postgresql://…`, without a password.
        case database
        /// `{systemd: UNIT}`, or `{start: COMMAND, stop: COMMAND}`.
        case service
    }

    /// The key in the system file.
    package var name: String
    /// What its value must be.
    package var shape: Shape
    /// Whether the driver cannot do without it.
    package var isRequired: Bool
    /// One line for people.
    package var help: String

    /// A setting.
    package init(_ name: String, _ shape: Shape, required: Bool = false, help: String) {
        self.name = name
        self.shape = shape
        isRequired = required
        self.help = help
    }
}

/// One part of a delivery system, as the system file describes it.
package struct Component: Hashable, Sendable {
    /// Its name, unique in the system.
    package var name: String
    /// The kind of driver.
    package var driver: String
    /// The driver's settings, already checked against its ``SettingKey`` list.
    package var settings: [String: SettingValue]
    /// Components that must be up before this one starts.
    package var after: [String]

    /// A component.
    package init(name: String, driver: String, settings: [String: SettingValue], after: [String] = []) {
        self.name = name
        self.driver = driver
        self.settings = settings
        self.after = after
    }

    /// The text of a setting, nil when it is not given.
    package func text(_ key: String) -> String? {
        guard case .text(let value)? = settings[key] else { return nil }
        return value
    }

    /// The texts of a list setting, empty when it is not given.
    package func list(_ key: String) -> [String] {
        guard case .list(let values)? = settings[key] else { return [] }
        return values
    }

    /// The named texts of a setting, empty when it is not given.
    package func map(_ key: String) -> [String: String] {
        guard case .map(let values)? = settings[key] else { return [:] }
        return values
    }
}

/// Whether a text can name a system or a component: it begins with a letter or digit and goes on with those, `.`, `_`
/// and `-`; all small, because names become references and directories.
package func isName(_ text: String) -> Bool {
    func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard let first = text.utf8.first, isLetterOrDigit(first), text.utf8.count <= 100 else { return false }
    // Git takes no reference with these.
    guard !text.contains(".."), !text.hasSuffix("."), !text.hasSuffix(".lock") else { return false }
    return text.utf8.allSatisfy { isLetterOrDigit($0) || ".-_".utf8.contains($0) }
}
