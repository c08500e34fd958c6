internal import ArgumentParser
internal import Capture
internal import Configuration
internal import FileTree
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

struct PushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Send history, snapshots and evidence to the store's remotes.",
        discussion: """
            Only what a remote lacks is sent, snapshots oldest first: if the connection breaks, what arrived stays and \
            the next push goes on. Nothing there is ever replaced or removed. A remote that fails does not stop the \
            others; the highest of their statuses is returned.

            EXAMPLE
              understudy push
              understudy push offsite --dry-run

            EXIT STATUS
              0   every remote has everything
              1   a remote failed
              6   some of what is to be sent is damaged, and is named; the rest was
                  sent: 'understudy verify --all --heal'
              7   refused: secrets are in clear, there is no such remote, or something
                  there is not from this store
              10  there is no store
              11  a remote is being written to by another process
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The remotes; all when left out.")
    var remotes: [String] = []

    @Flag(help: "Print what each remote lacks, and send nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var remotes: [PushResult]
        var dryRun: Bool
    }

    func run() async throws {
        let session = try Session(options)
        try Self.refuseWithoutRecipients(session)
        let store = try session.store()
        let chosen = try await Remotes(store).named(remotes)
        let results = await withTaskGroup(of: PushResult.self) { group in
            for remote in chosen {
                group.addTask { await push(to: remote, store, session) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.name < $1.name }
        }
        session.output.endProgress()
        let result = Result(remotes: results, dryRun: dryRun)
        try session.output.result(result) { results.map { $0.words(dryRun: dryRun) }.joined(separator: "\n") }
        guard let worst = results.compactMap(\.error?.status).max() else { return }
        throw ExitCode(worst)
    }

    /// A store whose system file names nobody holds every secret in clear: promise 5 of docs/design.md.
    static func refuseWithoutRecipients(_ session: Session) throws {
        guard session.description.recipients.isEmpty else { return }
        throw CommandFailure(
            .refused,
            "the system file names no recipients, so the store holds secrets in clear: it must not leave this host",
            hint:
                "'understudy key add --generate FILE' makes a key; what is in this store stays in clear, so begin a new one: "
                + "change 'store' in the system file and run 'understudy init' without a path"
        )
    }

    private func push(to remote: Remote, _ store: SnapshotStore, _ session: Session) async -> PushResult {
        var result = PushResult(name: remote.name, url: remote.shownURL)
        do {
            session.output.progress("looking at \(remote.name)")
            let push = Push(store, system: session.system.name)
            let plan = try await push.plan(remote, now: Clock.now.seconds)
            result.onlyThere = plan.onlyThere.map(\.description)
            result.lost = plan.lost
            guard plan.conflicts.isEmpty else {
                throw CommandFailure(
                    .refused, plan.conflicts.joined(separator: "; "),
                    hint:
                        "another store was pushed there, or somebody changed it: look at it, and give this store a remote of its own"
                )
            }
            try push.refuseWhatIsInClear(plan, isSealing: Self.isSealing)
            result.lacked = plan.snapshots.map(\.id.description)
            result.isHistoryNew = plan.history != nil
            result.isEvidenceNew = !plan.evidence.isEmpty
            result.unsendable = plan.unsendable
            if !dryRun {
                let (view, unsendable) = try await push.run(plan) { session.output.progress($0) }
                result.lacked.removeAll { view.snapshots[$0] == nil }
                result.isHistoryNew = view.history != plan.view.history
                result.unsendable += unsendable
            }
            guard result.unsendable.isEmpty else {
                throw CommandFailure(
                    .verification, result.unsendable.joined(separator: "; "),
                    hint: StoreSurvey.hint)
            }
        } catch {
            let failure = CommandFailure(error)
            result.error = .init(
                status: failure.status.rawValue, message: failure.message, hint: failure.hint)
        }
        return result
    }

    /// Whether the text of a system file names somebody to seal to; one that cannot be read names nobody.
    static func isSealing(_ text: [UInt8]) -> Bool {
        let text = String(decoding: text, as: UTF8.self)
        // What is wrong with a file of long ago is not the question here.
        let description = try? SystemFile.parse(text, path: "understudy.yaml", directory: "/")
        return description?.recipients.isEmpty == false
    }
}

/// What came of a push to one remote.
private struct PushResult: Encodable, Sendable {
    struct Failure: Encodable, Sendable {
        var status: Int32
        var message: String
        var hint: String
    }

    var name: String
    var url: String
    /// The snapshots that it lacked, oldest first, without those that are lost here.
    var lacked: [String] = []
    /// What it lacked and could not get, since something of it is lost here, and why.
    var unsendable: [String] = []
    var isHistoryNew = false
    var isEvidenceNew = false
    /// Snapshots that are there and not here.
    var onlyThere: [String] = []
    /// What was there when it was looked at before, and was not there now.
    var lost: [String] = []
    var error: Failure?

    func words(dryRun: Bool) -> String {
        var lines: [String] = []
        let isPart = !unsendable.isEmpty && error?.status == ExitStatus.verification.rawValue
        if let error, !isPart {
            lines.append("\(name)  FAILED: \(error.message)\n  hint: \(error.hint)")
        } else if lacked.isEmpty, !isHistoryNew, !isEvidenceNew {
            lines.append("\(name)  \(isPart ? "has everything else" : "has everything")")
        } else {
            let what = transferWords(lacked.count, history: isHistoryNew, evidence: isEvidenceNew)
            lines.append("\(name)  \(dryRun ? "lacks" : "got") \(what)")
        }
        if let error, isPart {
            lines +=
                unsendable.map { "  NOT \(dryRun ? "SENDABLE" : "SENT"): \($0)" } + ["  hint: \(error.hint)"]
        }
        lines += lost.map { "  NOTE: \($0): it was there when this host looked last" }
        if !onlyThere.isEmpty {
            lines.append("  there, but not here: \(counted(onlyThere.count, "snapshot"))")
        }
        return lines.joined(separator: "\n")
    }
}

/// What goes from one store to another, of which there is something.
func transferWords(_ snapshots: Int, history: Bool, evidence: Bool) -> String {
    let parts =
        (snapshots > 0 ? [counted(snapshots, "snapshot")] : []) + (history ? ["history"] : [])
        + (evidence ? ["evidence"] : [])
    return parts.joined(separator: ", ")
}
