internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drivers
internal import GitStore
internal import Nightly
internal import SnapshotModel
internal import SystemPackage

struct NightlyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nightly",
        abstract: "Snapshot, push, drill, prune and report: what a schedule runs every night.",
        discussion: """
            Takes a snapshot, checks whether a lot vanished at once, pushes to the store's remotes, runs a drill when \
            policies/notify.yaml says that one is due, prunes when nothing is wrong, and notifies everyone listed in \
            policies/notify.yaml. Each step is a process of its own, so one that dies is reported as well.

            EXAMPLE
              understudy nightly
              understudy nightly --accept-shrink

            EXIT STATUS
              0   all is well
              1   a step failed, the drill is red, or somebody could not be notified; what
                  is wrong is printed
              3   the snapshot is partial, and nothing else is wrong
              7   something is older or smaller than the policy allows
              10  there is no store; everyone listed in the policy is notified
              64  wrong usage, or a mistake in the system file or a policy
            """)

    @Flag(help: "What disappeared was meant to go: compare with tonight from now on.")
    var acceptShrink = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try await session()
        let policy = try NotifyPolicy.read(for: session.description)
        let clock = ContinuousClock()
        let began = clock.now
        var report = NightReport(
            system: session.system.name, host: session.system.host, started: Clock.now.seconds, baseline: [:])
        let local = try await store(session, policy, report).localDirectory
        let mark = begin(&report, local)
        let last = lastReport(&report, local)
        report.baseline = last?.baseline ?? [:]
        report.baselineSnapshot = last?.baselineSnapshot
        let incomplete = await snapshot(&report, session)
        compare(&report, incomplete, policy, session)
        if report.snapshot != nil { await push(&report, session) }
        let isRed = await drill(&report, policy, session)
        // An age is no reason to prune nothing, and a loss is one.
        let isWell = report.problems.isEmpty && !isRed
        let isWhole = await look(&report, policy, session)
        if isWell, isWhole { await prune(&report, session) }
        report.finished = Clock.now.seconds
        let elapsed = (clock.now - began).components.seconds
        if let jump = Freshness.jump(from: report.started, to: report.finished, elapsed: elapsed) {
            report.problems.append(jump)
        }
        // Tried before anybody is told: what cannot be kept is among what they are told.
        if let problem = try report.write(local) { report.problems.append(problem) }
        report = await Notifier(policy).send(report, after: last)
        _ = try report.write(local)
        try mark?.end()
        session.output.endProgress()
        let shown = report
        try session.output.result(shown) { words(shown) }
        let status = Self.status(shown.problems)
        if status != .done { throw ExitCode(status.rawValue) }
    }

    /// What a night with these problems ends with.
    static func status(_ problems: [NightReport.Problem]) -> ExitStatus {
        let kinds = Set(problems.map(\.kind))
        if kinds.isEmpty { return .done }
        if kinds == ["partial"] { return .partial }
        return kinds.isSubset(of: ["partial", "shrink", "age", "proof", "target", "clock"])
            ? .refused : .failed
    }

    // MARK: Before the steps

    /// Reads the settings; where of them only the system file and the policy for messages can be read, whom it names is told.
    private func session() async throws -> Session {
        // Whoever asks for a format that there is not is told at once, and nobody else.
        _ = try Output(options)
        do {
            return try Session(options)
        } catch {
            let failure = CommandFailure(error)
            // What cannot be read names nobody to be told; the failure itself is thrown below.
            if let file = try? SystemFile.find(
                option: options.system, variable: environment("UNDERSTUDY_SYSTEM")),
                let description = try? SystemFile.read(file),
                let policy = try? NotifyPolicy.read(for: description)
            {
                let report = NightReport(
                    system: description.name, host: hostName(), started: Clock.now.seconds, baseline: [:])
                await tell(failure, "settings", report, policy)
            }
            throw failure
        }
    }

    /// Opens the store; where that fails whom the policy names is told, for nothing else can be done tonight.
    private func store(
        _ session: Session, _ policy: NotifyPolicy, _ report: NightReport
    ) async throws -> SnapshotStore {
        do {
            return try session.store()
        } catch {
            let failure = CommandFailure(error)
            await tell(failure, "store", report, policy)
            throw failure
        }
    }

    /// Tells whom the policy names why there is no night; where that does not reach them, the end of this command says it alone.
    private func tell(
        _ failure: CommandFailure, _ kind: String, _ report: NightReport, _ policy: NotifyPolicy
    ) async {
        var report = report
        report.problems = [.init(kind, failure.message, hint: failure.hint)]
        _ = await Notifier(policy).send(report, after: nil)
    }

    /// Notes that the night runs, so that one which dies is told by `status --check` and the next night.
    private func begin(_ report: inout NightReport, _ local: FilePath) -> NightMark? {
        do {
            let (mark, problem) = try NightMark.begin(local, now: report.started)
            if let problem { report.problems.append(problem) }
            return mark
        } catch {
            report.problems.append(
                .init(
                    "report", "that the night began cannot be kept: \(error)",
                    hint: NightReport.hint(error)))
            return nil
        }
    }

    /// The report of the night before, nil when there is none or it cannot be read, which is then among the problems.
    private func lastReport(_ report: inout NightReport, _ local: FilePath) -> NightReport? {
        do {
            return try NightReport.read(local)
        } catch {
            report.problems.append(
                .init(
                    "report", "\(error)", hint: "it is written anew tonight; sizes are compared from then on",
                    cause: "cannot be read"))
            return nil
        }
    }

    // MARK: Steps

    /// Takes a snapshot and returns the components that lack something.
    private func snapshot(_ report: inout NightReport, _ session: Session) async -> Set<String> {
        let step = NightStep(["snapshot"], mayEnd: [0, 3, 6], "snapshot")
        guard let taken: NightStep.Taken = await step.run(&report, session) else { return [] }
        report.snapshot = taken.snapshot.id
        if !taken.lostPacks.isEmpty {
            report.problems.append(
                .init(
                    "store", "parts of the store cannot be read: \(taken.lostPacks.joined(separator: "; "))",
                    hint:
                        "'understudy verify --all --heal' fetches them from the store's remotes; until then no night prunes, and "
                        + "every night reads every file where a pack is among them; \(StoreSurvey.wayOut)"))
        }
        for part in taken.components {
            report.components[part.name] = ComponentSize(entries: part.entries, bytes: part.bytes, items: [:])
            report.problems += part.obstacles.map { obstacle in
                .init(
                    "obstacle",
                    "a restore of \(taken.snapshot.id) would be refused: \(part.name): \(obstacle)",
                    hint:
                        "fix that and run 'understudy snapshot'; nothing is pruned until then",
                    cause: "\(part.name): \(obstacle)")
            }
        }
        guard taken.snapshot.status != SnapshotModel.Snapshot.Status.complete.rawValue else { return [] }
        let incomplete = taken.components.filter { !$0.unreadable.isEmpty || !$0.torn.isEmpty }.map(\.name)
        let missing = taken.components.flatMap { part in
            part.unreadable.map { "\(part.name)/\($0.path): \($0.reason)" }
                + part.torn.map { "\(part.name)/\($0) kept changing" }
        }
        let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
        report.problems.append(
            .init(
                "partial",
                "the snapshot \(taken.snapshot.id) is partial: \(missing.prefix(3).joined(separator: "; "))\(more)",
                hint:
                    "make it readable and run 'understudy snapshot'; 'understudy show \(taken.snapshot.id)' lists all",
                cause: missing.joined(separator: "; ")))
        return Set(incomplete)
    }

    /// Counts what there is, and says what vanished.
    private func compare(
        _ report: inout NightReport, _ incomplete: Set<String>, _ policy: NotifyPolicy, _ session: Session
    ) {
        guard let id = report.snapshot else { return }
        do {
            let store = try session.store()
            let reader = try store.reader()
            let stored = try store.read(try store.snapshot(id, of: session.system.name), with: reader)
            let capture = SystemCapture(session.system, store: store)
            for (component, driver) in session.system.components {
                guard let state = capture.state(component.name, of: stored, reader) else { continue }
                let inventory = try driver.inventory(of: state.source)
                // A job whose file is sealed is there as long as the file is.
                for kind in inventory.items.map(\.kind) + inventory.sealed.compactMap(\.kind) {
                    report.components[component.name]?.items[kind, default: 0] += 1
                }
                let others = inventory.sealed.flatMap(\.others)
                if !others.isEmpty {
                    report.components[component.name]?.uncounted = Dictionary(
                        others.map { ($0, 1) }, uniquingKeysWith: +)
                }
            }
        } catch {
            let failure = CommandFailure(error)
            report.problems.append(
                .init(
                    "snapshot", "what the snapshot holds cannot be counted: \(failure.message)",
                    hint: failure.hint))
            return
        }
        let findings = Shrink.findings(
            from: report.baseline.filter { !incomplete.contains($0.key) }, to: report.components,
            limits: .init(
                entries: policy.maxEntriesLost, bytes: policy.maxBytesLost, items: policy.maxItemsLost))
        guard findings.isEmpty || acceptShrink else {
            report.problems.append(
                .init(
                    "shrink", "something vanished: \(findings.joined(separator: "; "))",
                    hint:
                        "'understudy diff \(report.baselineSnapshot ?? "OLDER-ID") \(id)' shows it; if it was intended, run "
                        + "'understudy nightly --accept-shrink'; nothing is pruned until then",
                    cause: "sizes"))
            return
        }
        // What a partial snapshot lacks did not vanish; it is told as missing.
        let kept = report.baseline.filter { incomplete.contains($0.key) }
        report.baseline = report.components.filter { !incomplete.contains($0.key) }
            .merging(kept) { new, _ in new }
        report.baselineSnapshot = id
    }

    /// Brings what is new to the store's remotes, where it has any.
    private func push(_ report: inout NightReport, _ session: Session) async {
        do {
            guard try await !Remotes(session.store()).list().isEmpty else { return }
        } catch {
            let failure = CommandFailure(error)
            report.problems.append(
                .init("push", "the remotes cannot be determined: \(failure.message)", hint: failure.hint))
            return
        }
        let step = NightStep(["push"], mayEnd: [0, 1, 6, 7, 10, 11, 12], "push")
        guard let pushed: NightStep.Pushed = await step.run(&report, session) else { return }
        for remote in pushed.remotes {
            if let error = remote.error {
                report.problems.append(.init("push", "\(remote.name): \(error.message)", hint: error.hint))
            }
            if let lost = remote.lost.first {
                report.problems.append(
                    .init(
                        "push", "\(remote.name): \(lost), and it was when this host looked last",
                        hint: "somebody removed or replaced it there: check the remote before you need it"))
            }
        }
    }

    /// Holds a drill of tonight's snapshot when one is due, and says whether the last drill of all is red.
    ///
    /// A partial snapshot would be red for what is told already; the drill stays due.
    private func drill(
        _ report: inout NightReport, _ policy: NotifyPolicy, _ session: Session
    ) async -> Bool {
        do {
            let store = try session.store()
            let last = try DrillHistory(store, system: session.system.name, with: store.reader()).last
            let isRed = last.map { !$0.isGreen } ?? false
            guard let every = policy.drillEvery, let id = report.snapshot,
                !report.problems.contains(where: { $0.kind == "partial" }),
                DrillRun.isDue(last: last, every: every, now: Clock.now.seconds)
            else { return isRed }
            let variable = environment("UNDERSTUDY_IDENTITY").flatMap { $0.isEmpty ? nil : $0 }
            guard policy.identityFile != nil || variable != nil || session.description.recipients.isEmpty
            else {
                report.problems.append(
                    .init(
                        "drill", "a drill is due, and there is no recovery key to open \(id) with",
                        hint:
                            "name its file as 'identityFile' in policies/notify.yaml or in $UNDERSTUDY_IDENTITY of the "
                            + "service, or take 'drillEvery' out and run 'understudy drill --identity FILE' by hand",
                        cause: "no key"))
                return isRed
            }
            // The variable is for the drill to read: a key that is in it by mistake must not stand in the list of processes.
            let option = policy.identityFile.map { ["--identity", $0.string] } ?? []
            let step = NightStep(["drill", id] + option, mayEnd: [0, 5, 6], "drill")
            let drilled: NightStep.Drilled? = await step.run(&report, session)
            return drilled.map { !$0.green } ?? isRed
        } catch {
            let failure = CommandFailure(error)
            report.problems.append(
                .init(
                    "drill", "what drills found cannot be determined: \(failure.message)", hint: failure.hint)
            )
            return true
        }
    }

    private func prune(_ report: inout NightReport, _ session: Session) async {
        let step = NightStep(["prune"], mayEnd: [0], "prune")
        let pruned: NightStep.Pruned? = await step.run(&report, session)
        report.forgotten = pruned?.forgotten.count
    }

    /// Looks at how old and how proven everything is, and whether a restore was interrupted; says whether the store can be read
    /// and nothing in it was met that is lost.
    private func look(_ report: inout NightReport, _ policy: NotifyPolicy, _ session: Session) async -> Bool {
        do {
            let check = try await StatusCheck(session, policy)
            report.last = check.last
            report.lastDrill = check.lastDrill
            report.lastGreenDrill = check.lastGreenDrill
            report.problems += check.problems
            return check.lost.isEmpty
        } catch {
            let failure = CommandFailure(error)
            report.problems.append(
                .init(
                    "age", "how old the snapshots are cannot be determined: \(failure.message)",
                    hint: failure.hint)
            )
            return false
        }
    }

    private func words(_ report: NightReport) -> String {
        var lines = [report.summary]
        if let drill = report.lastDrill, drill.isGreen, drill.snapshot == report.snapshot {
            let unproven = drill.unproven ?? []
            let rest = drill.unmeasured.map { ", \($0)" } ?? ""
            lines.append(
                unproven.isEmpty
                    ? "  drill green, \(shown(seconds: drill.restoreSeconds)) from nothing to serving\(rest)"
                    : "  drilled: checked, not started: \(unproven.joined(separator: ", "))")
        }
        if let forgotten = report.forgotten { lines.append("  forgot \(counted(forgotten, "snapshot"))") }
        lines += report.problems.map { "  PROBLEM: \($0.message)\n           \($0.hint)" }
        return lines.joined(separator: "\n")
    }
}
