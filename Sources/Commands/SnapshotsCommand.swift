internal import Capture
internal import Git
internal import ArgumentParser
internal import GitStore
internal import SnapshotModel

struct SnapshotsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "List the snapshots.",
        discussion: """
            EXAMPLE
              understudy snapshots

            EXIT STATUS
              0   the list was printed, even if it is empty
              6   a snapshot is lost, and listed as that, a record of what was proven, or
                  what 'understudy verify' found damaged
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var id: String
        var time: String
        var status: String
        var proven: Bool
        var signed: Bool
        var tags: [String]
        var message: String
        /// Why it cannot be read, when its status is `lost`.
        var failure: String?
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        var survey = StoreSurvey(store, system: session.system.name, with: reader)
        let proven = try survey.provenSnapshots()
        let rows = try store.snapshots(of: session.system.name).map { reference in
            guard let stored = try survey.read(reference) else {
                return Row(
                    id: reference.id.description, time: reference.id.time, status: "lost",
                    proven: proven.contains(reference.id), signed: false, tags: [], message: "",
                    failure: survey.reason(reference.id))
            }
            return Row(
                id: reference.id.description, time: reference.id.time,
                status: stored.snapshot.status.rawValue,
                proven: proven.contains(reference.id), signed: stored.commit.signature != nil,
                tags: stored.commit.tags, message: stored.commit.subject)
        }
        try session.output.result(rows) {
            guard !rows.isEmpty else { return "no snapshots yet: 'understudy snapshot' takes the first one" }
            return table(
                [["ID", "STATUS", "PROVEN", "TAGS", "MESSAGE"]]
                    + rows.map {
                        [
                            $0.id, $0.status, $0.proven ? "proven" : "-",
                            $0.tags.isEmpty ? "-" : printable($0.tags.joined(separator: ",").utf8),
                            printable(($0.failure ?? $0.message).utf8),
                        ]
                    })
        }
        try survey.addKnownDamage()
        guard survey.losses.isEmpty else {
            throw CommandFailure(
                .verification, survey.losses.map(\.words).joined(separator: "\n       "),
                hint: StoreSurvey.advice(on: survey.losses))
        }
    }
}
