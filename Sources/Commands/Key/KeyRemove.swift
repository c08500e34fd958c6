internal import ArgumentParser
internal import Sealing
internal import Configuration

struct KeyRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Stop sealing to a key, from the next snapshot on.",
        discussion: """
            The next snapshot seals everything anew, under a new sealing key. What was sealed before can still be opened \
            with the removed key: if that matters, change the secrets themselves.

            EXAMPLE
              understudy key remove age1…

            EXIT STATUS
              0   the system file no longer names the recipient
              7   refused: nobody would be left, or the system file must be edited by hand
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "A public key, age1….")
    var key: String

    @Flag(help: "Print what would be written and write nothing.")
    var dryRun = false

    @OptionGroup var options: Options

    func run() async throws {
        let session = try Session(options)
        let removed = try recipient(key)
        let old = session.description.recipients
        guard old.contains(removed) else {
            throw CommandFailure(
                .usage, "the system file does not name \(removed)",
                hint: "'understudy key list' says whom it names")
        }
        let edit = try RecipientsEdit(session, recipients: old.filter { $0 != removed }, dryRun: dryRun)
        try edit.apply(session)
        try session.output.result(edit) { edit.words }
    }
}
