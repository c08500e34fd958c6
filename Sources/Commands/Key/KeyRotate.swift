internal import ArgumentParser
internal import Sealing
internal import SystemPackage

struct KeyRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Replace every recovery key by one new key, from the next snapshot on.",
        discussion: """
            Keep the old keys as long as you want to restore earlier snapshots.

            EXAMPLE
              understudy key rotate --generate /media/usb/recovery.key

            EXIT STATUS
              0   the system file names the new recipient alone
              1   something is at the path of the key already, or a file cannot be written
              7   refused: the system file must be edited by hand
              64  wrong usage, or a mistake in the system file
            """)

    @Option(
        help: "Where to write the secret half of the new key: on a medium that leaves this host.",
        completion: .file())
    var generate: String

    @Flag(help: "Print what would be written and write nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let generated = GeneratedKey(file: FilePath(generate))
        let edit = try RecipientsEdit(
            session, recipients: [generated.identity.recipient], generated: generated, dryRun: dryRun)
        try edit.apply(session)
        try session.output.result(edit) { edit.words }
    }
}
