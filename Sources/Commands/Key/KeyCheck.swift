internal import ArgumentParser
internal import FileTree
internal import Git
internal import Capture
internal import GitStore
internal import Sealing
internal import SnapshotModel

struct KeyCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Prove that your recovery key opens a snapshot: every sealed file of it.",
        discussion: """
            Do this with the very copy that you would use after a disaster. The store keeps when it was last done, and \
            'understudy status' asks for it again when that is long ago.

            EXAMPLE
              understudy key check --identity /media/usb/recovery.key

            EXIT STATUS
              0   it opens everything
              1   there is no such snapshot, or nothing of it is sealed
              6   the snapshot is damaged
              10  there is no store
              12  no identity, or none that opens the snapshot
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The snapshot; the latest when left out.")
    var id = "latest"

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var snapshot: String
        var recipients: [String]
        var objects: Int
        /// Whether the store keeps that it was done.
        var isNoted: Bool
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let reference = try store.snapshot(id, of: session.system.name)
        let stored = try store.read(reference, with: reader)
        guard stored.snapshot.components.contains(where: { $0.sealing != nil }) else {
            throw CommandFailure(
                .failed, "nothing in the snapshot \(reference.id) is sealed",
                hint: "'understudy key add' names a recipient; the next snapshot is sealed to it")
        }
        guard let identities = try identity.read() else {
            throw SealingFailure(
                .noKeyFits, "no identity was given",
                hint: "give the file with your copy of the recovery key: --identity FILE")
        }
        // A key that does not fit is no damage: it is told apart before everything is opened.
        for component in stored.snapshot.components {
            guard let tree = stored.tree(of: component.name) else { continue }
            _ = try store.sealer(of: component, in: tree, identities: identities, with: reader)
        }
        session.output.progress("opening \(reference.id)")
        let verdict = try Verification(store, identities: identities).verify(reference)
        session.output.endProgress()
        guard verdict.isOK else {
            throw CommandFailure(
                .verification, verdict.problems.joined(separator: "\n       "),
                hint: "'understudy verify --all' says which snapshots are whole")
        }
        // The key is good all the same in a store that cannot be written to.
        var obstacle: FileFailure?
        do {
            try store.keepKeyCheck(
                KeyCheckRecord(
                    snapshot: reference.id, recipients: identities.map(\.recipient.description),
                    time: Clock.now.seconds))
        } catch let failure as FileFailure {
            obstacle = failure
        }
        let result = Result(
            snapshot: reference.id.description, recipients: identities.map(\.recipient.description),
            objects: verdict.objects, isNoted: obstacle == nil)
        let note =
            obstacle.map { "\nthat could not be noted, and 'understudy status' goes on asking: \($0)" } ?? ""
        try session.output.result(result) {
            "opened everything that is sealed in \(result.snapshot): the key is good (\(result.objects) objects checked)\(note)"
        }
    }
}
