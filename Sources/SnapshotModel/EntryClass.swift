/// What an entry is to the people who run the system: it decides where the entry is kept, and for how long.
package enum EntryClass: String, CaseIterable, Codable, Sendable {
    /// What people write and read; kept in history for ever.
    case config
    /// Installed code: plugin archives, wheels, the core.
    case plugin
    /// What opens something; in history only when it is sealed.
    case secret
    /// Small, and needed to run right: build numbers, build records.
    case state
    /// Large, and useful: logs, archived artifacts.
    case bulk
    /// A database, captured by its own interface.
    case database
    /// A source repository.
    case source
    /// Can be made again from the rest; never captured.
    case derived

    /// Whether the history branch carries the entry, beside the snapshot.
    package var isHistory: Bool { self == .config }

    /// Whether the store holds the contents sealed, when the system has recipients.
    package var isSealed: Bool { self == .secret || self == .database }

    /// The mode of a file that is new with a change, which holds contents and no mode.
    package var modeOfNewFile: UInt16 { isSealed ? 0o600 : 0o644 }
}
