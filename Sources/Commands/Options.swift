internal import ArgumentParser

/// The options of every command.
struct Options: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json
        /// For a chat or a merge request, and for a page to print; only a few commands have them.
        case markdown, html
    }

    @Option(
        name: .long,
        help: "The system file; else $UNDERSTUDY_SYSTEM, ./understudy.yaml, /etc/understudy/understudy.yaml.",
        completion: .file(extensions: ["yaml", "yml"]))
    var system: String?

    @Option(
        name: .long,
        help: "How results are printed: text or json; markdown for diff, log and runbook, html for runbook.")
    var format: Format = .text

    @Flag(name: .long, help: "Print no progress.")
    var quiet = false

    @Flag(name: .long, help: "Show everything: all items of 'show', all lines of 'diff' and 'log'.")
    var verbose = false

    /// How many lines of a text are shown of a difference.
    var textLines: Int { verbose ? Int.max : 40 }
}
