package import Drivers
internal import FileTree
package import GitStore
package import SnapshotModel
package import SystemPackage

/// What a restore would do, before it does anything: a value that can be printed.
package struct RestorePlan: Sendable {
    /// What happens to one root.
    package struct RootPlan: Sendable {
        /// The component.
        package var component: String
        /// The root, with the path where it will stand.
        package var root: Root
        /// Entries that are not there now.
        package var create: Int
        /// Entries that are there and differ.
        package var replace: Int
        /// Entries that are there and not in the snapshot.
        package var delete: Int
        /// Entries that are the same.
        package var keep: Int
        /// Bytes of the snapshot's files.
        package var bytes: Int64
        /// Whether something stands at the path now.
        package var isThere: Bool
        /// Whether it is a mount point: what is in it changes places name by name.
        package var isMountPoint = false
        /// The path below the root that is restored alone; nil for all of the root.
        package var only: EntryPath?
        /// What becomes of a path that is restored alone.
        package var single = Single.replace
        /// The packages that come back of a root that is rebuilt, all others staying as they are; empty for all of them.
        package var packages: [String] = []

        /// What becomes of what stands at a path that is restored alone.
        package enum Single: Sendable {
            /// The snapshot's takes its place.
            case replace
            /// It goes away: the snapshot has nothing there.
            case remove
        }

        /// The directory in which what comes is made, on the file system of what it is for.
        package var staging: FilePath {
            let path = FilePath(root.path)
            return isMountPoint ? path : path.removingLastComponent()
        }

        /// What is exchanged: the root, or what lies at ``only`` in it.
        package var target: FilePath { FilePath(root.path).appending(only) }
    }

    /// The snapshot.
    package var snapshot: Snapshot
    /// The components, in the order in which they start.
    package var components: [CapturedComponent]
    /// What happens to each root.
    package var roots: [RootPlan]
    /// What drivers put in place themselves, in words, by component, and whether it takes the place of what is there.
    package var applications: [(component: String, words: [String], replaces: Bool)] = []
    /// Reasons not to go on; empty when there are none.
    package var refusals: [Refusal]
    /// What people should know before: captured files that were unreadable, directories that are rebuilt.
    package var warnings: [String]
    /// Components that will be stopped and started.
    package var restarts: [String]
    /// Components that take single items up while they run.
    package var reloads: [Reload] = []
    /// What components make by themselves from what is exchanged: it is removed with the exchange.
    package var derived: [(component: String, path: FilePath)] = []
    /// Those that restart and are not restored: they need something that is exchanged below them, as a database.
    package var dependents: [String] = []
    /// What the snapshot holds of each root that is not rebuilt, by component and root; not printed.
    package var contents: [String: StoredRoot] = [:]
    /// Who will own what is in each of these roots; not printed.
    package var owners: [String: OwnerMap] = [:]
    /// Users and groups that are called otherwise on this host, by their names in the snapshot.
    package var accounts: [String: String] = [:]
    /// What opens the components that are sealed, by name; not printed.
    package var openings: [String: SealedOpening] = [:]

    /// Entries that are not there now.
    package var create: Int { roots.reduce(0) { $0 + $1.create } }
    /// Entries that differ.
    package var replace: Int { roots.reduce(0) { $0 + $1.replace } }
    /// Entries that go away.
    package var delete: Int { roots.reduce(0) { $0 + $1.delete } }
    /// Entries that stay as they are.
    package var keep: Int { roots.reduce(0) { $0 + $1.keep } }
    /// Bytes that are written.
    package var bytes: Int64 { roots.reduce(0) { $0 + $1.bytes } }
}

extension FilePath {
    /// The path of what is restored alone below this one; this one when all of it is.
    func appending(_ only: EntryPath?) -> FilePath {
        only.map { pushing(FilePath(bytes: $0.bytes)) } ?? self
    }
}

/// A running component that takes exchanged files up without a restart.
package struct Reload: Codable, Hashable, Sendable {
    /// The component.
    package var component: String
    /// What it reads again, in words.
    package var words: String
    /// The same in the driver's words.
    package var targets: [String]
}

