internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Find what a delivery system consists of, and make a system file and a store for it.",
        discussion: """
            Looks at each path and two levels below it for a JENKINS_HOME, a Buildbot master with its workers and its \
            Python environment; a directory in which it recognizes nothing is captured as files. It asks no questions and \
            changes nothing in the paths.

            Makes a recovery key, to which secrets and databases are sealed, and shows its secret half once, or writes it \
            to a file; or takes public keys that you already have.

            Without a path it makes the store that the system file names, if there is none: a new one, or in place of one \
            that is lost and has no copy.

            EXAMPLE
              understudy init /var/lib/jenkins /etc/nginx --name acme
              understudy init /var/lib/jenkins --recovery-key /media/usb/recovery.key
              understudy init /var/lib/jenkins --signing-key /etc/understudy/signing-key
              understudy init --system /etc/understudy/understudy.yaml

            EXIT STATUS
              0   the system file and the store were made
              1   something is in the way of the system file or of a key; or the recovery
                  key could not be shown
              10  something is in the way of the store
              64  a path does not exist or is not a directory; or a mistake in the system
                  file
            """)

    private static let usualOutput = "understudy.yaml"

    @Argument(
        help:
            "Directories that belong to the delivery system; without any, only make the store of the system file.",
        completion: .directory)
    var paths: [String] = []

    @Option(help: "The system's name; default: that of the first component.")
    var name: String?

    @Option(help: "Where to make the store; default: ./<name>.git.", completion: .directory)
    var store: String?

    @Option(help: "Where to write the system file.", completion: .file())
    var output = Self.usualOutput

    @Option(help: "A public key, age1…, to seal to instead of a new one; repeatable.")
    var recipient: [String] = []

    @Option(
        help:
            "Write the new recovery key to this file instead of showing it: on a medium that leaves this host.",
        completion: .file())
    var recoveryKey: String?

    @Option(
        help:
            "Sign snapshots with the Ed25519 key in this file; it is made if it does not exist. Needs ssh-keygen.",
        completion: .file())
    var signingKey: String?

    @OptionGroup var options: Options

    func validate() throws {
        let describes =
            [name, store, recoveryKey, signingKey].contains { $0 != nil } || !recipient.isEmpty
            || output != Self.usualOutput
        guard !paths.isEmpty || !describes else {
            throw ValidationError(
                "Name the directories of the system; without any, only the store of an existing system file is made."
            )
        }
        guard recipient.isEmpty || recoveryKey == nil else {
            throw ValidationError("With --recipient no recovery key is made: leave --recovery-key out.")
        }
    }

    private struct Result: Encodable {
        struct Found: Encodable {
            var name: String
            var driver: String
            var path: String
            var summary: String
        }

        var system: String
        var file: String
        var store: String
        var components: [Found]
        /// The names of the policies that were written.
        var policies: [String] = []
        var notes: [String]
        var recipients: [String]
        /// The secret half of the new key, nil when it was not made or is in a file.
        var recoveryKey: String?
    }

    func run() async throws {
        guard !paths.isEmpty else { return try makeStore() }
        let output = try Output(options)
        let here = try Files.resolved(".")
        let file = here.pushing(FilePath(self.output))
        guard try !Files.exists(file) else {
            throw CommandFailure(
                .failed, "\(file) exists already", hint: "edit it, or name another with --output",
                path: file.string)
        }
        // Later a recovery key would be written already.
        try requireLibgit2()
        let discovery = try Discovery(paths: paths.map { here.pushing(FilePath($0)).lexicallyNormalized() })
        let name = self.name ?? discovery.components.first?.name ?? "system"
        guard isName(name) else {
            throw CommandFailure(
                .usage, "'\(name)' cannot name a system", hint: "use small letters, digits, '.', '_' and '-'")
        }
        let storePath = here.pushing(FilePath(store ?? "\(name).git")).lexicallyNormalized()
        let components = try discovery.components.map { (component: $0, driver: try Session.driver(of: $0)) }
        if let recoveryKey { try refuseCaptured(FilePath(recoveryKey), by: components) }
        try Session.refuseNesting(
            components, store: storePath,
            hint:
                "say where the store should be, --store DIR, and run it in another directory, where the system file will be"
        )
        let directory = file.removingLastComponent()
        let policies = directory.appending("policies")
        let identity = recipient.isEmpty ? Identity() : nil
        let recipients = try identity.map { [$0.recipient] } ?? recipient.map { try Commands.recipient($0) }
        let signing = signingKey.map { here.pushing(FilePath($0)).lexicallyNormalized() }
        var signers: [SignerKey] = []
        if let signing { signers.append(try await Commands.signingKey(at: signing)) }
        let description = SystemDescription(
            name: name, store: storePath, recipients: recipients, signers: signers, signingKey: signing,
            components: discovery.components,
            policies: policies)
        let text = try description.yaml()
        try SnapshotStore.checkIsFree(storePath)
        if let identity, let recoveryKey {
            // Before the system file: one that seals to a key which nobody has would be worse than none.
            try writeRecoveryKey(
                identity, to: here.pushing(FilePath(recoveryKey)),
                time: CivilTime(seconds: Clock.now.seconds).iso8601)
        }
        do {
            _ = try SnapshotStore.create(at: storePath, system: name)
        } catch {
            // Nothing is sealed to the key yet, and it would be in the way of the next try; this failure is the one to tell.
            if let recoveryKey { try? Files.remove(here.pushing(FilePath(recoveryKey))) }
            throw error
        }
        try Files.makeDirectories(policies)
        let shipped = [
            (SnapshotPolicy.fileName, SnapshotPolicy.builtInText),
            (RetentionPolicy.fileName, RetentionPolicy.builtInText),
            (NotifyPolicy.fileName, NotifyPolicy.builtInText),
            (CanaryPolicyFile.fileName, CanaryPolicyFile.builtInText),
        ]
        var written: [String] = []
        var notes = discovery.notes
        for (name, text) in shipped {
            guard try !Files.exists(policies.appending(name)) else {
                notes.append("\(policies.appending(name)) was there already, and was left as it is")
                continue
            }
            try Files.replace(policies.appending(name), with: Array(text.utf8))
            written.append(name)
        }
        try Files.replace(file, with: Array(text.utf8))
        let result = Result(
            system: name, file: file.string, store: storePath.string,
            components: discovery.findings.map {
                .init(
                    name: $0.component.name, driver: $0.component.driver, path: $0.path.string,
                    summary: $0.summary)
            },
            policies: written, notes: notes, recipients: recipients.map(\.description),
            recoveryKey: recoveryKey == nil ? identity?.secretText : nil)
        do {
            // The code of the recovery key sets its colours.
            try output.result(result, isOurs: true) { words(result) }
        } catch  where result.recoveryKey != nil {
            throw CommandFailure(
                .failed,
                "the recovery key was made and not shown, so nobody has it: \(CommandFailure(error).message)",
                hint:
                    "make another before the first snapshot: understudy --system \(file) key rotate --generate FILE"
            )
        }
    }

    /// Makes the store that a system file names.
    private func makeStore() throws {
        let session = try Session(options)
        try requireLibgit2()
        let description = session.description
        _ = try SnapshotStore.create(at: description.store, system: description.name)
        let result = Result(
            system: description.name, file: session.file.string, store: description.store.string,
            components: [], notes: [], recipients: description.recipients.map(\.description))
        try session.output.result(result) {
            "made the store \(result.store)\n\nnext: understudy snapshot"
        }
    }

    private func words(_ result: Result) -> String {
        let found = table(
            result.components.map { ["  \($0.name)", $0.driver, printable($0.path.utf8), $0.summary] })
        let notes = result.notes.map { "\nnote: \($0)" }.joined()
        let policies = result.policies.dropLast().joined(separator: ", ")
        let last = result.policies.last.map {
            ", policies/" + (policies.isEmpty ? $0 : "\(policies) and \($0)")
        }
        let made = """
            system \(result.system)
            \(found)
            wrote \(result.file)\(last ?? "")
            made the store \(result.store)\(notes)
            """
        return "\(printable(text: made))\n\n\(keyWords(result))\n\nnext: understudy snapshot"
    }

    private func keyWords(_ result: Result) -> String {
        if let key = result.recoveryKey {
            return """
                RECOVERY KEY, shown this once:

                  \(key)

                \(QRCode(key).map { Terminal.inked($0.text) } ?? "")

                Secrets and databases are sealed to it. Without it nobody can restore them. Print it, scan it or put it \
                into a password manager, and keep it away from this host; a restore reads it from a file: \
                --identity FILE. 'understudy key check' proves that your copy is good.
                """
        }
        if let recoveryKey {
            return """
                The recovery key is in \(printable(recoveryKey.utf8)). Secrets and databases are sealed to it; without it nobody can \
                restore them. Keep it away from this host. 'understudy key check' proves that your copy is good.
                """
        }
        return "Secrets and databases are sealed to \(result.recipients.joined(separator: ", "))."
    }
}

/// Ends a command that makes a store before it has made anything, where libgit2, which makes repositories, is missing.
func requireLibgit2() throws {
    guard let failure = Libgit2.failure else { return }
    throw CommandFailure(.failed, "libgit2 cannot be loaded: \(failure)", hint: Libgit2.installation)
}
