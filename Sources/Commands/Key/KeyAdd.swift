internal import ArgumentParser
internal import Configuration
internal import Sealing
internal import SystemPackage

struct KeyAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Let somebody else open what is sealed, from the next snapshot on.",
        discussion: """
            EXAMPLE
              understudy key add age1…
              understudy key add --generate /media/usb/recovery.key

            EXIT STATUS
              0   the system file names the recipient
              1   something is at the path of the key already, or a file cannot be written
              7   refused: the system file must be edited by hand
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "A public key, age1….")
    var key: String?

    @Option(
        help: "Make a new key and write its secret half to this file: on a medium that leaves this host.",
        completion: .file())
    var generate: String?

    @Flag(help: "Print what would be written and write nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func validate() throws {
        guard (key == nil) != (generate == nil) else {
            throw ValidationError("Give a public key, or --generate FILE.")
        }
    }

    func run() async throws {
        let session = try Session(options)
        let generated = generate.map { GeneratedKey(file: FilePath($0)) }
        let added = try generated?.identity.recipient ?? key.map { try recipient($0) }
        let old = session.description.recipients
        let edit = try RecipientsEdit(
            session, recipients: old + [added].compactMap(\.self).filter { !old.contains($0) },
            generated: generated, dryRun: dryRun)
        try edit.apply(session)
        try session.output.result(edit) { edit.words }
    }
}
