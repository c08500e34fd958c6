internal import FileTree
package import Judge
package import Programs
package import SnapshotModel
package import SystemPackage

/// How one kind of component is rehearsed: made harmless, changed, booted in isolation, watched and put to work.
///
/// All of it happens to copies, and everything that runs runs in a ``ShadowRoom``.
package protocol ShadowDriver: Sendable {
    /// The roots that a shadow has; others stay out of it.
    var roots: Set<String> { get }
    /// How long a boot in a shadow may take.
    var bootLimit: Duration { get }
    /// Directories of this host that the programs need besides the system's own, such as an interpreter's.
    func hostPlaces(_ copy: ShadowCopy) async throws -> [FilePath]
    /// Makes what is rebuilt, in the copy of the unchanged arm; it will stand at its own place.
    func rebuild(_ copy: ShadowCopy) async throws
    /// All that the outcome of ``rebuild(_:)`` depends on; nil when nothing is rebuilt.
    func recipe(_ copy: ShadowCopy) async throws -> [UInt8]?
    /// The database server that holds the state of a copy; nil when that is in its own roots.
    func database(_ copy: ShadowCopy) throws -> StateDatabase?
    /// Changes a copy so that it can do no harm, the same in every arm; each change is said.
    func neutralise(_ copy: ShadowCopy) async throws -> [Fix]
    /// The package that an archive is of.
    ///
    /// Throws a ``DriverFailure`` when it is none.
    func package(ofArchive name: String, _ contents: [UInt8]) throws -> ComponentChange.Package
    /// The packages that the CI tool itself consists of, in another version; `source` is the component as it is.
    func core(version: String, in source: any FileSource) throws -> [ComponentChange.Package]
    /// The captured archive of a package in a version, nil when the component has none.
    func archive(
        of package: ComponentChange.Package, in source: any FileSource
    ) throws -> (name: String, contents: [UInt8])?
    /// What an index is called that is kept among the archives of a change; nil where none is.
    var indexFile: String? { get }
    /// Fetches the archives of a change, and of what they need, into a directory; runs nothing that it fetches.
    ///
    /// Refuses an index that `trust` does not believe, be it one that came with the change.
    func fetch(
        _ change: ComponentChange, for copy: ShadowCopy, from index: PackageIndex,
        trusting trust: CanaryPolicy.UpdateCenterTrust, to directory: FilePath
    ) async throws
    /// How much a change can break, by what is in the copy now.
    func risk(of change: ComponentChange, in copy: ShadowCopy) throws -> RiskClass
    /// Makes the packages of the change part of a copy; what became of them, and what stood in the way.
    func apply(_ change: ComponentChange, in room: any ShadowRoom) async throws -> AppliedChange
    /// What can be told without booting: every complaint, to be compared with those of the other arm.
    func check(in room: any ShadowRoom) async throws -> StaticCheck
    /// What must be run before the server, in the order; a status other than 0 ends the boot.
    func preparations(_ copy: ShadowCopy) -> [Program]
    /// Why nothing of a copy can be booted on this host, and what to do; nil when it can.
    func obstacle(_ copy: ShadowCopy) async throws -> String?
    /// The server.
    func server(_ copy: ShadowCopy) async throws -> Program
    /// Whether the server serves its users now.
    func isServing(in room: any ShadowRoom) async throws -> Bool
    /// Why a server that runs will never serve, nil as long as it may.
    func bootFailure(in room: any ShadowRoom) throws -> String?
    /// What of its configurations a server that serves would write otherwise than it read it; how many it was asked for.
    func rewritten(in room: any ShadowRoom) throws -> (compared: Int, losses: [Observation])
    /// What can be seen of a server that serves, and of one that does not come up.
    func observe(in room: any ShadowRoom, isServing: Bool) async throws -> (
        observations: [Observation], capabilities: [ObjectName]
    )
    /// The plugins that are to be at work in a copy, told without a boot; nil where nobody can tell.
    func plannedPlugins(in room: any ShadowRoom) async throws -> PluginSet?
    /// The plugins that are at work in a server that serves; nil where it cannot be asked.
    func plugins(in room: any ShadowRoom) async throws -> PluginSet?
    /// Which form the data of a copy have: one server reads only that of its own version.
    func dataVersion(in room: any ShadowRoom) async throws -> String?
    /// What of production the packages of a change are: roots, and what below them is exchanged as a whole, nil for the root
    /// itself.
    func packagePlaces(_ change: ComponentChange, of roots: [Root]) -> [(root: Root, below: String?)]
    /// Files of production that ``migrate()`` changes in place.
    func migrated() throws -> [(root: String, path: FilePath)]
    /// Brings the data of production to the version of what is installed now; the server does not run.
    func migrate() async throws
    /// What production complains of in its log after a mark, which moves to what was read.
    func complaints(after mark: inout LogMark) throws -> [Observation]
    /// What of the plugins and pages that a candidate had production has now.
    ///
    /// Of several copies of a package the one of `plugins` counts where only the server could say which it took.
    func production(beside plugins: PluginSet, pages: [ObjectName]) async throws -> ProductionView
    /// Why no build of a job of production can be asked for; nil when nothing is known against it.
    func obstacle(toBuilding job: String) async throws -> String?
    /// Asks production for one build of a job, which has all its effects, and says what came of it; what has not ended
    /// within `limit` is cancelled.
    func build(_ job: String, limit: Duration) async throws -> JobRun
    /// Whether a new file is one that a server makes for itself when it first needs it, so that nobody has changed anything.
    func isMadeAtNeed(_ path: EntryPath, in root: String) -> Bool
    /// What a server of the snapshot must have when it serves; nil when the snapshot cannot say.
    func expected(_ captured: CapturedComponent, in source: any FileSource) throws -> Set<ObjectName>?
    /// How many of each kind of thing a copy remembers: history that a migration must not lose.
    func census(in room: any ShadowRoom) async throws -> [String: Int]
    /// The jobs that can be run, the most used first.
    func jobs(in room: any ShadowRoom) async throws -> [ObjectName]
    /// The jobs of two servers that serve which are made otherwise in the one than in the other, be it of other plugins.
    func affectedJobs(in one: any ShadowRoom, _ other: any ShadowRoom) throws -> Set<ObjectName>
    /// Runs a job to its end and says what came of it; a server that does not answer is an error of the job.
    func run(_ job: ObjectName, in room: any ShadowRoom, limit: Duration) async throws -> JobRun
    /// What can be told of a restored copy that is not booted, nor made harmless, when `source` is its snapshot.
    func inspect(_ copy: ShadowCopy, against source: any FileSource) throws -> [Inspection]
    /// What a shadow of this component cannot show, whatever is changed.
    func notCovered(in room: any ShadowRoom) throws -> [NotCovered]
}