/// What somebody asks of a restore.
package struct RestoreRequest: Sendable {
    /// The components; empty for all.
    package var components: Set<String>
    /// A directory to restore into instead of production: `DIR/<component>/<root>`; nothing is stopped or started.
    package var destination: FilePath?
    /// Whether the restored components are started.
    package var starts: Bool
    /// Whether a component that does not start leaves the others up; else the old system comes back.
    package var keepsGoing = false
    /// Whether work that was in flight goes on by itself.
    package var resumesWork: Bool
    /// Whether what a partial snapshot lacks may be missing afterwards.
    package var allowsPartial: Bool
    /// Who asks: `Name <address>`.
    package var author: String
    /// Users and groups that are called otherwise on this host, by their names in the snapshot.
    package var accounts: [String: String]
    /// Whether there is a system file, which `undo` reads; on an empty machine it is written at the end.
    package var hasSystemFile = true
    /// Single items that are restored, and nothing else; empty for whole components.
    package var items: [RestoreItem] = []

    /// The items, before the snapshot that they are of: `job:a, job:b of `; empty for whole components.
    var words: String {
        guard !items.isEmpty else { return "" }
        let more = items.count > 3 ? " and \(items.count - 3) more" : ""
        return items.prefix(3).map(\.description).joined(separator: ", ") + more + " of "
    }

    /// A request.
    package init(
        components: Set<String>, destination: FilePath?, starts: Bool, resumesWork: Bool, allowsPartial: Bool,
        author: String, accounts: [String: String] = [:]
    ) {
        self.accounts = accounts
        self.allowsPartial = allowsPartial
        self.components = components
        self.destination = destination
        self.starts = starts
        self.resumesWork = resumesWork
        self.author = author
    }
}

/// What a restore did.
package struct RestoreReport: Sendable, Encodable {
    /// The kind of evidence.
    package static let kind = "restores"

    /// A step and how long it took.
    package struct Step: Sendable, Encodable {
        /// What was done.
        package var name: String
        /// How long it took, in seconds.
        package var seconds: Double
    }

    /// How many entries.
    package struct Counts: Sendable, Encodable {
        /// Made.
        package var create: Int
        /// Replaced.
        package var replace: Int
        /// Removed.
        package var delete: Int
        /// The same as before.
        package var keep: Int

        /// Counts.
        package init(create: Int, replace: Int, delete: Int, keep: Int) {
            self.create = create
            self.replace = replace
            self.delete = delete
            self.keep = keep
        }
    }

    /// A component that did not start.
    package struct Failure: Sendable, Encodable {
        /// The component.
        package var component: String
        /// Why, and what needs it.
        package var message: String
    }

    /// The snapshot that was restored.
    package var snapshot: SnapshotID
    /// The snapshot of what was there before, nil when nothing was.
    package var safety: SnapshotID?
    /// What the plan said.
    package var plan: Counts
    /// The steps, in order.
    package var steps: [Step]
    /// Changes made to the restored files on purpose.
    package var fixes: [Fix]
    /// The components that were started and found healthy.
    package var started: [String]
    /// The components that did not start, and stay restored; only where the restore was to go on all the same.
    package var failed: [Failure]
    /// The components that need one of those, and were not started.
    package var held: [String]
    /// The components that had nothing that could come back: where there is one, the restore cannot be undone.
    package var wayless: [String]
    /// Whether all of the snapshot stands there now, compared with it and equal, and what runs is healthy.
    package var proven: Bool
    /// Why it is not proven; empty when it is.
    package var doubts: [String]
    /// What people should know.
    package var notes: [String]
    /// How long all of it took, in seconds.
    package var seconds: Double
}

/// A restore, or its undoing, could not be done.
package struct RestoreFailure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure, for the exit status.
    package enum Code: Sendable {
        /// It failed; the message says whether the old system is back.
        case failed
        /// What came out of the store is not what went in.
        case verification
        /// It was refused before anything was touched.
        case refused
    }

    /// What kind of failure.
    package var code: Code
    /// What failed, on which path or item, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ code: Code, _ description: String, hint: String) {
        self.code = code
        self.description = description
        self.hint = hint
    }
}
