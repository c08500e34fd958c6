internal import ArgumentParser
internal import Canary
internal import Capture
internal import Configuration
internal import FileTree
internal import GitStore
internal import Judge
internal import Restore
internal import SnapshotModel
internal import SystemPackage

struct PromoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract:
            "Apply a change that has passed its canary, watch it, and roll it back automatically on failure.",
        discussion: """
            Refuses a verdict that is no pass, is too old, was made under another policy or lacks approvals, and a \
            production that drifted from the verdict's snapshot. Takes a snapshot, makes the candidate again, rehearses the \
            way back in isolation, prepares everything beside production, stops, exchanges in one step, starts, compares \
            the plugins with those of the candidate, runs the builds that the policy names as 'smoke', and watches for the \
            policy's time. The first thing that the canary had not seen rolls everything back. 'understudy undo' reverts \
            the promotion later.

            EXAMPLE
              understudy promote --dry-run latest --identity recovery.key
              understudy promote 20261126T0224 --approved-by kim \\
                  --identity recovery.key

            EXIT STATUS
              0   it is in production, and the watch was quiet
              1   it failed, and was rolled back; or that failed too, and the report
                  says so
              7   refused: nothing was exchanged; the reasons are printed
              10  there is no store
              11  another process writes to the store, or another canary runs
              12  no identity, or none that opens the snapshot
              64  wrong usage, or a mistake in the system file or a policy
            """)

    @Argument(help: "The verdict: its id, a unique prefix of it, or latest.")
    var verdict: String

    @Option(
        name: .customLong("approved-by"), help: "Who approved; repeatable.")
    var approvals: [String] = []

    @Flag(help: "Print what would be done and do nothing.")
    var dryRun = false

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    func validate() throws {
        for name in approvals where !name.contains(where: { $0.isLetter || $0.isNumber }) {
            throw ValidationError("'\(name)' is not a name.")
        }
    }

    func run() async throws {
        let session = try Session(options)
        let policy = try CanaryPolicyFile.read(for: session.description)
        let store = try session.store()
        let identities = try identity.read()
        let lock = dryRun ? nil : try store.lock(purpose: "promote")
        if lock != nil {
            let recovered = try await session.recover(store)
            try recovered.check()
            for line in recovered.lines { session.output.progress(line) }
        }
        let reader = try store.reader()
        let (record, commit) = try CanaryRecord.find(
            verdict, in: store, of: session.system.name, with: reader)
        let contents = try record.contents(
            in: commit, of: OpenedStore(session.system, store: store, reader: reader, identities: identities))
        let promotion = try Promotion(
            session.system, store: store, reader: reader, identities: identities,
            request: .init(
                record: record, contents: contents, policy: policy, approvals: approvals,
                author: session.author, launcher: Files.resolved("/proc/self/exe"), parent: "/var/tmp"),
            progress: { session.output.progress($0) })
        let plan = try await promotion.plan(now: Clock.now.seconds)
        session.output.endProgress()
        guard let lock, plan.refusals.isEmpty else {
            try session.output.result(plan) { words(plan) }
            if !plan.refusals.isEmpty { throw ExitCode(ExitStatus.refused.rawValue) }
            return
        }
        let report = try await promotion.run(plan, holding: lock)
        session.output.endProgress()
        try session.output.result(report) { words(report) }
        if report.result != .promoted { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func words(_ plan: PromotionPlan) -> String {
        var lines = ["would promote \(plan.verdict): \(plan.change)"]
        lines += plan.parts.map { "  \($0.object): \($0.detail)" }
        lines += plan.paths.map { "  exchanges \($0)" }
        lines.append("  watches for \(shown(seconds: Double(plan.bake)))")
        lines += (plan.smoke ?? []).map { "  asks for a build of \($0) in production" }
        lines += (plan.seen ?? []).map { "  seen: \($0)" }
        lines += plan.refusals.map { "  REFUSED: \($0)" }
        return lines.map { printable($0.utf8) }.joined(separator: "\n")
    }

    private func words(_ report: PromotionReport) -> String {
        let took = shown(seconds: report.seconds)
        let headline =
            switch report.result {
            case .promoted: "promoted \(report.plan.verdict) in \(took): \(report.plan.change)"
            case .rolledBack: "ROLLED BACK \(report.plan.verdict) after \(took): \(report.breach ?? "")"
            case .notPutBack: "NOT PUT BACK \(report.plan.verdict) after \(took): \(report.breach ?? "")"
            }
        var lines = [headline]
        if let hint = report.hint { lines.append("  hint: \(hint)") }
        lines += report.plan.parts.map { "  \($0.object): \($0.detail)" }
        if report.watched == nil { lines.append("  NOT WATCHED: production does not run") }
        lines += (report.plan.seen ?? []).map { "  seen: \($0)" }
        lines += (report.checks ?? []).map { check in
            switch check.outcome {
            case .held: "  \(check.name): \(check.detail)"
            case .broken: "  \(check.name): BROKEN: \(check.detail)"
            case .notTried: "  \(check.name): not tried: \(check.detail)"
            }
        }
        lines.append("  the way back: \(report.rollback)")
        lines.append("  the state before it is snapshot \(report.before)")
        if report.result == .promoted { lines.append("  'understudy undo' reverts it") }
        return lines.map { printable($0.utf8) }.joined(separator: "\n")
    }
}