extension ShadowDriver {
    /// Three minutes.
    package var bootLimit: Duration { .seconds(180) }
    /// What an index said is not kept.
    package var indexFile: String? { nil }
    /// All of it is in its own roots.
    package func database(_ copy: ShadowCopy) throws -> StateDatabase? { nil }
    /// Nothing is in the way.
    package func obstacle(_ copy: ShadowCopy) async throws -> String? { nil }
    /// Packages are the roots that are made from them.
    package func packagePlaces(
        _ change: ComponentChange, of roots: [Root]
    ) -> [(root: Root, below: String?)] {
        change.packages.isEmpty ? [] : roots.filter { $0.kind == .rebuilt }.map { ($0, nil) }
    }
    /// It may always serve yet.
    package func bootFailure(in room: any ShadowRoom) throws -> String? { nil }
    /// Its configurations are written by people alone.
    package func rewritten(in room: any ShadowRoom) throws -> (compared: Int, losses: [Observation]) {
        (0, [])
    }
    /// Nothing is.
    package func isMadeAtNeed(_ path: EntryPath, in root: String) -> Bool { false }
    /// Nothing but a boot tells.
    package func inspect(_ copy: ShadowCopy, against source: any FileSource) throws -> [Inspection] { [] }
}

/// What production has of what a candidate had.
package struct ProductionView: Sendable {
    /// The plugins that are at work; nil when nothing could be seen, and then ``place`` says why.
    package var plugins: PluginSet?
    /// Pages that are not served, or not by something that shows them.
    package var missingPages: [ObjectName]
    /// Where it was seen, for people: `48 packages in /srv/buildbot/env`.
    package var place: String

    /// What was seen there.
    package init(plugins: PluginSet?, missingPages: [ObjectName] = [], place: String) {
        self.plugins = plugins
        self.missingPages = missingPages
        self.place = place
    }
}

