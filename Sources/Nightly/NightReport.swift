internal import FileTree
internal import FoundationEssentials
package import SystemPackage

/// What a night did, and what is wrong after it.
package struct NightReport: Codable, Hashable, Sendable {
    /// Something that somebody has to look at.
    package struct Problem: Codable, Hashable, Sendable {
        /// What it is, for machines: `snapshot`, `partial`, `push`, `shrink`, `drill`,
        /// `red`, `target`, `prune`, `age`, `proof`, `restore`, `notify`.
        package var kind: String
        /// What is wrong, for people.
        package var message: String
        /// What to do.
        package var hint: String

        /// A problem.
        package init(_ kind: String, _ message: String, hint: String) {
            self.kind = kind
            self.message = message
            self.hint = hint
        }
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
    /// The last drill, of whatever night, nil when none was ever held.
    package var lastDrill: DrillRun?
    /// The last green one.
    package var lastGreenDrill: DrillRun?
    /// How many snapshots were forgotten, nil when nothing was pruned.
    package var forgotten: Int?
    /// What is wrong.
    package var problems: [Problem]

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

    /// The report of the last night, nil when there was none.
    package static func read(_ local: FilePath) throws -> NightReport? {
        guard let bytes = try Files.readIfPresent(file(local), limit: 1 << 26) else { return nil }
        do {
            return try JSONDecoder().decode(NightReport.self, from: Data(bytes))
        } catch {
            throw NightFailure(
                "the report of the last night, \(file(local)), cannot be read: \(error)",
                hint: "remove it; the next night writes it anew, and compares sizes from then on")
        }
    }

    /// Keeps the report for `status --check` and for the next night.
    package func write(_ local: FilePath) throws {
        try Files.makeDirectories(local, mode: 0o700)
        try Files.replace(Self.file(local), with: json, mode: 0o600)
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
