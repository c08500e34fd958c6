internal import ArgumentParser
internal import Canary
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Judge
internal import Restore
internal import SnapshotModel
internal import SystemPackage

struct CanaryRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Rehearse a change on two isolated shadows, and judge it.",
        discussion: """
            Makes two copies of a snapshot, takes every secret and every way out of them, isolates them in the kernel, \
            puts the change into one, and runs both through the stages of the policy: static checks, boots, history, the \
            site's own builds. Production is not touched. The verdict and its evidence are kept in the store. Without a \
            change the two arms are the same, which shows what this host's noise alone can do.

            EXAMPLE
              understudy canary run --plugin buildbot-grid-view@4.3.0 \\
                  --identity recovery.key
              understudy canary run --files new/ --removes builder:nightly \\
                  --identity recovery.key
              understudy canary run --change grid-view --identity recovery.key

            EXIT STATUS
              0   pass: the change may be promoted
              1   the experiment broke, and the verdict is error; or there is no such
                  snapshot
              4   fail: the change would break something; the report says what
              5   inconclusive: the report names the cheapest way to a decision
              6   the snapshot is damaged
              7   refused: nothing can be rehearsed, or there is no such change, or it
                  cannot be used
              10  there is no store
              11  another canary runs, or another process wrote to the store for two hours:
                  the report was printed, and is not kept
              12  no identity, or none that opens the snapshot
              64  wrong usage, or a mistake in the system file or a policy
            """)

    @Option(
        name: .customLong("change"),
        help:
            "A proposed change by its name ('understudy change list'), instead of options that describe one.")
    var proposal: String?

    @OptionGroup var change: ChangeOptions

    @Option(help: "The snapshot that is changed; the latest when left out.")
    var snapshot = "latest"

    @Option(help: "The seed for the order of the probes; random when left out.")
    var seed: UInt64?

    @Option(
        name: [.customShort("m"), .long], help: "One line that says what the change is for.")
    var message: String?

    @Option(help: "Write the reports to this directory: HTML, JSON, JUnit.", completion: .directory)
    var report: String?

    @Option(
        help: "The policy; default: that of the system. The verdict is bound to it.",
        completion: .file(extensions: ["yaml"]))
    var policy: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    func validate() throws {
        guard change.isEmpty else {
            if proposal != nil { throw ValidationError("--change names all that is changed.") }
            return
        }
        if proposal != nil, !change.removals.isEmpty {
            throw ValidationError("A proposed change says itself what it removes on purpose.")
        }
        if proposal == nil, !change.archives.isEmpty {
            throw ValidationError("--archives says what a --plugin may need; name one.")
        }
    }

    func run() async throws {
        let session = try Session(options)
        let policy = try canaryPolicy(policy, session)
        let store = try session.store()
        let reader = try store.reader()
        let identities = try identity.read()
        let reference = try store.snapshot(snapshot, of: session.system.name)
        let stored = try store.read(reference, with: reader)
        let origin = OpenedStore(session.system, store: store, reader: reader, identities: identities)
        let proposals = Proposals(origin)
        let proposed = try proposal.map { try proposals.read(proposals.find($0)) }
        let contents =
            try proposed.map { try change.complete($0.contents, session, store, reader, identities) }
            ?? change.contents(change.changed(session), session, store, stored, reader, identities)
        let id = SnapshotID(seconds: Clock.now.seconds, random: .random(in: 0...UInt16.max))
        let run = try CanaryRun(
            session.system, store: store, reader: reader, snapshot: stored, identities: identities,
            policy: policy, launcher: Files.resolved("/proc/self/exe"), id: id.description,
            request: .init(
                contents: contents, index: change.source,
                description: message ?? proposed?.subject ?? contents.summary,
                proposal: proposed.map { .init(name: $0.name, tree: $0.tree.description) },
                seed: seed ?? .random(in: .min ... .max), parent: "/var/tmp"),
            progress: { session.output.progress($0) })
        let evidence = try await run.run()
        session.output.endProgress()
        let verdict = judge(evidence, under: policy)
        let reports = CanaryReports(evidence, verdict)
        // Another writer may have the store for long; and what cannot be told is kept all the same.
        let told = Result {
            if let report { try reports.write(to: FilePath(report)) }
            try session.output.result(reports.document) { reports.text }
        }
        let lock = try await store.lock(purpose: "canary", waiting: evidenceWait) {
            session.output.progress($0)
        }
        session.output.endProgress()
        try await CanaryRecord(evidence: evidence, verdict: verdict).save(
            in: store, contents: run.contents,
            sealing: .init(of: contents.change.component, in: stored, of: origin), pages: try reports.pages,
            author: session.author,
            time: Clock.now.seconds, holding: lock)
        try told.get()
        try reports.end()
    }
}

/// How long what was seen waits to be kept: a night that writes its snapshot is no reason to lose hours.
let evidenceWait = Duration.seconds(2 * 3600)

/// The policy in the file that was named, or that of the system.
func canaryPolicy(_ file: String?, _ session: Session) throws -> CanaryPolicy {
    try file.map { try CanaryPolicyFile.read(FilePath($0)) }
        ?? CanaryPolicyFile.read(for: session.description)
}
