internal import FileTree
internal import FoundationEssentials
package import SystemPackage

/// What a night did, and what is wrong after it.
package struct NightReport: Codable, Hashable, Sendable {
    /// Something that somebody has to look at.
    package struct Problem: Codable, Hashable, Sendable {
        /// What it is, for machines: `store`, `night`, `snapshot`, `partial`, `obstacle`, `push`, `shrink`, `drill`, `red`, `target`,
        /// `prune`, `age`, `proof`, `clock`, `restore`, `lost`, `report`, `notify`, `settings`.
        package var kind: String
        /// What is wrong, for people.
        package var message: String
        /// What to do.
        package var hint: String
        /// What is wrong without what differs from night to night, as a snapshot's id or an age; nil where the message is.
        package var cause: String?

        /// A problem.
        package init(_ kind: String, _ message: String, hint: String, cause: String? = nil) {
            self.kind = kind
            self.message = message
            self.hint = hint
            self.cause = cause
        }

        /// The words of a message that are the same every night: those without ids and names that are made anew.
        package static func lasting(_ message: String) -> String {
            message.split(separator: " ").filter { word in
                !word.split { !$0.isNumber }.contains { $0.count >= 6 }
            }.joined(separator: " ")
        }

        /// What makes it the same problem as last night.
        package var identity: String { "\(kind): \(cause ?? message)" }
    }

    /// The system.
    package var system: String
    /// The host.
    package var host: String
    /// When the night began, seconds since 1970.
    package var started: Int64
    /// When it ended, seconds since 1970.
    package var finished: Int64
    /// The snapshot that was taken, nil when none was.
    package var snapshot: String?
    /// When the last snapshot of each kind was taken.
    package var last: Freshness.Times
    /// What there was of each component.
    package var components: [String: ComponentSize]
    /// The sizes that later nights are compared with: those of the last night that did not shrink, or that were accepted.
    package var baseline: [String: ComponentSize]
    /// The snapshot that ``baseline`` was counted in, nil where no report says it.
    package var baselineSnapshot: String?
    /// The last drill, of whatever night, nil when none was ever held.
    package var lastDrill: DrillRun?
    /// The last green one.
    package var lastGreenDrill: DrillRun?
    /// How many snapshots were forgotten, nil when nothing was pruned.
    package var forgotten: Int?
    /// What is wrong.
    package var problems: [Problem]
    /// When people were last told of problems that are not over, seconds since 1970; nil when there are none.
    package var told: Int64?

    /// A night that has just begun.
    package init(system: String, host: String, started: Int64, baseline: [String: ComponentSize]) {
        self.system = system
        self.host = host
        self.started = started
        finished = started
        last = .init()
        components = [:]
        self.baseline = baseline
        problems = []
    }

    /// One word: `ok` or `problems`.
    package var status: String { problems.isEmpty ? "ok" : "problems" }

    /// One line for people.
    package var summary: String {
        let what =
            problems.isEmpty
            ? "snapshot \(snapshot ?? "none")"
            : problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        let details = problems.map { ": \($0.message)" }.prefix(1).joined()
        return "understudy \(system) on \(host): \(what)\(details)"
    }

    private static func file(_ local: FilePath) -> FilePath { local.appending("nightly.json") }
    /// What becomes of the last report when a later one cannot be kept.
    private static func outdated(_ local: FilePath) -> FilePath { local.appending("nightly.outdated.json") }

    /// The report of the last night, nil when there was none.
    package static func read(_ local: FilePath) throws -> NightReport? {
        var path = file(local)
        if try !Files.exists(path) { path = outdated(local) }
        guard let bytes = try Files.readIfPresent(path, limit: 1 << 26) else { return nil }
        do {
            var report = try JSONDecoder().decode(NightReport.self, from: Data(bytes))
            if path == outdated(local) {
                report.problems = [unkept]
                // What was said that night is not known, only when it was.
                report.told = try Files.status(path)?.changed.seconds
            }
            return report
        } catch {
            throw NightFailure(
                "the report of the last night, \(path), cannot be read: \(error)",
                hint: "remove it; the next night writes it anew, and compares sizes from then on")
        }
    }

    private static let unkeptCause = "cannot be kept"

    /// Whether this is all that is known of a night: that its report could not be kept.
    var isLost: Bool { problems.contains { $0.kind == "report" && $0.cause == Self.unkeptCause } }

    /// That a night's report could not be kept.
    private static var unkept: Problem {
        .init(
            "report", "the report of the last night could not be kept: its disk is full, or broken",
            hint: "free some space where the store is, and run 'understudy nightly'", cause: unkeptCause)
    }

    /// What to do where nothing can be kept beside the store.
    package static func hint(_ error: any Error) -> String {
        let reason = (error as? FileFailure)?.reason
        if reason == .readOnlyFileSystem {
            return "mount the file system of the store writable; the kernel's log says why it is not"
        }
        if reason == .noSpace || reason == .diskQuotaExceeded { return "free some space where the store is" }
        if reason == .permissionDenied || reason == .notPermitted {
            return "run the night as the user that the store belongs to, or let this one write there"
        }
        return "find out why nothing can be written where the store is; the kernel's log may say it"
    }

    /// Keeps the report for `status --check` and for the next night.
    ///
    /// Where there is no room for it the last one is renamed, which needs none: `status --check` must not say what was
    /// true the night before. Then a problem is returned.
    package func write(_ local: FilePath) throws -> Problem? {
        do {
            try Files.makeDirectories(local, mode: 0o700)
            try Files.replace(Self.file(local), with: json, mode: 0o600)
            if try Files.exists(Self.outdated(local)) { try Files.remove(Self.outdated(local)) }
            return nil
        } catch let failure as FileFailure {
            return .init(
                "report", "the report of this night cannot be kept: \(failure)\(Self.outdate(local))",
                hint: Self.hint(failure), cause: Self.unkeptCause)
        }
    }

    /// Renames the last report, and says it where not even that can be done: people must be told all the same.
    private static func outdate(_ local: FilePath) -> String {
        do {
            if try Files.exists(file(local)) { try Files.rename(file(local), to: outdated(local)) }
            return ""
        } catch {
            return "; 'status --check' goes on to say what the night before found, because \(error)"
        }
    }

    /// The report as JSON.
    package var json: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        }
    }
}

/// Something about a night that could not be done.
package struct NightFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, on which path, and why.
    package var description: String
    /// What to do.
    package var hint: String

    init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}
