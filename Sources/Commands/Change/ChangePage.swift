internal import Canary
internal import Capture
internal import Cryptography
internal import Drivers
internal import Git
internal import GitStore
internal import Judge
internal import Sealing
internal import SnapshotModel

/// A proposed change and what it would do, for people and programs.
struct ChangePage {
    struct Document: Encodable {
        struct Archive: Encodable {
            var name: String
            var bytes: Int
            var sha256: String
        }

        var name: String
        var commit: String
        var tree: String
        var component: String
        var author: String
        var time: String
        var description: String
        var snapshot: String
        var changes: [Change]
        var removes: [String]
        var archives: [Archive]
        var notes: [String]
    }

    let document: Document

    init(
        _ proposal: Proposal, _ stored: StoredSnapshot, _ session: Session, _ store: SnapshotStore,
        _ reader: ObjectReader, _ identities: [Identity]?
    ) throws {
        let component = proposal.contents.change.component
        let capture = SystemCapture(session.system, store: store, identities: identities)
        guard let driver = session.system.driver(of: component),
            let source = capture.state(component, of: stored, reader)?.source
        else {
            throw CommandFailure(
                .refused, "the snapshot \(stored.reference.id) has no component '\(component)'",
                hint: "choose another with --snapshot")
        }
        let inventory = try ChangedInventory(
            proposal.contents, in: source, driver, rules: session.system.options.rules[component] ?? [])
        document = Document(
            name: proposal.name, commit: proposal.commit.description, tree: proposal.tree.description,
            component: component, author: proposal.author,
            time: CivilTime(seconds: proposal.time).iso8601, description: proposal.subject,
            snapshot: stored.reference.id.description, changes: inventory.changes,
            removes: proposal.contents.removals.map { "\($0.kind):\($0.name)" },
            archives: proposal.contents.archives.sorted { $0.key < $1.key }.map { name, contents in
                .init(name: name, bytes: contents.count, sha256: hex(SHA256.digest(contents)))
            }, notes: inventory.notes)
    }

    /// The page for people; texts are cut after so many lines.
    func text(textLines: Int) -> String {
        var lines = [
            "change \(printable(document.name.utf8)): \(printable(document.description.utf8))",
            "  by \(printable(document.author.utf8)), \(document.time), tree \(document.tree)",
            "against snapshot \(document.snapshot)",
        ]
        lines +=
            document.changes.isEmpty
            ? ["  nothing would change"] : changeDetails(document.changes, textLines: textLines)
        lines += document.removes.map { "  removes on purpose: \(printable($0.utf8))" }
        lines += document.archives.map {
            "  brings \(printable($0.name.utf8)), \(shown(bytes: Int64($0.bytes))), SHA-256 \($0.sha256)"
        }
        lines += document.notes.map { "  note: \(printable($0.utf8))" }
        lines.append("'understudy canary --change \(printable(document.name.utf8))' rehearses it")
        return lines.joined(separator: "\n")
    }
}
