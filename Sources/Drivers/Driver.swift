internal import FileTree
package import SnapshotModel
package import SystemPackage

/// What knows one kind of component: what to capture, how to freeze it, how to put it back, start it and probe it.
///
/// A driver never sees the store: it hands out values and files, and is handed directories and ``FileSource``s.
package protocol Driver: Sendable {
    /// The kind, as the system file spells it.
    static var name: String { get }
    /// The settings that it understands.
    static var settings: [SettingKey] { get }
    /// Says what stands at a path, nil when it is nothing of this kind.
    ///
    /// Looks at `path` itself and not below; throws when it cannot look.
    static func detect(_ path: FilePath) throws -> Detection?

    /// A driver for a component whose settings are already checked against ``settings``.
    init(_ component: Component) throws

    /// Where the component's directories and files are, or will be, by its settings alone.
    func places() -> [Root]
    /// The directories and files that the component consists of, as they are now.
    ///
    /// Throws a ``DriverFailure`` when one of the places is not there or is not what the settings say.
    func roots() throws -> [Root]
    /// What keeps places from being captured, each by its root: it is not there, or not what the settings say.
    ///
    /// Roots without one are captured all the same.
    func faults() -> [RootFault]
    /// Where it is, for people, after a look whether that is there; empty where there is nothing to say.
    ///
    /// Throws a ``DriverFailure`` when it is not.
    func whereabouts() async throws -> String
    /// The classes of the paths below a root.
    func classification(of root: String) -> Classification
    /// Files that open what the component holds, wherever they are and whatever they are called: whoever captures one seals it.
    var keyFiles: [FilePath] { get }
    /// The CI tool's version, nil where there is none to say.
    func version() async throws -> String?
    /// Makes consistent copies of what cannot be copied as files.
    ///
    /// `scratch` is an empty directory that goes away after the snapshot; `cache` stays from night to night and may be
    /// emptied at any time.
    func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen
    /// The same component as it is now: what takes a search is looked for once, and not at each question.
    func surveyed() -> Self
    /// Whether there can be repositories in it.
    var mayHaveRepositories: Bool { get }
    /// The git repositories below the roots whose objects are captured as objects and not as files: as they are now, or as the
    /// survey found them.
    func repositories() -> [SourceRepository]
    /// What a captured repository needs of its objects; `source` has the captured files.
    func tips(of repository: SourceRepository, in source: any FileSource) throws -> SourceTips
    /// Writes the locks of what was captured: `plugins.lock` and its like.
    ///
    /// `archives` are the captured files of class `plugin`, with their digests, by root; `previous` reads a lock of the
    /// last snapshot, so that what did not change need not be opened again.
    func locks(archives: [String: [Entry]], previous: [String: [UInt8]]) throws -> [Lock]
    /// What the component holds, in its users' words.
    ///
    /// `source` may be narrowed to what differs between two states: what is not there must not be an error.
    func inventory(of source: any FileSource) throws -> Inventory
    /// Whether version `left` comes before `right`.
    func isOlder(_ left: String, _ right: String) -> Bool
    /// What the tool itself wrote down of the life of an item, in no order; empty where it writes nothing down.
    func deeds(of kind: String, _ name: String, in source: any FileSource) throws -> [Deed]
    /// What an index of the tool's makers says against versions of its plugins.
    ///
    /// Throws when the bytes are no such index.
    func advisories(_ index: [UInt8]) throws -> (_ kind: String, _ name: String, _ version: String) ->
        [String]
    /// What an item of a state consists of, nil when the state holds none of that kind and name.
    ///
    /// `kind` is `job`, `plugin` or `builder`; looks at what is there now as well, and touches nothing.
    func item(_ kind: String, _ name: String, in source: any FileSource) async throws -> SingleItem?

    /// The same component with these roots and no others, by name and place: those of a snapshot, which may have been others
    /// than the settings name today; used to read a staged restore as if it were live.
    func relocated(to roots: [String: FilePath]) -> Self

    /// The same component with its roots called by other names, in the order of ``places()``: those of a snapshot that was
    /// taken when they stood at other places.
    func calling(roots names: [String]) -> Self

    /// Reasons not to restore, found before anything is touched; empty when there are none.
    func preflight(_ source: any FileSource, captured: CapturedComponent) async throws -> [Refusal]
    /// Makes roots of kind ``Root/Kind/rebuilt`` in their staging places.
    func rebuild(_ staged: StagedComponent) async throws
    /// Changes in the staged files that a restored system needs, each said in the report.
    func afterRestore(_ staged: StagedComponent) async throws -> [Fix]
    /// Whether ``afterRestore(_:)`` has to do with a path of a root that is restored alone.
    func looksAfter(_ path: EntryPath, in root: String) -> Bool
    /// How to put back what is no directory; nil when the component is all directories and files.
    var application: (any Application)? { get }
    /// How to start, stop and probe the component; nil for what does not run.
    var lifecycle: (any Lifecycle)? { get }
    /// How single items take effect without a restart; nil for what cannot take them up.
    var reloading: (any Reloading)? { get }
    /// How to rehearse the component in isolation; nil for what cannot be.
    var shadow: (any ShadowDriver)? { get }
    /// The server of this host that can be made of what a snapshot holds of the component; nil for what is no database.
    ///
    /// Throws a ``DriverFailure`` when this host has none that fits.
    func cluster(of captured: CapturedComponent) async throws -> PostgreSQLCluster?
    /// The name of the component's own database, nil for what is none.
    var databaseName: String? { get }
}

