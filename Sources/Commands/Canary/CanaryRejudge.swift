internal import ArgumentParser
internal import Canary
internal import Capture
internal import GitStore
internal import Judge

struct CanaryRejudge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejudge",
        abstract: "Judge a canary's evidence again, under another policy.",
        discussion: """
            Nothing is run: what the canary saw is judged again, and what comes out differently is shown. The store keeps \
            the verdict under the policy that was declared before the first boot; a verdict under a policy that was chosen \
            afterwards, when the outcome was known, is not kept and cannot be promoted.

            EXAMPLE
              understudy canary rejudge latest --policy stricter.yaml

            EXIT STATUS
              0   pass under that policy
              1   error: the experiment broke
              4   fail under that policy
              5   inconclusive under that policy
              6   a record is damaged
              7   there is no such canary, or there are several
              10  there is no store
              64  wrong usage, or a mistake in the system file or the policy
            """)

    @Argument(help: "The canary: its id, a unique prefix of it, or 'latest'.")
    var id: String

    @Option(
        help: "The policy; default: that of the system as it is now.", completion: .file(extensions: ["yaml"])
    )
    var policy: String?

    @OptionGroup var options: Options

    private struct Outcome: Encodable {
        /// What was judged: the whole, or a stage.
        var what: String
        var before: String
        var after: String
    }

    private struct Document: Encodable {
        var verdict: Verdict
        /// The verdict under the declared policy.
        var declared: String
        /// What comes out differently.
        var changes: [Outcome]
    }

    func run() async throws {
        let session = try Session(options)
        let policy = try canaryPolicy(policy, session)
        let store = try session.store()
        let (record, _) = try CanaryRecord.find(
            id, in: store, of: session.system.name, with: store.reader())
        let verdict = judge(record.evidence, under: policy)
        let changes = Self.changes(from: record.verdict, to: verdict)
        let reports = CanaryReports(record.evidence, verdict)
        let document = Document(verdict: verdict, declared: record.verdict.id, changes: changes)
        try session.output.result(document) {
            let head =
                changes.isEmpty
                ? "nothing comes out differently under the policy \(policy.digest.prefix(12))"
                : table(
                    [["under the policy", "declared", String(policy.digest.prefix(12))]]
                        + changes.map { ["  \($0.what)", $0.before, $0.after] })
            return head + "\n\n" + reports.text
        }
        try reports.end()
    }

    private static func changes(from old: Verdict, to new: Verdict) -> [Outcome] {
        func result(_ verdict: Verdict, _ stage: Stage) -> String {
            verdict.stages.first { $0.name == stage }?.result.rawValue ?? "not asked for"
        }
        let whole = Outcome(what: "verdict", before: old.result.rawValue, after: new.result.rawValue)
        let stages = Stage.allCases.map {
            Outcome(what: $0.title, before: result(old, $0), after: result(new, $0))
        }
        return ([whole] + stages).filter { $0.before != $0.after }
    }
}