/// One thing that was looked at in restored files.
package struct Inspection: Hashable, Sendable {
    /// What was looked at, one or two words: `plugins`.
    package var name: String
    /// What is wrong, empty when nothing is.
    package var problems: [String]
    /// What was seen, for people.
    package var detail: String

    /// One thing that was looked at.
    package init(_ name: String, problems: [String], detail: String) {
        self.name = name
        self.problems = problems
        self.detail = detail
    }
}

/// A copy of a component: each root in a directory of its own, to be mounted where production's stands.
package struct ShadowCopy: Sendable {
    /// The roots, with the path where they stand inside, and where the copies are.
    package var staged: StagedComponent
    /// A directory of the host through which the server is spoken to; its path is short.
    package var socketDirectory: FilePath

    /// The directory of the host that all copies of one experiment share; of it only `packages` is seen inside.
    package var workspace: FilePath
    /// What stands in for the database server that production's state is in; nil when there is none.
    package var database: StateServer?
    /// How much memory the shadow may use, in bytes.
    package var memory = ShadowLimits().memory
    /// The directory of the host with the archives that come with the change.
    package var changedPackages: FilePath { workspace.appending("packages/change") }

    /// Whom its programs run as: what runs in a shadow is nobody's business but production's own user's; nil for ourselves.
    package var user: (owner: UInt32, group: UInt32)? {
        get throws {
            guard Accounts.ownNumbers.user == 0,
                let root = staged.roots.first(where: { $0.root.kind == .directory }),
                let status = try Files.status(root.staged), status.owner != 0
            else { return nil }
            return (status.owner, status.group)
        }
    }

    /// Where the socket's directory stands inside.
    package static let socketPlace: FilePath = "/run/shadow"
    /// Where packages of the change stand inside.
    package static let packagePlace: FilePath = "/run/packages"

    /// A copy.
    package init(staged: StagedComponent, socketDirectory: FilePath, workspace: FilePath) {
        self.staged = staged
        self.socketDirectory = socketDirectory
        self.workspace = workspace
    }

    /// A file of a root that is a directory, nil when the copy has none there.
    package func contents(root: String, path: String) throws -> [UInt8]? {
        try staged.root(root).flatMap { try Self.contents(path, below: $0.staged) }
    }

    /// A file below a directory of the copy, nil when there is none.
    ///
    /// What runs in a shadow may be hostile: a pipe is no file, nor is what a link leads to, whether it stands at the path or
    /// on the way to it.
    static func contents(_ path: String, below directory: FilePath) throws(FileFailure) -> [UInt8]? {
        var names = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let outside: [Substring.UTF8View] = ["", ".", ".."].map { Substring($0).utf8 }
        precondition(!names.contains { name in outside.contains { $0.elementsEqual(name) } }, "a path below")
        let name = Array(names.removeLast())
        do {
            var place = try OpenDirectory(directory)
            if !names.isEmpty {
                place = try place.descend(Array(names.joined(separator: [UInt8(ascii: "/")])))
            }
            return try place.file(name).contents(limit: 256 << 20)
        } catch
            where [
                .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .invalidArgument,
            ].contains(error.reason)
        {
            return nil
        }
    }
}

/// Where the programs of one copy run.
package protocol ShadowRoom: Sendable {
    /// The copy.
    var copy: ShadowCopy { get }
    /// Runs a program in isolation to its end; its outputs come together.
    func run(_ program: Program) async throws -> Program.Outcome
    /// As ``run(_:)``, for a program that changes what was made from packages.
    func install(_ program: Program) async throws -> Program.Outcome
    /// Everything that the server has written since it was started.
    func log() throws -> String
    /// Whether the server has been started and has not ended.
    var isServerRunning: Bool { get }
}