extension Driver {
    /// The root and the path below it that `ROOT/PATH` names, nil when it is in no root; of roots in roots it is the inner one.
    package func place(of path: String) -> (root: String, path: String)? {
        let roots = places().map(\.name).sorted { $0.count > $1.count }
        return roots.first { path.hasPrefix($0 + "/") }.map { ($0, String(path.dropFirst($0.count + 1))) }
    }

    /// All of its places, when one of them is not as it should be: it is captured as a whole or not at all.
    package func faults() -> [RootFault] {
        do {
            _ = try roots()
            return []
        } catch {
            return places().map { RootFault($0, error) }
        }
    }
    /// Its places.
    package func whereabouts() async throws -> String { try roots().map(\.path).joined(separator: ", ") }
    /// None that its classes do not tell.
    package var keyFiles: [FilePath] { [] }
    /// Nothing that needs freezing.
    package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen { Frozen() }
    /// No version.
    package func version() async throws -> String? { nil }
    /// Nothing that takes a search.
    package func surveyed() -> Self { self }
    /// None.
    package var mayHaveRepositories: Bool { false }
    /// No repositories.
    package func repositories() -> [SourceRepository] { [] }
    /// No objects.
    package func tips(of repository: SourceRepository, in source: any FileSource) throws -> SourceTips {
        SourceTips()
    }
    /// No locks.
    package func locks(archives: [String: [Entry]], previous: [String: [UInt8]]) throws -> [Lock] { [] }
    /// Nothing that users have names for, beyond files.
    package func inventory(of source: any FileSource) throws -> Inventory { Inventory() }
    /// Compares runs of digits by number and the rest by text.
    package func isOlder(_ left: String, _ right: String) -> Bool { naturallyPrecedes(left, right) }
    /// Nothing written down.
    package func deeds(of kind: String, _ name: String, in source: any FileSource) throws -> [Deed] { [] }
    /// Nobody warns of anything.
    package func advisories(
        _ index: [UInt8]
    ) throws -> (_ kind: String, _ name: String, _ version: String) -> [String] { { _, _, _ in [] } }
    /// No items but files.
    package func item(
        _ kind: String, _ name: String, in source: any FileSource
    ) async throws -> SingleItem? { nil }
    /// Names that do not depend on places.
    package func calling(roots names: [String]) -> Self { self }
    /// Nothing against it.
    package func preflight(_ source: any FileSource, captured: CapturedComponent) async throws -> [Refusal] {
        []
    }
    /// Nothing to rebuild.
    package func rebuild(_ staged: StagedComponent) async throws {}
    /// Nothing to fix.
    package func afterRestore(_ staged: StagedComponent) async throws -> [Fix] { [] }
    /// With a database: of the work in it.
    package func looksAfter(_ path: EntryPath, in root: String) -> Bool {
        classification(of: root).entryClass(of: path, isDirectory: false) == .database
    }
    /// All is directories and files.
    package var application: (any Application)? { nil }
    /// Nothing to start.
    package var lifecycle: (any Lifecycle)? { nil }
    /// Nothing that could be reloaded.
    package var reloading: (any Reloading)? { nil }
    /// Nothing to rehearse.
    package var shadow: (any ShadowDriver)? { nil }
    /// No database.
    package func cluster(of captured: CapturedComponent) async throws -> PostgreSQLCluster? { nil }
    /// No database.
    package var databaseName: String? { nil }
}

/// What a driver found at a path.
package struct Detection: Hashable, Sendable {
    /// A good name for the component.
    package var name: String
    /// The settings that describe it.
    package var settings: [String: SettingValue]
    /// One line for people: `Jenkins 2.462.3, 88 plugins`.
    package var summary: String

    /// A finding.
    package init(name: String, settings: [String: SettingValue], summary: String) {
        self.name = name
        self.settings = settings
        self.summary = summary
    }
}

