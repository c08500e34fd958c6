internal import Drivers
package import Git
package import GitStore
package import Sealing
package import SnapshotModel

/// The life of one item through the history of a store, across its names.
package struct ItemLife: Sendable {
    /// One event.
    package struct Event: Sendable, Encodable {
        /// When, in seconds since 1970: when a snapshot saw it, or when the tool says that it was done.
        package var time: Int64
        /// The component.
        package var component: String
        /// The name that it had then.
        package var name: String
        /// What happened, as a snapshot saw it; nil for what only the tool wrote down.
        package var change: Change?
        /// The commit of the history, nil as above.
        package var commit: String?
        /// Who took the snapshot, or who did it.
        package var who: String
        /// Why: the message of the snapshot, or the reason that was given to the tool.
        package var why: String
        /// What was done in the tool's words; nil for what a snapshot saw.
        package var deed: String?
    }

    /// The events, newest first.
    package private(set) var events: [Event] = []
    /// The files that may tell more of it, and are sealed to whoever gave no identities.
    package private(set) var sealed: Set<Inventory.Sealed> = []

    private let system: DeliverySystem
    private let store: SnapshotStore
    private let reader: ObjectReader
    private let identities: [Identity]?

    /// Follows an item back through the history of a system.
    ///
    /// `identities` read what is sealed. The store knows a change from when a snapshot saw it; what the tool wrote down itself is read from the newest snapshot.
    package init(
        of kind: String, _ name: String, in system: DeliverySystem, store: SnapshotStore,
        reader: ObjectReader,
        identities: [Identity]?
    ) throws {
        self.system = system
        self.store = store
        self.reader = reader
        self.identities = identities
        var names = [name]
        var next = try store.reference("refs/heads/\(system.name)")
        while let id = next {
            let commit = try store.commit(id, with: reader)
            next = commit.parents.first
            let before = try next.map { try store.commit($0, with: reader).tree }
            for (component, driver) in system.components {
                let (changes, hidden) = try self.changes(
                    of: component.name, driver, from: before, to: commit.tree)
                sealed.formUnion(hidden.filter { $0.kind == kind || $0.others.contains(kind) })
                guard
                    let change = changes.first(where: {
                        $0.kind == kind && ($0.name == names.last || $0.was == names.last)
                    })
                else { continue }
                events.append(
                    Event(
                        time: commit.time, component: component.name, name: change.name,
                        change: change, commit: id.description, who: commit.author,
                        why: commit.subject, deed: nil))
                if change.change == .renamed, change.name == names.last, let was = change.was {
                    names.append(was)
                }
            }
        }
        // A file that is one item lies where that is called so.
        let parts = names.map { Array($0.utf8.split(separator: UInt8(ascii: "/")).last ?? $0.utf8[...]) }
        sealed = sealed.filter { file in
            events.isEmpty || file.kind != kind
                || file.file.components.contains { name in parts.contains { $0.elementsEqual(name) } }
        }
        try addDeeds(of: kind, names)
        // What a snapshot saw is later than what it saw.
        events = events.enumerated().sorted {
            $0.element.time == $1.element.time ? $0.offset < $1.offset : $0.element.time > $1.element.time
        }.map(\.element)
    }

    /// The changes of the inventory between two trees of the history.
    private func changes(
        of component: String, _ driver: any Driver, from old: ObjectID?, to new: ObjectID
    ) throws -> (changes: [Change], sealed: Set<Inventory.Sealed>) {
        let before = try old.flatMap { try state(component, of: $0) }
        let after = try state(component, of: new)
        guard before?.tree != after?.tree else { return ([], []) }
        return try Difference.inventoryChanges(
            from: before, to: after, component: component, driver: driver, tellsAll: true)
    }

    private func state(_ component: String, of tree: ObjectID) throws -> ComponentState? {
        guard let entry = try reader.tree(tree).first(where: { $0.name == Array(component.utf8) }) else {
            return nil
        }
        var captured = CapturedComponent(name: component, driver: "", version: nil, roots: [])
        // History has no snapshot.json that says whether anything is sealed; names say it of each file.
        captured.sealing = .init(recipients: [], key: "", keyDigest: "")
        return ComponentState(captured, tree: entry.id, reader: reader, identities: identities)
    }

    private mutating func addDeeds(of kind: String, _ names: [String]) throws {
        let capture = SystemCapture(system, store: store, identities: identities)
        guard let newest = try capture.lastSnapshot(reader) else { return }
        for (component, driver) in system.components {
            guard let state = capture.state(component.name, of: newest, reader) else { continue }
            var seen: Set<String> = []
            var waiting = names
            while let name = waiting.popLast() {
                guard seen.insert(name).inserted else { continue }
                for deed in try driver.deeds(of: kind, name, in: state.source) {
                    events.append(
                        Event(
                            time: deed.time, component: component.name, name: name, change: nil, commit: nil,
                            who: deed.who, why: deed.why,
                            deed: deed.what + (deed.was.map { ", before \($0)" } ?? "")))
                    if let was = deed.was { waiting.append(was) }
                }
            }
        }
    }
}
