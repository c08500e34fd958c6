internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Show who can open what is sealed, and change it.",
        discussion: """
            Secrets and databases are sealed with age to the recipients of the system file. A change takes effect \
            with the next snapshot: what was sealed before stays open to whoever could open it.

            EXAMPLE
              understudy key list
              understudy key check --identity /media/usb/recovery.key

            EXIT STATUS
              0   done
              1   failed
              7   refused: nobody could open anything, or the file must be edited by hand
              10  there is no store
              12  no key fits
              64  wrong usage, or a mistake in the system file
            """,
        subcommands: [
            KeyList.self, KeyAdd.self, KeyRemove.self, KeyRotate.self, KeyCheck.self,
        ])
}

/// A change of the recipients in the system file.
struct RecipientsEdit: Encodable {
    /// The system file.
    var file: String
    /// Who can open what is sealed from now on, but for a key that is only going to be made.
    var recipients: [String]
    /// Who was added, but for a key that is only going to be made.
    var added: [String]
    /// Who was taken off.
    var removed: [String]
    /// Whether the edit is only shown.
    var dryRun: Bool

    private let text: String
    private let generated: GeneratedKey?

    private enum CodingKeys: CodingKey {
        case file, recipients, added, removed, dryRun
    }

    /// Works the edit out, and refuses one after which nobody could open anything, or that cannot be written.
    ///
    /// `generated` is one of `recipients` that nobody has yet: it is named once ``apply(_:)`` has written its file, and not
    /// before.
    init(
        _ session: Session, recipients: [Recipient], generated: GeneratedKey? = nil, dryRun: Bool
    ) throws {
        let old = session.description.recipients
        if let generated { try refuseCaptured(generated.file, by: session.system.components) }
        guard !recipients.isEmpty else {
            throw CommandFailure(
                .refused, "nobody would be left who can open what is sealed",
                hint: "add another recipient first, or use 'understudy key rotate'")
        }
        file = session.file.string
        self.generated = generated
        let named = recipients.filter { !dryRun || $0 != generated?.identity.recipient }
        self.recipients = named.map(\.description)
        added = named.filter { !old.contains($0) }.map(\.description)
        removed = old.filter { !recipients.contains($0) }.map(\.description)
        self.dryRun = dryRun
        guard let text = SystemDescription.text(session.description.text, with: recipients),
            // An edit that cannot be read back is refused like one that says something else.
            let read = try? SystemFile.parse(
                text, path: session.file,
                directory: try Files.resolved(
                    session.file.removingLastComponent().isEmpty ? "." : session.file.removingLastComponent())
            ),
            read == session.description.replacing(recipients: recipients, text: text)
        else {
            throw CommandFailure(
                .refused,
                "the list of recipients in \(session.file) cannot be changed without touching other lines",
                hint: generated == nil
                    ? "edit it by hand: recipients: [\(recipients.map(\.description).joined(separator: ", "))]"
                    : "no key was made; let 'system:', 'store:' and 'recipients:' each begin a line, and below the last "
                        + "write a line '  - age1…' for each key that is there already, then try again",
                path: session.file.string)
        }
        self.text = text
    }

    /// Writes the key that is generated, and then the system file; the next snapshot finds out what it means.
    func apply(_ session: Session) throws {
        guard !dryRun else { return }
        if let generated {
            try writeRecoveryKey(
                generated.identity, to: generated.file, time: CivilTime(seconds: Clock.now.seconds).iso8601)
        }
        guard !isUnchanged else { return }
        do {
            let file = try Files.resolved(session.file)
            let status = try Files.status(file)
            // It stays whose it was, who may be the only one to read it.
            let owner = Accounts.ownNumbers.user == 0 ? status.map { (user: $0.owner, group: $0.group) } : nil
            try Files.replace(file, with: Array(text.utf8), mode: status?.mode ?? 0o644, owner: owner)
        } catch {
            guard let generated else { throw error }
            let failure = CommandFailure(error)
            throw CommandFailure(
                failure.status, "\(failure.message); \(fate(of: generated, session))", hint: failure.hint,
                path: failure.path)
        }
    }