/// Consistent copies of what cannot be copied as files.
package struct Frozen: Sendable {
    /// Copies that take the place of a file: root name, path below it, and the copy.
    ///
    /// Metadata is taken from the live file, contents and size from the copy, the class is `database`.
    package struct Replacement: Sendable {
        /// The root's name.
        package var root: String
        /// The path below the root.
        package var path: EntryPath
        /// The file that holds the contents.
        package var copy: FilePath

        /// A replacement.
        package init(root: String, path: EntryPath, copy: FilePath) {
            self.root = root
            self.path = path
            self.copy = copy
        }
    }

    /// A file kept beside the roots, in `<component>/<name>`: a wheel, a dump.
    package struct Artifact: Sendable {
        /// Its place below the component: `wheels/twisted-26.10.0-py3-none-any.whl`.
        package var name: String
        /// The file that holds the contents.
        package var file: FilePath

        /// An artifact.
        package init(name: String, file: FilePath) {
            self.name = name
            self.file = file
        }
    }

    /// Copies that take the place of live files.
    package var replacements: [Replacement] = []
    /// Files kept beside the roots.
    package var artifacts: [Artifact] = []
    /// Locks that are known before the files are read.
    package var locks: [Lock] = []
    /// Roots of which it turned out that they cannot be captured.
    package var faults: [RootFault] = []
    /// What could not be frozen, and why: it makes the snapshot partial.
    package var unreadable: [CapturedComponent.Problem] = []
    /// What people should know.
    package var notes: [String] = []
    /// Why a restore of what is captured now would be refused.
    package var obstacles: [String] = []

    /// Nothing frozen.
    package init() {}
}

/// A small text file beside the captured files, read by people and by the next night: sorted, one line each.
package struct Lock: Hashable, Sendable {
    /// Its name below the component: `plugins.lock`.
    package var name: String
    /// Its bytes.
    package var contents: [UInt8]

    /// A lock.
    package init(name: String, contents: [UInt8]) {
        self.name = name
        self.contents = contents
    }
}

/// A state of a component that can be read: a snapshot, or the live system.
package protocol FileSource {
    /// The names in a directory of a root and whether each is a directory, sorted; empty when there is no such directory.
    func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)]
    /// The contents of a regular file, nil when there is none at the path.
    func contents(root: String, path: EntryPath) throws -> [UInt8]?
    /// The contents of a lock, nil when there is none of that name.
    func lock(_ name: String) throws -> [UInt8]?
    /// Whether a file stands at the path that is sealed and that nothing opens.
    func hides(root: String, path: EntryPath) throws -> Bool
}

extension FileSource {
    /// Nothing is sealed.
    package func hides(root: String, path: EntryPath) throws -> Bool { false }
}

/// A reason not to restore.
package struct Refusal: Hashable, Sendable {
    /// What is wrong, with the item or path it is about.
    package var reason: String
    /// What to do.
    package var hint: String
    /// Files with any of which the reason falls away: the restore may bring one itself.
    package var liftedBy: [FilePath]

    /// A reason.
    package init(_ reason: String, hint: String, liftedBy: [FilePath] = []) {
        self.reason = reason
        self.hint = hint
        self.liftedBy = liftedBy
    }
}

/// A change made to the restored files, on purpose.
package struct Fix: Hashable, Codable, Sendable {
    /// What it is about: a path, a job, a build.
    package var subject: String
    /// What was done, and why.
    package var action: String

    /// A fix.
    package init(_ subject: String, _ action: String) {
        self.subject = subject
        self.action = action
    }
}

