internal import Capture
internal import ArgumentParser
internal import Configuration
internal import FileTree
internal import Git
internal import GitStore
internal import SnapshotModel

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check snapshots byte by byte: every object, every file's SHA-256, every manifest.",
        discussion: """
            Sealed files are checked as they are stored; with an identity they are also opened.

            EXAMPLE
              understudy verify
              understudy verify --all
              understudy verify --all --heal

            EXIT STATUS
              0   all is well
              1   there is no such snapshot
              6   something is damaged, not signed by a trusted signer, or was dropped; it
                  is named
              10  there is no store
              11  another process writes to the store (with --heal)
              12  an identity was given that cannot be read, or does not open the snapshot
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The snapshots; the latest when left out.")
    var ids: [String] = []

    @Flag(
        help: "Check every snapshot of the store, its history, and every pack and index against its checksum."
    )
    var all = false

    @Flag(
        help: """
            First replace what is damaged or missing with good copies from the store's git remotes; with --all also \
            replace damaged packs with good ones.
            """)
    var heal = false

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Result: Encodable {
        struct Verdict: Encodable {
            var id: String
            var ok: Bool
            var objects: Int
            var problems: [String]
            /// Components that the identity does not open; they were checked as they lie there.
            var unopened: [String]
        }

        var ok: Bool
        var snapshots: [Verdict]
        /// What `--heal` did, and could not do.
        var healed: [String]
        /// What is wrong with packs, indexes and history; only `--all` looks.
        var problems: [String]
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let system = session.system.name
        let healed = heal ? try await heal(store, session) : []
        // Before anything is looked at: what another verification notes meanwhile stays. Who cannot read the list shortens none.
        let noted = all ? (try? store.notedDamage()) ?? [] : []
        let references =
            all
            ? try store.snapshots(of: system)
            : try (ids.isEmpty ? ["latest"] : ids).map { try store.snapshot($0, of: system) }
        let verification = try Verification(store, identities: try identity.read())
        let signers = session.description.signers
        let signatures =
            signers.isEmpty ? nil : try SignatureVerification(store, system: system, signers: signers)
        var verdicts: [SnapshotVerdict] = []
        if references.count > 1 {
            session.output.progress("verifying objects of captured repositories")
            verification.verifyAllSources(references)
        }
        for reference in references {
            session.output.progress("verifying \(reference.id)")
            let verdict = try await verification.settled {
                $0?.isOK ?? true
            } look: { () -> SnapshotVerdict? in
                var verdict = verification.verify(reference)
                // One that cannot even be read says so already.
                if verdict.isOK {
                    verdict.problems = try await signatures?.problems(of: reference) ?? []
                    verdict.problems += verification.verifySources(reference)
                }
                // One that a prune forgot meanwhile is not damaged.
                guard try verdict.isOK || store.snapshots(of: system).contains(reference) else {
                    guard all else { throw removed(reference) }
                    return nil
                }
                return verdict
            }
            if let verdict { verdicts.append(verdict) }
        }
        if all { session.output.progress("verifying packs and history") }
        var problems = try await verification.settled(\.isEmpty) {
            guard all else { return [String]() }
            return try await verification.verifyStore()
                + findings { try await signatures?.problemsOfEvidence() ?? [] }
                + findings { try store.signsOfLoss(of: system) }
        }
        let isOK = verdicts.allSatisfy(\.isOK) && problems.isEmpty
        if isOK, !noted.isEmpty {
            // A note of what is whole again costs a night little: nobody waits for the writer, or fails, to be rid of it.
            try? store.forgetDamage(noted, holding: store.lock(purpose: "understudy verify"))
        } else if !isOK, verification.hasFoundDamage {
            // What was wrong with a first look alone was a prune; what signatures are wrong is no damage.
            problems += await note(references, store, session)
        }
        session.output.endProgress()
        let result = Result(
            ok: isOK,
            snapshots: verdicts.map {
                .init(
                    id: $0.id.description, ok: $0.isOK, objects: $0.objects, problems: $0.problems,
                    unopened: $0.unopened)
            }, healed: healed, problems: problems)
        try session.output.result(result) {
            (result.healed
                + result.snapshots.flatMap { verdict in
                    ["\(verdict.id)  \(verdict.ok ? "ok" : "NOT OK")  \(verdict.objects) objects"]
                        + verdict.problems.map { "  \($0)" }
                        + Self.words(unopened: verdict.unopened)
                } + (all ? ["packs, indexes and history  \(result.problems.isEmpty ? "ok" : "NOT OK")"] : [])
                + result.problems.map { "  \($0)" })
                .joined(separator: "\n")
        }
        if !result.ok { throw ExitCode(ExitStatus.verification.rawValue) }
        // With --all the old snapshots of other keys are no failure.
        if !all, verdicts.contains(where: { !$0.unopened.isEmpty }) {
            throw ExitCode(ExitStatus.noKeyFits.rawValue)
        }
    }

    private func removed(_ reference: SnapshotReference) -> StoreFailure {
        StoreFailure(
            .raced, "the snapshot \(reference.id) was removed while it was verified, as a prune does",
            hint: "'understudy snapshots' lists those that are there")
    }

    /// What is said of components that the identity does not open, in one line: with --all it is true of each old snapshot.
    private static func words(unopened: [String]) -> [String] {
        guard !unopened.isEmpty else { return [] }
        let words =
            unopened.count == 1
            ? "is sealed, and the identity does not open it: checked as it is stored"
            : "are sealed, and the identity does not open them: checked as they are stored"
        return ["  \(unopened.joined(separator: ", ")) \(words)"]
    }

    /// What a look finds; when it meets what cannot be read, that, so that what others found is told as well.
    private func findings(_ look: () async throws -> [String]) async throws -> [String] {
        let words = "what was dropped or replaced cannot be determined"
        do {
            return try await look()
        } catch let error as GitError where error.isLoss {
            return ["\(words): \(error)"]
        } catch let error as StoreFailure where error.code == .damaged {
            return ["\(words): \(error)"]
        } catch let error as FileFailure {
            return ["\(words): \(error)"]
        }
    }

    /// Has the next snapshot store again what is damaged and still live; returns why it will not, where that is so.
    private func note(
        _ references: [SnapshotReference], _ store: SnapshotStore, _ session: Session
    ) async -> [String] {
        func look() throws -> Set<ObjectID> {
            let there = try store.snapshots(of: session.system.name)
            return try damaged(references.filter { there.contains($0) }, store)
        }
        do {
            session.output.progress("looking for what is damaged")
            // It takes as long as the verification: no night finds the store locked meanwhile.
            let removable = try ours(store, ["snapshots", "changes"])
            var found = try look()
            guard !found.isEmpty else { return [] }
            let lock = try await store.lock(purpose: "understudy verify", waiting: .seconds(60)) {
                session.output.progress($0)
            }
            // What somebody took away meanwhile, as a prune does, is missing, and no damage.
            if try !Set(removable).isSubset(of: ours(store, ["snapshots", "changes"])) { found = try look() }
            try store.rememberDamage(found, holding: lock)
            return []
        } catch {
            // What was found is told whatever becomes of the note.
            return ["what is damaged cannot be noted, so the next snapshot takes it for stored: \(error)"]
        }
    }

    /// What is damaged or missing of what was verified.
    private func damaged(_ references: [SnapshotReference], _ store: SnapshotStore) throws -> Set<ObjectID> {
        let healing = Healing(store)
        guard !all else { return Set(try healing.damaged(ours(store), .history).keys) }
        return Set(try healing.damaged(references.map(\.commit), .contents).keys)
    }

    /// The commits that everything hangs on that is not somebody else's in the same repository: tags, say.
    private func ours(
        _ store: SnapshotStore, _ kinds: [String] = ["heads", "snapshots", "evidence", "changes"]
    ) throws -> [ObjectID] {
        try kinds.flatMap { try store.references("refs/\($0)/").map(\.target) }
    }

    private func heal(_ store: SnapshotStore, _ session: Session) async throws -> [String] {
        let system = session.system.name
        let lock = try store.lock(purpose: "understudy verify --heal")
        session.output.progress("looking for what is damaged")
        let healing = Healing(store)
        guard !all else {
            var report = try await healing.heal(ours(store), .history, holding: lock)
            if report.problems.isEmpty { try healing.retireDamagedPacks(&report, holding: lock) }
            return report.words
        }
        // Which snapshots are meant can only be said when all commits can be read.
        var report = try await healing.heal(
            try store.snapshots(of: system).map(\.commit), .commit, holding: lock)
        let named = try (ids.isEmpty ? ["latest"] : ids).map { try store.snapshot($0, of: system).commit }
        report.add(try await healing.heal(named, .contents, holding: lock))
        return report.words
    }
}