    /// Takes a key that was made away again where the system file does not name it, and says what became of it.
    private func fate(of generated: GeneratedKey, _ session: Session) -> String {
        // The file may have been replaced, and only its directory not been synced: then this key opens what comes.
        guard (try? Files.read(session.file)) == Array(session.description.text.utf8) else {
            return "\(generated.file) has the new key: keep it where the system file names it"
        }
        do {
            try Files.remove(generated.file)
            return "no key was made"
        } catch {
            return "\(generated.file) has a new key that nothing is sealed to: remove it (\(error))"
        }
    }

    /// Whether the system file names these recipients already.
    private var isUnchanged: Bool { generated == nil && added.isEmpty && removed.isEmpty }

    /// For people.
    var words: String {
        guard !isUnchanged else {
            return "\(file) names it already: nothing \(dryRun ? "to write" : "was written")"
        }
        let verb = dryRun ? "would write" : "wrote"
        let new =
            dryRun ? generated.map { ["a new key, of which \($0.file) gets the secret half"] } ?? [] : []
        let count = recipients.count + new.count
        return
            (["\(verb) \(file)"] + (added + new).map { "  + \($0)" } + removed.map { "  - \($0)" }
            + ["  the next snapshot is sealed to \(count == 1 ? "it" : "these \(count)")"]
            + (removed.isEmpty
                ? [] : ["  what was sealed before can still be opened with the removed keys"]))
            .joined(separator: "\n")
    }
}

/// A key that is made for an edit, and the file that gets its secret half.
struct GeneratedKey {
    /// The key.
    let identity = Identity()
    /// Its file.
    var file: FilePath
}

extension SystemDescription {
    fileprivate func replacing(recipients: [Recipient], text: String) -> SystemDescription {
        var description = self
        description.recipients = recipients
        description.text = text
        return description
    }
}

/// The recipient that an argument spells.
func recipient(_ text: String) throws -> Recipient {
    guard !holdsSecretKey(text) else {
        throw CommandFailure(
            .usage,
            "a secret key was given instead of a public one: other users may have seen it in the process list",
            hint: "make another key, and give its public half, age1…")
    }
    guard let recipient = Recipient(text) else {
        throw CommandFailure(
            .usage, "'\(text)' is not a public recovery key",
            hint: "a key begins with age1 and has 62 characters; 'age-keygen -y FILE' prints it")
    }
    return recipient
}

/// Refuses a place for a recovery key in what is captured: it would lie sealed to itself, or in clear, and nowhere else when
/// that is lost.
func refuseCaptured(
    _ key: FilePath, by components: [(component: Component, driver: any Driver)]
) throws {
    let path = try absolute(key)
    var parent = path.removingLastComponent()
    // A link may lead there.
    if try Files.exists(parent) { parent = try Files.resolved(parent) }
    for (component, driver) in components {
        let places = driver.places().map { FilePath($0.path).lexicallyNormalized() }
        for place in places + places.compactMap({ try? Files.resolved($0) })
        where path.starts(with: place) || parent.starts(with: place) {
            throw CommandFailure(
                .usage,
                "the recovery key would be written to \(path), which component '\(component.name)' captures",
                hint: "name a file on a medium that leaves this host", path: path.string)
        }
    }
}

/// Writes a new recovery key to a file that is not there yet, readable by its owner alone.
func writeRecoveryKey(_ identity: Identity, to path: FilePath, time: String) throws {
    guard try !Files.exists(path) else {
        throw CommandFailure(
            .failed, "\(path) exists already", hint: "name a file that is not there yet", path: path.string)
    }
    try Files.replace(path, with: Array(IdentityFile.text(identity, created: time).utf8), mode: 0o600)
}
