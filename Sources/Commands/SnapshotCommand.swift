internal import Git
internal import ArgumentParser
internal import Capture
internal import Configuration
internal import GitStore
internal import Restore
internal import SnapshotModel

struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Take a snapshot of the whole delivery system.",
        discussion: """
            EXAMPLE
              understudy snapshot -m "before the plugin upgrade"

            EXIT STATUS
              0   a complete snapshot was taken
              1   no snapshot was taken
              3   a partial snapshot was taken: something could not be read, or kept
                  changing
              6   a complete snapshot was taken, but the store is damaged, and earlier
                  snapshots may lack something; or none was taken because of that
              7   refused: a file holds what looks like a secret, and the policy refuses
                  that; or a restore was interrupted in the middle
              10  there is no store
              11  another process writes to the store
              64  wrong usage, or a mistake in the system file
            """)

    @Option(name: .shortAndLong, help: "Why the snapshot is taken.")
    var message: String?

    @Option(help: "Capture only this component; repeatable.")
    var component: [String] = []

    @Option(help: "A tag by which the retention policy can keep it; repeatable.")
    var tag: [String] = []

    @Flag(help: "Print what a snapshot would hold, and write nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func validate() throws {
        for tag in tag where !isName(tag) {
            throw ValidationError("'\(tag)' cannot be a tag: use small letters, digits, '.', '_' and '-'.")
        }
    }

    private struct Result: Encodable {
        struct Head: Encodable {
            var id: String
            var commit: String?
            var status: String
            var started: String
            var finished: String
            /// Seconds from the first look at any component to the last at any.
            var spreadSeconds: Int64?
        }

        struct Part: Encodable {
            var name: String
            var driver: String
            var version: String?
            var entries: Int
            var bytes: Int64
            var torn: [String]
            var unreadable: [CapturedComponent.Problem]
            var notCaptured: [CapturedComponent.Problem]
            var notes: [String]
            /// Why a restore of it would be refused.
            var obstacles: [String]
        }

        var snapshot: Head
        var components: [Part]
        var changes: [Change]
        /// How many files of each class differ that `changes` does not speak of.
        var otherFiles: [String: Int]
        /// Packs of the store that cannot be read, and why.
        var lostPacks: [String]
        var dryRun: Bool
        /// That the store holds other systems alone; nil where it does not.
        var note: String?
    }

    func run() async throws {
        let session = try Session(options)
        try checkComponents(component, session)
        let store = try session.store()
        let capture = SystemCapture(session.system, store: store)
        let request = SystemCapture.Request(
            message: message, components: Set(component), author: session.author, tags: tag)
        let progress: @Sendable (String) -> Void = { session.output.progress("capturing \($0)") }
        let taken: TakenSnapshot
        if dryRun {
            taken = try await capture.rehearse(request, progress: progress)
        } else {
            let lock = try store.lock(purpose: "understudy snapshot")
            if let found = try Recovery.lookHalfway(store.localDirectory) {
                throw CommandFailure(
                    .refused, "there is no consistent state to capture: \(found.words)", hint: found.hint)
            }
            taken = try await capture.take(request, holding: lock, progress: progress)
        }
        session.output.endProgress()
        let snapshot = taken.snapshot
        let note = taken.isFirst ? try session.strangeness(of: store) : nil
        let result = Result(
            snapshot: .init(
                id: snapshot.id.description, commit: taken.commit?.description,
                status: snapshot.status.rawValue,
                started: snapshot.started, finished: snapshot.finished,
                spreadSeconds: snapshot.spreadSeconds),
            components: snapshot.components.map {
                .init(
                    name: $0.name, driver: $0.driver, version: $0.version, entries: $0.entries,
                    bytes: $0.bytes,
                    torn: $0.torn, unreadable: $0.unreadable, notCaptured: $0.notCaptured, notes: $0.notes,
                    obstacles: $0.obstacles ?? [])
            },
            changes: taken.changes, otherFiles: taken.otherFiles, lostPacks: taken.lostPacks, dryRun: dryRun,
            note: note)
        try session.output.result(result) { words(taken) + (note.map { "\n  note: \($0)" } ?? "") }
        if !taken.lostPacks.isEmpty { throw ExitCode(ExitStatus.verification.rawValue) }
        if snapshot.status == .partial { throw ExitCode(ExitStatus.partial.rawValue) }
    }

    private func words(_ taken: TakenSnapshot) -> String {
        let snapshot = taken.snapshot
        var lines = [
            "\(dryRun ? "would take" : "snapshot") \(snapshot.id)  \(snapshot.status.rawValue)",
            table(
                snapshot.components.map {
                    [
                        "  \($0.name)", $0.driver, $0.version ?? "", counted($0.entries, "entry"),
                        shown(bytes: $0.bytes),
                    ]
                }),
        ]
        for component in snapshot.components {
            lines += component.torn.map { "  torn: \(component.name)/\($0)" }
            lines += component.unreadable.map { "  unreadable: \(component.name)/\($0.path): \($0.reason)" }
            lines += component.notCaptured.map {
                "  not captured: \(component.name)/\($0.path): \($0.reason)"
            }
            lines += component.notes.map { "  note: \(component.name): \($0)" }
            lines += component.obstacleWords.map { "  note: \(component.name): \($0)" }
        }
        if let spread = snapshot.spreadSeconds, spread > 60 {
            lines.append("  note: the components were captured within \(shown(seconds: Double(spread)))")
        }
        if taken.isFirst {
            lines.append("  first snapshot")
        } else {
            lines +=
                taken.changes.isEmpty
                ? [unchangedWords("  no change", otherFiles: taken.otherFiles, isBlind: taken.isBlind)]
                : changeLines(taken.changes, limit: 20)
                    + (otherFileWords(taken.otherFiles).map { ["  \($0)"] } ?? [])
        }
        return lines.joined(separator: "\n")
    }
}

extension CapturedComponent {
    /// For people: why a restore of it would be refused.
    var obstacleWords: [String] {
        (obstacles ?? []).map { "a restore of this snapshot would be refused: \($0)" }
    }
}

/// Refuses names that are no components of the system.
func checkComponents(_ names: [String], _ session: Session) throws {
    let known = session.system.components.map(\.component.name)
    for name in names where !known.contains(name) {
        throw CommandFailure(
            .usage, "there is no component '\(name)'", hint: "the system has \(known.joined(separator: ", "))"
        )
    }
}
