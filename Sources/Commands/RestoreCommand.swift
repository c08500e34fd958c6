internal import Capture
internal import ArgumentParser
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Restore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage
internal import Workers

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put the whole delivery system, or parts of it, back to a snapshot.",
        discussion: """
            Stages everything beside production, reads it back and compares it with the snapshot, takes a safety \
            snapshot of what is there, stops the system, exchanges the directories in one step each, starts the system \
            and probes it. If anything fails, the old system is put back. 'understudy undo' reverts the restore later. \
            What is damaged in the store is fetched from its git remotes.

            On an empty machine it needs only --from and the recovery key: the store is fetched to its place, the system \
            file is taken from the snapshot, and everything missing on this host is listed at once. --map says what is \
            different on this host: a path with everything below it, a port, a host, a user or group; a database or tool \
            that it leaves where it stood is replaced only if --component names it. With --dry-run the store is fetched \
            too, since it must be read; nothing else is touched.

            EXAMPLE
              understudy restore --dry-run --identity recovery.key
              understudy restore latest --identity recovery.key
              understudy restore --from ssh://backup@vault/srv/acme.git \\
                  --identity recovery.key
              understudy restore --from acme.tar.zst --identity recovery.key \\
                  --map /srv/ci=/data/ci --map 8010=8011
              understudy restore 2026-11-23 --only job:team/deploy \\
                  --identity recovery.key

            EXIT STATUS
              0   the system is restored
              1   it failed, and the message says whether the old system is back; or there
                  is no such snapshot; or not everything started
              6   the snapshot is damaged, or not signed by a trusted signer; nothing was
                  changed
              7   refused before anything was touched; the reasons are printed
              10  there is no store
              11  another process writes to the store
              12  no identity, or none that opens the snapshot; nothing was touched
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The snapshot; the latest when left out.")
    var id = "latest"

    @Option(help: "Restore only this component; repeatable.")
    var component: [String] = []

    @Option(
        help:
            "Restore only file:PATH, repository:NAME, job:NAME, plugin:NAME or builder:NAME into the live system; repeatable."
    )
    var only: [String] = []

    @Option(
        name: .customLong("to"), help: "Restore into this directory and leave production alone.",
        completion: .directory)
    var destination: String?

    @Flag(help: "Print the plan and do nothing.")
    var dryRun = false

    @Flag(help: "Do not start what was restored.")
    var noStart = false

    @Flag(
        help:
            "If a component fails to start, leave it and its dependents down and keep the rest running, instead of rolling back."
    )
    var keepGoing = false

    @Flag(help: "Resume the work that was running at the snapshot: builds, queued requests, due triggers.")
    var resumeWork = false

    @Flag(help: "Restore a partial snapshot: what it lacks will be missing.")
    var partial = false

    @Option(
        help: "Take the store from this copy: a URL, a directory, or a file that 'export' wrote.")
    var from: String?

    @Option(
        help: "With --from: where the store should be; default: where the system file says.",
        completion: .directory)
    var store: String?

    @Option(help: "With --from: which system, if the copy holds several.")
    var name: String?

    @Option(help: "With --from: OLD=NEW, replace OLD by NEW (path, port, host, user); repeatable.")
    var map: [String] = []

    @Option(
        help:
            "Trust only this signing key, not those in the system file: 'ssh-ed25519 AAAA…' or a .pub file; repeatable."
    )
    var signer: [String] = []

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Plan: Encodable {
        struct Path: Encodable {
            var component: String
            var path: String
            var create: Int
            var replace: Int
            var delete: Int
            var keep: Int
            var bytes: Int64
        }

        var snapshot: String
        var plan: RestoreReport.Counts
        var paths: [Path]
        /// What drivers put in place themselves: databases and the like.
        var applied: [String]
        var restarts: [String]
        var reloads: [String]
        /// What starts, each as soon as what it needs is up.
        var starts: [RestorePlan.Start]
        var warnings: [String]
        var refusals: [String]
        /// What the system file says otherwise here.
        var mapped: [String]
    }

    func validate() throws {
        guard from != nil || (store == nil && name == nil && map.isEmpty) else {
            throw ValidationError("--store, --name and --map belong to --from.")
        }
        guard destination != "" else { throw ValidationError("--to needs the name of a directory.") }
        for text in only where RestoreItem(text) == nil {
            throw ValidationError(
                "'\(text)' is not an item: write file:/PATH, repository:NAME, job:NAME, plugin:NAME or builder:NAME."
            )
        }
        guard only.isEmpty || component.isEmpty && destination == nil && from == nil else {
            throw ValidationError(
                "--only restores items into the live system: leave --component, --to and --from out.")
        }
    }

    func run() async throws {
        let arrival = try await arrival()
        let session = try arrival?.session ?? Session(options)
        try checkComponents(component, session)
        let store = try arrival?.store ?? session.store()
        var request = RestoreRequest(
            components: Set(component),
            destination: try destination.map { try absolute(FilePath($0)) },
            starts: !noStart, resumesWork: resumeWork, allowsPartial: partial, author: session.author,
            accounts: arrival?.accounts ?? [:])
        request.keepsGoing = keepGoing
        request.hasSystemFile = try Files.exists(session.file)
        request.items = only.compactMap { RestoreItem($0) }
        let identities = try identity.read()
        if dryRun {
            let reference = try store.snapshot(id, of: session.system.name)
            let notes = try await checkSignature(reference, store, session, arrival)
            let reader = try store.reader()
            let origin = OpenedStore(session.system, store: store, reader: reader, identities: identities)
            var plan = try await plan(
                try store.read(reference, with: reader), request, origin, session, arrival)
            plan.warnings += notes
            if destination == nil, arrival == nil, let words = try Recovery.running(store) {
                plan.warnings.append("\(words); this plan describes the state in the middle of that")
            } else if destination == nil, let found = try Recovery.look(store.localDirectory) {
                plan.warnings.append(
                    "\(found.words); \(found.wayBack) first; the rest of this plan describes the current state"
                )
            }
            session.output.endProgress()
            let planned = plan
            let starts = destination == nil ? planned.starts(in: session.system, for: request) : []
            try session.output.result(encodable(planned, starts, arrival)) { words(planned, starts, arrival) }
            if !plan.refusals.isEmpty { throw ExitCode(ExitStatus.refused.rawValue) }
            return
        }
        let lock = try arrival?.lock ?? store.lock(purpose: "understudy restore")
        let system = session.system.name
        let all = { try store.snapshots(of: system).map(\.commit) }
        let (reference, notes) = try await session.healing(store, all, .commit, holding: lock) { healed in
            (try store.snapshot(id, of: system), healed)
        }
        // What was done about an interrupted restore is done, whatever becomes of this one.
        var recovered: [String] = []
        var report = try await session.healing(
            store, { [reference.commit] }, .contents, holding: lock
        ) { healed in
            let notes = try await checkSignature(reference, store, session, arrival) + notes
            let reader = try store.reader()
            let stored = try store.read(reference, with: reader)
            let origin = OpenedStore(session.system, store: store, reader: reader, identities: identities)
            try checkIdentities(stored, origin)
            recovered += try await recover(stored, store, session)
            do {
                var plan = try await plan(stored, request, origin, session, arrival)
                plan.warnings += recovered + notes + healed
                return try await run(plan, stored, request, origin, session, holding: lock)
            } catch {
                let failure = CommandFailure(error)
                throw CommandFailure(
                    failure.status, ([failure.message] + recovered).joined(separator: "\n       "),
                    hint: failure.hint, path: failure.path)
            }
        }
        if let arrival, request.destination == nil {
            do {
                report.notes += try arrival.settle(restoring: request.components)
            } catch {
                // What was restored stands and runs.
                report.proven = false
                report.doubts.append(
                    "the system file or its policies could not be written: \(error); 'git -C \(store.path) show "
                        + "\(reference.commit):understudy.yaml' prints the one of the snapshot")
            }
        }
        session.output.endProgress()
        try session.output.result(report) { words(report) }
        if !report.failed.isEmpty { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func run(
        _ plan: RestorePlan, _ stored: StoredSnapshot, _ request: RestoreRequest, _ origin: OpenedStore,
        _ session: Session, holding lock: WriterLock
    ) async throws -> RestoreReport {
        guard plan.refusals.isEmpty else {
            // Reasons of one kind have one hint.
            var hints: [String] = []
            for refusal in plan.refusals where !hints.contains(refusal.hint) { hints.append(refusal.hint) }
            throw CommandFailure(
                .refused, plan.refusals.map(\.reason).joined(separator: "\n       "),
                hint: hints.joined(separator: "\n      "))
        }
        // They opened the snapshot. Said now, since a sync after the restore would make the file system write down all that was
        // restored; and beside it, since one before waits for what others have just written.
        let saying = origin.identities.flatMap { identities in
            plan.openings.isEmpty
                ? nil
                : Background {
                    try origin.store.keepKeyCheck(
                        KeyCheckRecord(
                            snapshot: stored.reference.id,
                            recipients: identities.map(\.recipient.description),
                            time: Clock.now.seconds))
                }
        }
        let engine = RestoreEngine(
            session.system, store: origin.store, reader: origin.reader, snapshot: stored, plan: plan,
            request: request, progress: { session.output.progress($0) })
        var report = try await engine.run(holding: lock)
        do {
            try saying?.wait()
        } catch {
            report.notes.append("it could not be noted that the key opens the snapshot: \(error)")
        }
        return report
    }

    /// Puts the old trees of an interrupted restore back, and returns what there is to say; beside production nothing of it is
    /// touched.
    private func recover(
        _ stored: StoredSnapshot, _ store: SnapshotStore, _ session: Session
    ) async throws -> [String] {
        guard destination == nil else { return [] }
        let recovered = try await session.recover(store)
        for line in recovered.lines { session.output.progress(line) }
        // What is restored as a whole need not be put back first; what is down may come up with it.
        let wanted = component.isEmpty ? stored.snapshot.components.map(\.name) : component
        if !recovered.areFilesBack || !recovered.unapplied.isSubset(of: only.isEmpty ? wanted : []) {
            try recovered.check()
        }
        return recovered.lines
    }

    /// Opens the snapshot before anything is touched, an interrupted restore included.
    private func checkIdentities(_ stored: StoredSnapshot, _ origin: OpenedStore) throws {
        let wanted = stored.snapshot.components.filter { component.isEmpty || component.contains($0.name) }
        _ = try RestorePlanner(origin).openings(of: wanted, in: stored)
    }

    private func plan(
        _ stored: StoredSnapshot, _ request: RestoreRequest, _ origin: OpenedStore, _ session: Session,
        _ arrival: Arrival?
    ) async throws -> RestorePlan {
        session.output.progress("planning")
        guard request.items.isEmpty else { return try await ItemPlanner(origin).plan(stored, request) }
        var plan = try await RestorePlanner(origin).plan(stored, request)
        plan.warnings += arrival?.notes ?? []
        plan.refusals += arrival?.refusals ?? []
        if request.destination == nil { arrival?.checkPlaces(&plan, naming: request.components) }
        if let destination = request.destination {
            plan.refusals += plan.refusals(ofWritingTo: destination, beside: session.system, origin.store)
        }
        return plan
    }

    /// Refuses a snapshot that was not signed by whom it should be, and returns what there is to say besides.
    private func checkSignature(
        _ reference: SnapshotReference, _ store: SnapshotStore, _ session: Session, _ arrival: Arrival?
    ) async throws -> [String] {
        let given = try signer.map { try signerKey($0) }
        let signers = given.isEmpty ? session.description.signers : given
        try await session.checkSignature(reference, signers, store)
        let losses: [String]
        do {
            losses = try store.signsOfLoss(of: session.system.name)
        } catch let error as GitError where error.code == .damaged || error.code == .notFound {
            // Another snapshot than the one that is restored.
            losses = ["what was dropped or replaced cannot be determined: \(error)"]
        }
        guard arrival != nil, given.isEmpty, !signers.isEmpty else { return losses }
        let names = signers.map(\.fingerprint).joined(separator: " or ")
        return losses + [
            "it is signed by a key named only in its own system file, \(names): check that this key is yours (--signer KEY)"
        ]
    }

    /// The system that comes from elsewhere, nil without `--from`.
    private func arrival() async throws -> Arrival? {
        guard let from else { return nil }
        return try await Arrival(
            .init(source: from, id: id, store: store, name: name, map: map, systemFile: options.system),
            options)
    }

    private func encodable(_ plan: RestorePlan, _ starts: [RestorePlan.Start], _ arrival: Arrival?) -> Plan {
        Plan(
            snapshot: plan.snapshot.id.description,
            plan: .init(create: plan.create, replace: plan.replace, delete: plan.delete, keep: plan.keep),
            paths: plan.roots.map {
                .init(
                    component: $0.component, path: $0.target.string, create: $0.create, replace: $0.replace,
                    delete: $0.delete, keep: $0.keep, bytes: $0.bytes)
            },
            applied: plan.applications.flatMap { part in part.words.map { "\(part.component): \($0)" } },
            restarts: plan.restarts, reloads: plan.reloads.map { "\($0.component): \($0.words)" },
            starts: starts, warnings: plan.warnings,
            refusals: plan.refusals.map { "\($0.reason) (\($0.hint))" }, mapped: arrival?.mapped ?? [])
    }

    private func words(_ plan: RestorePlan, _ starts: [RestorePlan.Start], _ arrival: Arrival?) -> String {
        var lines = ["would restore \(plan.snapshot.id)"]
        lines.append(
            table(
                [["  COMPONENT", "PATH", "CREATE", "REPLACE", "DELETE", "KEEP", "BYTES"]]
                    + plan.roots.map { root in
                        guard root.root.kind != .rebuilt else {
                            let what =
                                root.packages.isEmpty
                                ? "rebuilt from locks and archives"
                                : "as it is now, except for \(root.packages.joined(separator: ", "))"
                            return ["  \(root.component)", root.root.path, what, "", "", "", ""]
                        }
                        return [
                            "  \(root.component)", root.target.string, "\(root.create)", "\(root.replace)",
                            "\(root.delete)",
                            "\(root.keep)", shown(bytes: root.bytes),
                        ]
                    }))
        lines += plan.applications.flatMap { part in part.words.map { "  \(part.component): \($0)" } }
        let up = Set(starts.map(\.component))
        let again = plan.restarts.filter { up.contains($0) }
        let down = plan.restarts.filter { !up.contains($0) }
        if !again.isEmpty {
            lines.append("  stops for the exchange and starts again: \(again.joined(separator: ", "))")
        }
        if !down.isEmpty {
            lines.append("  stops for the exchange and stays down: \(down.joined(separator: ", "))")
        }
        lines += plan.reloads.map { "  keeps running and reloads: \($0.component), \($0.words)" }
        lines += plan.derived.map { "  rebuilt by \($0.component) itself: \($0.path)" }
        lines += starts.filter { !$0.keepsRunning }.map { start in
            let needs = start.needs.joined(separator: ", ")
            return "  starts \(start.component)\(needs.isEmpty ? " at once" : " once \(needs) is ready")"
        }
        if !starts.isEmpty {
            lines.append(
                keepGoing || noStart
                    ? "  what fails to start stays down, with its dependents; the rest keeps running"
                    : "  if one fails to start, the old system is put back")
        }
        lines += (arrival?.mapped ?? []).map { "  mapped: \($0)" }
        lines += plan.warnings.map { "  note: \($0)" }
        lines += plan.refusals.map { "  REFUSED: \($0.reason)\n           \($0.hint)" }
        return lines.joined(separator: "\n")
    }

    private func words(_ report: RestoreReport) -> String {
        var lines = ["restored \(report.snapshot) in \(shown(seconds: report.seconds))"]
        lines.append(table(report.steps.map { ["  \($0.name)", shown(seconds: $0.seconds)] }))
        lines += report.fixes.map { "  fixed: \($0.subject): \($0.action)" }
        lines += report.notes.map { "  note: \($0)" }
        lines += report.failed.map { "  NOT STARTED: \($0.component): \($0.message)" }
        lines += report.held.map { "  not started: \($0), which depends on what is down" }
        if let safety = report.safety { lines.append("  the state before it is snapshot \(safety)") }
        let healthy =
            report.started.isEmpty ? "" : "; started and healthy: \(report.started.joined(separator: ", "))"
        lines.append(
            report.proven
                ? "  proven: read back, it equals the snapshot\(report.fixes.isEmpty ? "" : ", except for the fixes above")\(healthy)"
                : !only.isEmpty
                    ? "  each file was compared with the snapshot while it was written\(healthy)"
                    : "  not proven: \(report.doubts.joined(separator: "; "))\(healthy)")
        let wayless = report.wayless.joined(separator: ", ")
        if destination == nil {
            lines.append(
                wayless.isEmpty
                    ? "  'understudy undo' reverts it"
                    : "  'understudy undo' cannot revert it: nothing of \(wayless) could be kept")
        }
        return lines.joined(separator: "\n")
    }
}