extension Finding {
    /// The kind of what is held against a changed file that no shadow has as it is.
    package static let notRehearsed = "not-rehearsed"

    /// Holds it against a file that nothing of it can be tried, as `message` says, before production starts.
    package static func notRehearsed(
        _ file: ComponentChange.File, _ message: String, whenStarted what: String
    ) -> Finding {
        Finding(
            stage: .static, kind: notRehearsed, severity: .critical,
            object: ObjectName("file", "\(file.root)/\(file.path)"), message: message,
            advice: "leave it out of the change, and change it by hand, when somebody sees \(what) start")
    }
}

/// What a change does to one component.
package struct ComponentChange: Hashable, Sendable {
    /// A plugin or package in another version, or gone.
    package struct Package: Hashable, Sendable {
        /// Its name.
        package var name: String
        /// The version that is wanted; nil when it is to go.
        package var version: String?

        /// A package.
        package init(name: String, version: String?) {
            self.name = name
            self.version = version
        }
    }

    /// A file with other contents, or gone.
    package struct File: Hashable, Sendable {
        /// The root that it is in.
        package var root: String
        /// Its path below the root.
        package var path: String
        /// Git's id of the contents; nil when it is to go.
        package var blob: String?

        /// A file.
        package init(root: String, path: String, blob: String?) {
            self.root = root
            self.path = path
            self.blob = blob
        }
    }

    /// The component.
    package var component: String
    /// Packages, sorted by name.
    package var packages: [Package]
    /// Files, sorted by root and path.
    package var files: [File]
    /// Archives that come with the change, by file name: git's ids of their contents.
    package var archives: [String: String]

    /// A change.
    package init(
        component: String, packages: [Package] = [], files: [File] = [], archives: [String: String] = [:]
    ) {
        self.component = component
        self.packages = packages
        self.files = files
        self.archives = archives
    }
}

/// Where packages are fetched from that are not at hand.
package enum PackageIndex: Hashable, Sendable {
    /// Nowhere: what is not at hand is not to be had.
    case none
    /// Where this host's own tools fetch them from.
    case usual
    /// An address.
    case address(String)
}

/// What became of the packages of a change.
package struct AppliedChange: Sendable {
    /// What is other than before, dependencies too.
    package var parts: [ChangeSummary.Part]
    /// What stood in the way: a resolution that failed.
    package var findings: [Finding]

    /// What became of a change.
    package init(parts: [ChangeSummary.Part], findings: [Finding] = []) {
        self.parts = parts
        self.findings = findings
    }
}

/// How far a log was read; the beginning at first.
package struct LogMark: Hashable, Sendable {
    /// Which file it was; nil when none was read.
    var inode: UInt64?
    /// How many bytes of it were read.
    var offset: Int64 = 0
    /// What was read and is not finished: half a line, half a traceback.
    var held: [UInt8] = []

    /// The beginning.
    package init() {}

    /// Says that what is not finished never will be: who wrote it has ended.
    package mutating func giveUpUnfinished() { held = [] }
}

/// What can be told of a copy without booting it.
package struct StaticCheck: Sendable {
    /// What was done, one line each.
    package var checks: [String]
    /// Every complaint.
    package var observations: [Observation]

    /// The outcome.
    package init(checks: [String], observations: [Observation]) {
        self.checks = checks
        self.observations = observations
    }
}

/// One run of a job.
package struct JobRun: Sendable {
    /// How it ended.
    package var outcome: ProbeRun.Outcome
    /// How long it took, in seconds; nil when nobody knows.
    package var seconds: Double?
    /// How long it waited until it began, in seconds; nil when nobody knows.
    package var wait: Double?
    /// What failed, in words that are the same whenever it fails so again.
    package var signature: String?

    /// A run that nobody can say anything of, because its server does not answer.
    static let unanswered = JobRun(outcome: .errored, seconds: nil, signature: "the server does not answer")

    /// A run.
    package init(
        outcome: ProbeRun.Outcome, seconds: Double?, wait: Double? = nil, signature: String? = nil
    ) {
        self.outcome = outcome
        self.seconds = seconds
        self.wait = wait
        self.signature = signature
    }
}