/// A component on its way back: its files are staged and verified, and nothing is exchanged yet.
package struct StagedComponent: Sendable {
    /// One root on its way back.
    package struct StagedRoot: Sendable {
        /// The root, with the path where it will stand.
        package var root: Root
        /// Where it is staged now.
        package var staged: FilePath
        /// What stands at the final path now, nil when nothing does.
        package var live: FilePath?
        /// The path below it that is staged alone, with the directories above it; nil for all of the root.
        package var only: EntryPath?

        /// A staged root.
        package init(root: Root, staged: FilePath, live: FilePath?, only: EntryPath? = nil) {
            self.only = only
            self.root = root
            self.staged = staged
            self.live = live
        }

        /// Visits every regular file below it, by its path there and where it is staged; links are not followed.
        ///
        /// Where it is staged may be longer than the system takes for a path: this comes by the file all the same, directory
        /// by directory, and whoever opens it by that path is told.
        package func walk(_ visit: (EntryPath, FilePath) throws -> Void) throws {
            func walk(_ directory: OpenDirectory, _ below: EntryPath) throws {
                let names = NameList()
                try directory.read(into: names)
                for name in (0..<names.count).map({ Array(names.name($0)) }) {
                    let path = below.appending(name)
                    switch try directory.statusIfThere(name)?.kind {
                    case .directory: try walk(directory.directory(name), path)
                    case .file:
                        try visit(path, FilePath(bytes: staged.byteArray + [UInt8(ascii: "/")] + path.bytes))
                    default: break
                    }
                }
            }
            try walk(OpenDirectory(staged), .root)
        }
    }

    /// What the snapshot says of the component.
    package var captured: CapturedComponent
    /// The roots.
    package var roots: [StagedRoot]
    /// The directory in which the artifacts lie, by their names; nil when there are none.
    package var artifacts: FilePath?
    /// Whether work that was in flight at the snapshot should go on by itself.
    package var resumesWork: Bool
    /// The name of the host it was captured on.
    package var capturedHost: String
    /// The packages that rebuilt roots take from the snapshot, everything else being as it is now; empty for all.
    package var packages: [String] = []

    /// A component on its way back.
    package init(
        captured: CapturedComponent, roots: [StagedRoot], artifacts: FilePath?, resumesWork: Bool,
        capturedHost: String
    ) {
        self.captured = captured
        self.roots = roots
        self.artifacts = artifacts
        self.resumesWork = resumesWork
        self.capturedHost = capturedHost
    }

    /// The staged root of a name, nil when the snapshot has none.
    package func root(_ name: String) -> StagedRoot? {
        roots.first { $0.root.name == name }
    }
}

/// How to start, stop and probe a component that runs.
package protocol Lifecycle: Sendable {
    /// Whether it runs now; also true for a process that is there and answers nothing.
    func isRunning() async throws -> Bool
    /// Whether all of it runs; what consists of several processes may run in part, and a start begins what is missing.
    func isComplete() async throws -> Bool
    /// Starts it and returns when its process is up; ready or not.
    func start() async throws
    /// Stops it and returns when its processes are gone; does nothing when it does not run.
    func stop() async throws
    /// Returns when it serves its users, throws a ``DriverFailure`` when it does not within `limit`.
    func waitUntilReady(limit: Duration) async throws
    /// What is wrong with the running system, empty when nothing is.
    func problems() async throws -> [String]
    /// What the running system lacks and what comes when it comes, such as workers of other hosts; each in the same words
    /// whenever it is asked.
    func absent() async throws -> [String]
    /// What a start of `captured` would collide with or miss on this host: a port in use, a process that is still there, a
    /// unit or a runtime that is not; empty when nothing is in the way.
    func obstacles(to captured: CapturedComponent) async throws -> [Refusal]
    /// What this host lacks to start and stop it as the system file says, whatever is started; empty when nothing is missing.
    func missing() throws -> [Refusal]
}

extension Lifecycle {
    /// Nothing comes by itself.
    package func absent() async throws -> [String] { [] }

    /// Its own programs start it.
    package func missing() throws -> [Refusal] { [] }

    /// It is one process.
    package func isComplete() async throws -> Bool { try await isRunning() }
}

/// What keeps a root from being captured.
package struct RootFault: Hashable, Sendable {
    /// The root's name.
    package var root: String
    /// What is wrong.
    package var failure: DriverFailure

    /// What `error` says against a root.
    package init(_ root: Root, _ error: any Error) {
        self.root = root.name
        failure =
            error as? DriverFailure
            ?? DriverFailure(
                "\(root.path) cannot be captured: \(error)",
                hint: "make it readable, and run the command again")
    }

    /// What `check` throws against each of some roots.
    static func all(of roots: [Root], _ check: (Root) throws -> Void) -> [RootFault] {
        roots.compactMap { root in
            do {
                try check(root)
                return nil
            } catch {
                return RootFault(root, error)
            }
        }
    }
}

/// A failure that a driver can name.
package struct DriverFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, on which path or item, and why.
    package var description: String
    /// What to do.
    package var hint: String

    /// A failure.
    package init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}

/// Whether `left` comes before `right` when runs of digits count as numbers.
package func naturallyPrecedes(_ left: String, _ right: String) -> Bool {
    func parts(_ text: String) -> [(number: Substring?, text: Substring)] {
        var parts: [(Substring?, Substring)] = []
        var rest = text[...]
        while let first = rest.first {
            let isNumber = first.isASCII && first.isNumber
            let run = rest.prefix { ($0.isASCII && $0.isNumber) == isNumber }
            parts.append(isNumber ? (run.drop { $0 == "0" }, run) : (nil, run))
            rest = rest.dropFirst(run.count)
        }
        return parts
    }
    for (one, other) in zip(parts(left), parts(right)) where one.text != other.text {
        if let a = one.number, let b = other.number {
            guard a != b else { continue }
            return (a.count, String(a)) < (b.count, String(b))
        }
        return one.text < other.text
    }
    return left.count < right.count
}
