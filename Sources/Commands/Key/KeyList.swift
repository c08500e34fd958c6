internal import ArgumentParser
internal import Sealing
internal import Configuration
internal import Capture
internal import GitStore
internal import SnapshotModel

struct KeyList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List who can open what is sealed.",
        discussion: """
            EXAMPLE
              understudy key list

            EXIT STATUS
              0   the list was printed, even if it is empty
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var recipient: String
        /// Whether the system file names it.
        var isCurrent: Bool
        /// Whether the newest snapshot is sealed to it, nil when there is no snapshot.
        var opensLatest: Bool?
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let latest = try store.newestSnapshot(of: session.system.name).map {
            try store.read($0, with: reader)
        }
        let sealings = latest?.snapshot.components.compactMap(\.sealing) ?? []
        let current = session.description.recipients.map(\.description)
        let others = Set(sealings.flatMap(\.recipients)).subtracting(current).sorted()
        let rows = (current + others).map { text in
            Row(
                recipient: text, isCurrent: current.contains(text),
                opensLatest: latest == nil
                    ? nil : !sealings.isEmpty && sealings.allSatisfy { $0.recipients.contains(text) })
        }
        try session.output.result(rows) {
            guard !rows.isEmpty else {
                return
                    "nobody: secrets are captured in clear ('understudy key add --generate FILE' changes that)"
            }
            return table(
                rows.map { row in
                    [
                        row.recipient,
                        row.isCurrent
                            ? (row.opensLatest == false ? "from the next snapshot on" : "")
                            : "no longer: opens earlier snapshots",
                    ]
                })
        }
    }
}
