internal import Capture
package import Git
package import GitStore
package import Restore
internal import SnapshotModel

/// A proposed change as the store keeps it.
package struct Proposal: Sendable {
    /// Its name.
    package var name: String
    /// The commit.
    package var commit: ObjectID
    /// Who proposed it: `Name <address>`.
    package var author: String
    /// When, in seconds since 1970.
    package var time: Int64
    /// One line that says what it is for.
    package var subject: String
    /// What it changes.
    package var contents: ChangeContents
    /// The id of its tree, which a verdict is bound to.
    package var tree: ObjectID
}

/// The changes that were proposed for a system: made here, or pushed with stock git.
package struct Proposals {
    private let origin: OpenedStore
    private var system: DeliverySystem { origin.system }
    private var store: SnapshotStore { origin.store }

    /// The changes of a store's system.
    package init(_ origin: OpenedStore) {
        self.origin = origin
    }

    /// The names and commits, sorted by name.
    package func all() throws -> [ChangeReference] { try store.changes(of: system.name) }

    /// Which change a name means.
    ///
    /// Throws a ``CanaryFailure`` when there is none of that name.
    package func find(_ name: String) throws -> ChangeReference {
        let all = try all()
        guard let found = all.first(where: { $0.name == name }) else {
            throw CanaryFailure(
                .refused, "there is no change '\(printable(name.utf8))'",
                hint: all.isEmpty
                    ? "'understudy change new' makes one"
                    : "there are \(all.prefix(5).map(\.name).joined(separator: ", "))")
        }
        return found
    }

    /// Reads a change.
    ///
    /// Throws a ``CanaryFailure`` that says what is wrong with it, or a failure with the place in its `change.yaml`.
    package func read(_ reference: ChangeReference) throws -> Proposal {
        let commit = try store.commit(reference.commit, with: origin.reader)
        let reading = ChangeReading(
            origin: origin, what: "the change \(printable(reference.name.utf8))")
        let contents: ChangeContents
        if let tip = try store.reference("refs/heads/\(system.name)"), let base = try base(of: reference, tip)
        {
            contents = try BranchChange(
                reading: reading, tree: commit.tree, base: store.commit(base, with: origin.reader).tree,
                newest: store.commit(tip, with: origin.reader).tree
            ).contents()
        } else {
            contents = try reading.contents(of: commit.tree)
        }
        return Proposal(
            name: reference.name, commit: reference.commit, author: commit.author, time: commit.time,
            // Whoever pushed it may have put anything there, and it is printed in many places.
            subject: printable(commit.subject.utf8), contents: contents, tree: try contents.tree)
    }

    /// The commit of the history that a branch was made on; nil when it stands for itself.
    private func base(of reference: ChangeReference, _ tip: ObjectID) throws -> ObjectID? {
        let line = try store.chain(reference.commit, downTo: nil)
        guard line.count > 1 else { return nil }
        let history = Set(try store.chain(tip, downTo: nil))
        return line.first { history.contains($0) }
    }

    /// Keeps a change under a name, durably; said again with the same contents, it is the one that is there.
    ///
    /// Throws a ``CanaryFailure`` for a name that cannot be one, and when another change has it.
    package func add(
        _ name: String, _ contents: ChangeContents, sealing: ChangeSealing?, message: String,
        author: String, time: Int64, holding lock: WriterLock
    ) throws -> Proposal {
        guard Self.isName(name) else {
            throw CanaryFailure(
                .refused, "a change cannot be called '\(printable(name.utf8))'",
                hint: "use letters, digits, '-', '_' and '.', such as grid-view-4.3.1")
        }
        if let there = try all().first(where: { $0.name == name || $0.name.hasPrefix(name + "/") }) {
            let commit = try store.commit(there.commit, with: origin.reader)
            if there.name == name,
                try commit.tree == contents.write(to: Rehearsal(nil).makeLane(), sealing)
            {
                return Proposal(
                    name: name, commit: there.commit, author: commit.author, time: commit.time,
                    subject: printable(commit.subject.utf8), contents: contents, tree: try contents.tree)
            }
            throw CanaryFailure(
                .refused, "there is another change '\(there.name)'",
                hint: "choose another name, or forget that one with 'understudy change drop \(there.name)'")
        }
        let reference = try store.addChange(
            name, system: system.name, message: message, author: author, time: time, holding: lock
        ) { try contents.write(to: $0, sealing) }
        return Proposal(
            name: name, commit: reference.commit, author: author, time: time, subject: message,
            contents: contents, tree: try contents.tree)
    }

    /// Whether a name can be part of a reference's, in every version of git.
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else {
            return false
        }
        return name.utf8.count <= 100 && !name.hasSuffix(".") && !name.hasSuffix(".lock")
            && !name.contains("..")
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
            }
    }
}
