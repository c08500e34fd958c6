internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drill
internal import FileTree
internal import Git
internal import GitStore
internal import Judge
internal import Reports
internal import SnapshotModel
internal import SystemPackage

struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "Restore a snapshot into isolation, and prove that it comes back.",
        discussion: """
            Verifies the snapshot, opens everything that is sealed, restores it into a directory of its own, compares that \
            with the snapshot, boots what can be booted in a sandbox without network and without production's secrets, and \
            runs a build. Production is not touched. The result is kept in the store as evidence; a green drill makes the \
            snapshot proven.

            EXAMPLE
              understudy drill --identity recovery.key
              understudy drill latest~7 --build nightly --identity recovery.key
              understudy drill --report drill.html --identity recovery.key

            EXIT STATUS
              0   green: the snapshot is proven
              1   the drill could not be run, or there is no such snapshot
              5   nothing is wrong, but something that can be started was not: the snapshot
                  is checked, not proven
              6   red: something does not come back; the report says what
              7   what was booted has no job of the name that was given; nothing is kept
              10  there is no store
              11  another drill or canary runs, or another process wrote to the store for
                  two hours: the outcome was printed, and is not kept
              12  no identity, or none that opens the snapshot
              64  wrong usage, or a mistake in the system file; or the snapshot knows no
                  job of the name that was given
            """)

    @Argument(help: "The snapshot; the latest when left out.")
    var id = "latest"

    @Option(
        name: .customLong("build"),
        help: "A job that must run green in isolation; repeatable. Default: the most used one.")
    var jobs: [String] = []

    @Option(
        name: .customLong("report"),
        help: "Write a page about the drill to this file, green or red, for whoever asks for proof.",
        completion: .file(extensions: ["html"]))
    var page: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Result: Encodable {
        struct Step: Encodable {
            var component: String, name: String, result: String, detail: String
            var seconds: Double
        }
        var snapshot: String
        var steps: [Step]
        /// Whether nothing is wrong.
        var green: Bool
        /// Whether everything that can be started was, too.
        var proven: Bool
        var seconds: Double
        /// The commit of the record in the store.
        var evidence: String
        /// Why the record is not signed; nil when it is, or when the system file names no key.
        var unsigned: String?
    }

    func run() async throws {
        let session = try Session(options)
        // Not after an hour's drill.
        let place = try page.map { try absolute(FilePath($0)) }
        if let directory = place?.removingLastComponent(), try !Files.isDirectory(directory) {
            throw CommandFailure(
                .usage, "there is no directory \(directory) for the report",
                hint: "make it, or name another file"
            )
        }
        let policy = try CanaryPolicyFile.read(for: session.description)
        let store = try session.store()
        let reader = try store.reader()
        let reference = try store.snapshot(id, of: session.system.name)
        let stored = try store.read(reference, with: reader)
        let drill = try Drill(
            session.system, store: store, reader: reader, snapshot: stored, identities: identity.read(),
            jobs: jobs, launcher: Files.resolved("/proc/self/exe"), limits: policy.shadows,
            parent: "/var/tmp",
            progress: { session.output.progress($0) })
        if let (names, known) = drill.unknownJobs() { throw unknown(names, known, reference.id) }
        let report = try await drill.run()
        session.output.endProgress()
        let lock: WriterLock
        do {
            lock = try await store.lock(purpose: "drill", waiting: evidenceWait) {
                session.output.progress($0)
            }
        } catch {
            // It is kept nowhere then.
            try session.output.result(report) { words(report) }
            throw error
        }
        session.output.endProgress()
        let record = try await store.addEvidence(
            DrillHistory.kind, system: session.system.name,
            subject: "drill of \(reference.id): \(Self.word(report))", report: report,
            about: reference.id, isProof: report.isProof, author: session.author, time: Clock.now.seconds,
            holding: lock)
        if let place {
            let isSigned = try store.commit(record.commit, with: store.reader()).signature != nil
            let text = document(
                of: report, stored, evidence: record.commit.description, isSigned: isSigned,
                unsigned: record.unsigned,
                session)
            try Files.replace(place, with: Array(text.utf8))
        }
        let result = Result(
            snapshot: reference.id.description,
            steps: report.checks.map {
                .init(
                    component: $0.component, name: $0.name, result: $0.result.rawValue, detail: $0.detail,
                    seconds: $0.seconds)
            }, green: report.isGreen, proven: report.isProof, seconds: report.seconds,
            evidence: record.commit.description,
            unsigned: record.unsigned)
        try session.output.result(result) {
            words(report) + (record.unsigned.map { "\n  the record is not signed: \($0)" } ?? "")
        }
        if !report.isGreen { throw ExitCode(ExitStatus.verification.rawValue) }
        if !report.isProof { throw ExitCode(ExitStatus.inconclusive.rawValue) }
    }

    /// Why a snapshot is not drilled with jobs that it does not know.
    private func unknown(_ names: [String], _ known: [String], _ id: SnapshotID) -> CommandFailure {
        let words = names.map { "'\($0)'" }.joined(separator: ", ")
        let some = known.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
        let more = known.count > 5 ? " and \(known.count - 5) more" : ""
        return CommandFailure(
            .usage, "the snapshot \(id) knows no job \(words)",
            hint: known.isEmpty
                ? "nothing of it builds: leave --build out" : "name one that it knows: \(some)\(more)")
    }

    /// One word: `green`, `checked` or `red`.
    private static func word(_ report: DrillReport) -> String {
        report.isProof ? "green" : report.isGreen ? "checked" : "red"
    }

    private func document(
        of report: DrillReport, _ stored: StoredSnapshot, evidence: String, isSigned: Bool, unsigned: String?,
        _ session: Session
    ) -> String {
        let rest = report.unmeasured.map { ", \($0)" } ?? ""
        let facts = [
            ("system", session.system.name), ("snapshot", report.snapshot.description),
            ("taken", "\(CivilTime(seconds: stored.commit.time).iso8601) on \(stored.snapshot.host)"),
            ("status", stored.snapshot.status.rawValue), ("drill began", report.started),
            ("restored on", report.host), ("by", "understudy \(report.tool)"),
            ("from nothing to serving", "\(shown(seconds: report.restoreSeconds))\(rest)"),
            ("the whole drill", shown(seconds: report.seconds)),
            (
                "checks",
                "\(report.checks.count { $0.result == .passed }) passed, \(report.problems.count) failed, "
                    + "\(report.checks.count { $0.result == .notCovered }) not covered"
            ),
        ]
        let words =
            isSigned
            ? "yes: 'git verify-commit' checks it"
            : "NO: \(unsigned ?? "the system file names no signing-key")"
        let bindings = [
            ("snapshot commit", stored.reference.commit.description),
            ("snapshot signed", stored.commit.signature == nil ? "NO" : "yes: 'git verify-commit' checks it"),
            ("evidence commit", evidence), ("evidence signed", words),
            ("evidence in the store", "refs/evidence/\(session.system.name)/\(DrillHistory.kind)"),
        ]
        let steps = report.checks.map { check in
            HTMLReport.DrillStep(
                component: check.component, name: check.name,
                result: mark(check.result), detail: check.detail, seconds: check.seconds)
        }
        return HTMLReport.drill(
            of: report.snapshot.description, isGreen: report.isGreen, unproven: report.unproven ?? [],
            facts: facts,
            steps: steps, bindings: bindings)
    }

    private func mark(_ result: DrillReport.Check.Result) -> HTMLReport.DrillStep.Result {
        switch result {
        case .passed: .passed
        case .failed: .failed
        case .notCovered: .notCovered
        }
    }

    private func words(_ report: DrillReport) -> String {
        let head =
            report.isProof
            ? "green: \(report.snapshot) comes back, \(shown(seconds: report.seconds)) from nothing to everything below"
            : report.isGreen
                ? "checked, not started: nothing is wrong with \(report.snapshot), and \((report.unproven ?? []).joined(separator: ", ")) could not be started"
                : "RED: \(report.snapshot) does not come back: \(report.problems.first ?? "nothing could be checked")"
        let rows = report.checks.map { check in
            let mark =
                switch check.result {
                case .passed: "ok"
                case .failed: "FAILED"
                case .notCovered: "not covered"
                }
            return [
                "  \(check.component)", check.name, mark, shown(seconds: check.seconds), check.detail,
            ]
        }
        let rest = report.unmeasured.map { "; \($0)" } ?? ""
        let measured =
            report.isGreen
            ? [
                "  of that a restore needs \(shown(seconds: report.restoreSeconds)) too (verify, restore, load, boot)\(rest)"
            ] : []
        let next =
            report.isProof
            ? "  the snapshot is proven"
            : report.isGreen
                ? "  not proven: see above what is missing for its start, and drill again"
                : "  hint: restore an older one that is proven: 'understudy snapshots'"
        return ([head, table(rows)] + measured + [next]).joined(separator: "\n")
    }
}
