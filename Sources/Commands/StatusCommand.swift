internal import Git
internal import Configuration
internal import SystemPackage
internal import ArgumentParser
internal import Capture
internal import GitStore
internal import Restore
internal import Sealing
internal import SnapshotModel

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how old the last snapshot is, whether it was proven, and what changed since.",
        discussion: """
            With --check, for a monitor, it is short and does not touch the live system: what is older than \
            policies/notify.yaml allows, what the last night and the last drill found, whether a restore was interrupted.

            RPO is the age of the last complete snapshot, RTO the time from nothing to serving in the last green drill: its \
            steps verify, restore, load (of databases) and boot, one component after the other. What no drill does is \
            named beside it.

            EXAMPLE
              understudy status
              understudy status --check
              understudy status --look

            EXIT STATUS
              0   the status was printed; with --check, nothing is wrong
              3   the status was printed, but what drifted is not known of everything:
                  it is named
              6   a snapshot or a record in the store is lost, or what 'understudy verify'
                  found damaged; it is named, and the rest was printed
              7   with --check: something else is wrong, and is printed
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Flag(help: "Print only what is wrong, and end with 7 if anything is, with 6 if the store is damaged.")
    var check = false
    @Flag(help: "Ask the remotes what they hold, instead of showing what the last push or pull saw.")
    var look = false

    @OptionGroup var options: Options

    private struct Result: Encodable {
        /// What a remote lacks.
        struct Copy: Encodable {
            var name: String
            var url: String
            /// When it was looked at, nil when never.
            var seen: String?
            /// The snapshots that it lacked then, of those that there are now.
            var lacks: [String]
            /// Why it cannot be determined.
            var failure: String?
        }

        var system: String
        var store: String
        var snapshots: Int
        var latest: String?
        var ageSeconds: Int64?
        var isLate: Bool
        var status: String?
        /// Why a restore of the latest would be refused.
        var obstacles: [String] = []
        var proven: Bool
        var lastProven: String?
        /// What a disaster would cost, as measured.
        var readiness: Readiness
        /// Who changes production just now.
        var running: String?
        var interrupted: String?
        /// Who can open what is sealed; nobody, and secrets are in clear.
        var recipients: [String]
        /// When a recovery key was last seen to open a snapshot, nil when never.
        var keyChecked: String?
        /// Whether that was too long ago, or with none of the keys of today.
        var isKeyCheckDue: Bool
        var drift: [Change]
        /// How many files of each class differ that `drift` does not speak of.
        var driftedFiles: [String: Int] = [:]
        var driftFailures: [String]
        /// What of the components could not be read, at the snapshot or now: nobody knows whether it differs.
        var driftUnknown: [String] = []
        var remotes: [Copy] = []
        /// What the store holds and nobody can read.
        var lost: [StoreSurvey.Loss] = []
        /// That the store holds other systems alone; nil where it does not.
        var note: String?
    }

    func run() async throws {
        let session = try Session(options)
        guard !check else { return try await runCheck(session) }
        let store = try session.store()
        let reader = try store.reader()
        let capture = SystemCapture(session.system, store: store)
        var survey = StoreSurvey(store, system: session.system.name, with: reader)
        // One that cannot be read is one of them.
        let all = try store.snapshots(of: session.system.name).filter { try survey.isSafety($0) != true }
        let proven = try survey.provenSnapshots()
        var result = Result(
            system: session.system.name, store: store.path.string, snapshots: all.count, isLate: true,
            proven: false,
            readiness: try Readiness(session, store, &survey, now: Clock.now.seconds),
            running: try Recovery.running(store),
            interrupted: try Recovery.lookFromOutside(store).map { "\($0.words): \($0.hint)" },
            recipients: session.description.recipients.map(\.description), isKeyCheckDue: false, drift: [],
            driftFailures: [])
        if !result.recipients.isEmpty {
            let check = try store.keyCheck()
            result.keyChecked = check.map { CivilTime(seconds: $0.time).iso8601 }
            result.isKeyCheckDue =
                check.map {
                    Clock.now.seconds - $0.time > session.policy.checkKeyAfter.components.seconds
                        || Set($0.recipients).isDisjoint(with: result.recipients)
                } ?? true
        }
        result.lastProven =
            try all.last { try proven.contains($0.id) && survey.read($0) != nil }?.id.description
        var latest: StoredSnapshot?
        for reference in all.reversed() where latest == nil { latest = try survey.read(reference) }
        if let stored = latest {
            let last = stored.reference
            result.latest = last.id.description
            let age = Clock.now.seconds - stored.stateTime
            result.ageSeconds = age
            result.isLate = age > session.policy.warnAfter.components.seconds
            result.status = stored.snapshot.status.rawValue
            result.obstacles = stored.snapshot.components.flatMap { component in
                (component.obstacles ?? []).map { "\(component.name): \($0)" }
            }
            result.proven = proven.contains(last.id)
            for (component, _) in session.system.components {
                session.output.progress("comparing \(component.name)")
                do {
                    let difference = try await capture.drift(
                        since: stored, component: component.name, reader: reader)
                    result.drift += difference.told
                    result.driftUnknown += difference.unknown.map { "\(component.name): \($0)" }
                    result.driftedFiles.merge(difference.otherFiles, uniquingKeysWith: +)
                } catch {
                    result.driftFailures.append("\(component.name): \(error)")
                }
            }
            session.output.endProgress()
        }
        result.remotes = try await copies(store, session)
        try survey.addKnownDamage()
        result.lost = survey.losses
        let isNew = try store.newestSnapshot(of: session.system.name) == nil
        result.note = isNew ? try session.strangeness(of: store) : nil
        let shown = result
        try session.output.result(shown) { words(shown) }
        if !shown.lost.isEmpty { throw ExitCode(ExitStatus.verification.rawValue) }
        if !shown.driftUnknown.isEmpty || !shown.driftFailures.isEmpty {
            throw ExitCode(ExitStatus.partial.rawValue)
        }
    }

    private func runCheck(_ session: Session) async throws {
        var result = try await StatusCheck(session, try NotifyPolicy.read(for: session.description))
        try result.addLastNight(session)
        let shown = result
        try session.output.result(shown) { shown.words }
        if !shown.lost.isEmpty { throw ExitCode(ExitStatus.verification.rawValue) }
        if !shown.problems.isEmpty { throw ExitCode(ExitStatus.refused.rawValue) }
    }

    private func copies(_ store: SnapshotStore, _ session: Session) async throws -> [Result.Copy] {
        let remotes = Remotes(store)
        let snapshots = try store.snapshots(of: session.system.name)
        var copies: [Result.Copy] = []
        for remote in try await remotes.list() {
            var copy = Result.Copy(name: remote.name, url: remote.shownURL, lacks: [])
            do {
                let view =
                    look
                    ? try await remotes.look(at: remote, system: session.system.name, now: Clock.now.seconds)
                    : try remotes.view(remote.name)
                copy.seen = view.map { CivilTime(seconds: $0.time).iso8601 }
                copy.lacks = (view?.lacks(of: snapshots) ?? snapshots.map(\.id)).map(\.description)
            } catch {
                copy.failure = CommandFailure(error).message
            }
            copies.append(copy)
        }
        return copies
    }

    private func words(_ copy: Result.Copy) -> String {
        if let failure = copy.failure { return "cannot be determined: \(failure)" }
        guard let seen = copy.seen else { return "never pushed to: 'understudy push \(copy.name)'" }
        return copy.lacks.isEmpty
            ? "has all snapshots (seen \(seen))"
            : "LACKS \(counted(copy.lacks.count, "snapshot")) (seen \(seen))"
    }

    /// What there is to say with and without a snapshot.
    private func standingRows(_ result: Result) -> [[String]] {
        var rows: [[String]] = []
        if result.recipients.isEmpty {
            rows.append([
                "sealed", "NO: the store holds secrets in clear ('understudy key add --generate FILE')",
            ])
        }
        rows += result.remotes.map { ["copy", "\($0.name): \(words($0))"] }
        if let running = result.running { rows.append(["running", running]) }
        if let interrupted = result.interrupted { rows.append(["restore", interrupted]) }
        rows += result.lost.map { ["LOST", "\($0.what): \($0.reason)"] }
        if !result.lost.isEmpty { rows.append(["", StoreSurvey.advice(on: result.lost)]) }
        return rows
    }

    private func words(_ result: Result) -> String {
        var rows = [
            ["system", result.system],
            ["store", "\(result.store), \(counted(result.snapshots, "snapshot"))"],
        ]
        guard let latest = result.latest, let age = result.ageSeconds else {
            rows.append([
                "latest",
                result.snapshots == 0
                    ? "none: 'understudy snapshot' takes the first one" : "none of them can be read",
            ])
            if let note = result.note { rows.append(["note", note]) }
            return table(rows + standingRows(result))
        }
        let late = result.isLate ? "  LATE: older than the policy's warnAfter" : ""
        rows += [
            [
                "latest",
                age < 0
                    ? "\(latest), NEWER than the clock by \(shown(seconds: Double(-age))): the clock went back, or is wrong"
                    : "\(latest), \(shown(seconds: Double(age))) old\(late)",
            ],
            ["status", result.status ?? ""],
        ]
        rows += result.obstacles.map { ["restore", "WOULD BE REFUSED: \($0)"] }
        rows.append([
            "proven",
            result.proven
                ? "yes" : result.lastProven.map { "no; the last proven one is \($0)" } ?? "no, none is",
        ])
        rows += result.readiness.rows
        if !result.recipients.isEmpty {
            let checked = result.keyChecked.map { "checked \($0)" } ?? "never checked"
            let due = result.isKeyCheckDue ? "  DUE: 'understudy key check --identity FILE'" : ""
            rows.append(["key", "\(checked)\(due)"])
        }
        rows += standingRows(result)
        rows += result.driftFailures.map { ["drift", "cannot be determined: \($0)"] }
        rows += unknownWords(result.driftUnknown).map { ["drift", $0] }
        if result.drift.isEmpty, result.driftFailures.isEmpty {
            let isBlind = !result.driftUnknown.isEmpty
            rows.append([
                "drift", unchangedWords("none", otherFiles: result.driftedFiles, isBlind: isBlind),
            ])
        }
        var lines = result.drift.isEmpty ? [] : ["since then:"] + changeLines(result.drift, limit: 20)
        if !lines.isEmpty, let others = otherFileWords(result.driftedFiles) { lines.append("  \(others)") }
        return ([table(rows)] + lines).joined(separator: "\n")
    }
}
