package import SnapshotModel
package import SystemPackage

/// What a system's owners decide about its snapshots: `policies/snapshot.yaml`.
package struct SnapshotPolicy: Hashable, Sendable {
    /// One row that comes before the driver's own classification.
    package struct Rule: Hashable, Sendable {
        /// The keys of a row in the file.
        package enum Key: String, CaseIterable, Sendable {
            case component, path, `class`, note

            /// Whether a row cannot do without it.
            package var isRequired: Bool { self != .note }
        }

        /// The component that it is about.
        package var component: String
        /// The pattern of the paths, below the component's root.
        package var path: String
        /// The class of what matches.
        package var entryClass: EntryClass
        /// Why, for people; empty when nobody said.
        package var note: String

        /// A row.
        package init(component: String, path: String, entryClass: EntryClass, note: String = "") {
            self.component = component
            self.path = path
            self.entryClass = entryClass
            self.note = note
        }
    }

    /// Contents that look like a secret and may be kept in clear.
    package struct Exception: Hashable, Sendable {
        /// The keys of an exception in the file.
        package enum Key: String, CaseIterable, Sendable {
            case component, path, sha256, reason
        }

        /// The component that it is about.
        package var component: String
        /// The root and the path below it, as a snapshot's note spells them.
        package var path: String
        /// SHA-256 of the contents.
        package var digest: [UInt8]
        /// Why, for people.
        package var reason: String

        /// An exception.
        package init(component: String, path: String, digest: [UInt8], reason: String) {
            self.component = component
            self.path = path
            self.digest = digest
            self.reason = reason
        }
    }

    /// What is done when a file holds what looks like a secret, and its class is none.
    package enum Leaks: String, CaseIterable, Sendable {
        /// The file is sealed like a secret.
        case seal
        /// No snapshot is taken.
        case refuse
    }

    /// The keys of the file; each may be left out.
    package enum Key: String, CaseIterable, Sendable {
        case classify, skip, leaks, allowInClear, warnAfter, checkKeyAfter
    }

    /// The classes that may be left out of a snapshot: what a restore can do without.
    package static let skippable: [EntryClass] = [.plugin, .state, .bulk, .source]

    /// The name of the file in the directory of the policies.
    package static let fileName = "snapshot.yaml"

    /// Rows that come before the drivers' own, in order.
    package var classify: [Rule] = []
    /// Classes that are not captured.
    package var skip: Set<EntryClass> = []
    /// What is done about secrets in files of other classes.
    package var leaks = Leaks.seal
    /// What only looks like a secret.
    package var allowInClear: [Exception] = []
    /// How old the last snapshot may be before `status` warns.
    package var warnAfter: Duration = .seconds(26 * 3600)

    /// How old the last check of a recovery key may be before `status` asks for one.
    package var checkKeyAfter: Duration = .seconds(90 * 86400)

    /// The built-in policy.
    package init() {}

    /// The rows of a component, ready for ``Classification/extended(by:)``.
    package func rules(for component: String) -> [Classification.Rule] {
        classify.filter { $0.component == component }.map { Classification.Rule($0.path, $0.entryClass) }
    }

    /// SHA-256 of what may be in clear, by component and path.
    package var allowedInClear: [String: [String: Set<[UInt8]>]] {
        var allowed: [String: [String: Set<[UInt8]>]] = [:]
        for exception in allowInClear {
            allowed[exception.component, default: [:]][exception.path, default: []].insert(exception.digest)
        }
        return allowed
    }

    /// Whether a snapshot holds entries of the class.
    package func captures(_ entryClass: EntryClass) -> Bool {
        entryClass != .derived && !skip.contains(entryClass)
    }
}

extension SnapshotPolicy {
    /// The policy of a system: that in its directory of policies, the built-in one where there is none.
    ///
    /// Throws a ``SystemFileFailure`` when the directory is missing, or when the file has anything wrong with it.
    package static func read(for system: SystemDescription) throws(SystemFileFailure) -> SnapshotPolicy {
        guard let (path, text) = try system.policy(named: fileName) else { return SnapshotPolicy() }
        return try parse(text, path: path, components: system.components.map(\.name))
    }

    /// The policy in a file; rows about other components than `components` are refused, where it is given.
    package static func read(
        _ path: FilePath, components: [String]? = nil
    ) throws(SystemFileFailure) -> SnapshotPolicy {
        try parse(try SystemFile.readText(path), path: path, components: components)
    }

    /// The policy that `text` spells; `path` is the file's name in messages.
    package static func parse(
        _ text: String, path: FilePath, components: [String]? = nil
    ) throws(SystemFileFailure) -> SnapshotPolicy {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        // A file of comments alone decides nothing.
        guard let root else { return SnapshotPolicy() }
        var reader = SnapshotPolicyReader(components: components)
        let policy = reader.policy(of: root)
        return try reader.document.finish(policy, path: path)
    }
}
