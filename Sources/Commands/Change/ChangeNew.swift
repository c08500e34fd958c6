internal import ArgumentParser
internal import Canary
internal import Capture
internal import Drivers
internal import FileTree
internal import GitStore
internal import Judge
internal import Restore
internal import Shadow
internal import SnapshotModel
internal import SystemPackage

struct ChangeNew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Propose a change, and keep it in the store with all its archives.",
        discussion: """
            Packages come from the given archives, then from any snapshot in the store. If one is in neither, it is fetched \
            with its dependencies: from the index that --index names, else from the one that this host uses; --offline \
            fetches nothing. Nothing is run. Repeating the same command changes nothing.

            EXAMPLE
              understudy change new grid-view --plugin buildbot-grid-view@4.3.0 \\
                  --identity recovery.key
              understudy change new fix -m 'Build nightly with -O2' --patch fix.diff \\
                  --identity recovery.key

            EXIT STATUS
              0   it is kept
              1   something could not be fetched, or there is no such snapshot
              6   the snapshot is damaged
              7   refused: the name is invalid or taken, nothing is changed, or a patch
                  does not apply
              10  there is no store
              11  a canary runs, or another process writes to the store
              12  no identity, or none that opens the changed files
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "A name for it: letters, digits, '-', '_' and '.'.")
    var name: String

    @OptionGroup var change: ChangeOptions

    @Option(
        help:
            "The snapshot that patches apply to and packages are fetched for; default: the latest.")
    var snapshot = "latest"

    @Option(
        name: [.customShort("m"), .long], help: "One line that says what the change is for.")
    var message: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    func validate() throws {
        if change.isEmpty {
            throw ValidationError("Nothing is changed: give --plugin, --files, or another option.")
        }
    }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let identities = try identity.read()
        let stored = try store.read(try store.snapshot(snapshot, of: session.system.name), with: reader)
        let component = try change.changed(session)
        var contents = try change.contents(component, session, store, stored, reader, identities)
        if try !contents.missingArchives(session.system).isEmpty || change.index != nil {
            let policy = try canaryPolicy(nil, session)
            try await contents.fetch(
                for: .init(
                    system: session.system, store: store, reader: reader, stored: stored,
                    identities: identities, component: component,
                    launcher: Files.resolved("/proc/self/exe"), limits: policy.shadows,
                    progress: { session.output.progress($0) }),
                from: change.source, trusting: policy.updateCenter, in: "/var/tmp")
            session.output.endProgress()
            if change.source != .none, let missing = try contents.missingArchives(session.system).first {
                throw CommandFailure(
                    .failed, "no archive of \(missing.name) \(missing.version ?? "") was found",
                    hint: "check its name and version, name another --index, or give it as a file")
            }
        }
        let capture = SystemCapture(session.system, store: store, identities: identities)
        guard let state = capture.state(component, of: stored, reader),
            try !contents.isNothing(to: state.source)
        else {
            throw CommandFailure(
                .refused, "nothing is changed: the snapshot \(stored.reference.id) has all of it already",
                hint: "put files below the directory of --files that are other than there")
        }
        let lock = try store.lock(purpose: "change")
        let origin = OpenedStore(session.system, store: store, reader: reader, identities: identities)
        let proposal = try Proposals(origin).add(
            name, contents, sealing: .init(of: component, in: stored, of: origin),
            message: message ?? contents.summary, author: session.author,
            time: Clock.now.seconds, holding: lock)
        let page = try ChangePage(proposal, stored, session, store, try store.reader(), identities)
        try session.output.result(page.document) { page.text(textLines: options.textLines) }
    }
}
