internal import ArgumentParser
internal import Canary
internal import Capture
internal import Git
internal import GitStore
internal import Restore
internal import SnapshotModel

struct ChangeShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what a proposed change would do to a snapshot.",
        discussion: """
            Shows jobs, plugins, packages, and files that belong to none of them, as 'understudy diff' does. Dependencies of \
            packages are resolved by the canary.

            EXAMPLE
              understudy change show grid-view --identity recovery.key

            EXIT STATUS
              0   it was shown
              1   there is no such snapshot
              6   the change or the snapshot is damaged
              7   there is no such change, or it cannot be used; the reason is printed
              10  there is no store
              12  no identity, or none that opens the changed files
              64  wrong usage, or a mistake in the system file or in change.yaml
            """)

    @Argument(help: "The change's name.")
    var name: String

    @Option(help: "The snapshot that it is compared with; default: the latest.")
    var snapshot = "latest"

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let identities = try identity.read()
        let proposals = Proposals(
            OpenedStore(session.system, store: store, reader: reader, identities: identities))
        let proposal = try proposals.read(proposals.find(name))
        let stored = try store.read(try store.snapshot(snapshot, of: session.system.name), with: reader)
        let page = try ChangePage(proposal, stored, session, store, reader, identities)
        try session.output.result(page.document) { page.text(textLines: options.textLines) }
    }
}
