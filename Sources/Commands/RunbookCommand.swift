internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drill
internal import FileTree
internal import Git
internal import GitStore
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

struct RunbookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runbook",
        abstract: "Print the page to hang on the wall: what to do when the system is gone.",
        discussion: """
            In Markdown, from the system file and the last green drill: the one command, which key opens the store, what \
            to expect and how long it took, what starts after what, what to look at afterwards. Print it and keep it where \
            it can be read when nothing else can.

            EXAMPLE
              understudy runbook --output runbook.md

            EXIT STATUS
              0   the page was printed or written
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """)

    @Option(help: "The file to write; standard output when left out.", completion: .file())
    var output: String?

    @OptionGroup var options: Options

    private struct Page: Encodable { var markdown: String }

    func run() async throws {
        let session = try Session(options)
        let store = try session.store()
        let reader = try store.reader()
        let drills = try store.reports(
            DrillHistory.kind, as: DrillReport.self, of: session.system.name, with: reader)
        let page = Runbook(
            system: session.system.name, host: session.system.host, file: session.file.string,
            store: session.description.store.string,
            copies: try await Remotes(store).list().map(\.shownURL),
            recipients: session.description.recipients.map(\.description), keyCheck: try store.keyCheck(),
            components: session.description.components, drill: drills.map(\.report).first(where: \.isGreen),
            made: Clock.now.seconds)
        guard let output else {
            return try session.output.result(Page(markdown: page.markdown)) { page.markdown }
        }
        try Files.replace(FilePath(output), with: Array(page.markdown.utf8))
        try session.output.result(Page(markdown: page.markdown)) { "wrote \(output)" }
    }
}

/// The page for the wall.
struct Runbook {
    /// The delivery system, the host it runs on, its system file and its store.
    var system: String, host: String, file: String, store: String
    /// Where copies of the store are.
    var copies: [String]
    /// The public halves of the recovery keys.
    var recipients: [String]
    /// When a recovery key was last seen to open a snapshot.
    var keyCheck: KeyCheckRecord?
    /// The components, as the system file has them.
    var components: [Component]
    /// The last green drill.
    var drill: DrillReport?
    /// When the page is made, in seconds since 1970.
    var made: Int64

    /// The page.
    var markdown: String {
        [
            "# When \(Self.plain(system)) is gone",
            "Made on \(Self.plain(host)), \(CivilTime(seconds: made).iso8601). Print it again after each change of the system file.",
            command, key, expectation, parts, afterwards,
        ]
        .joined(separator: "\n\n") + "\n"
    }

    private var command: String {
        var lines = [
            "## 1. The one command", "", "The host is there, and its store `\(store)` too:", "",
            "    understudy --system \(file) restore --identity KEYFILE", "",
            "`--dry-run` says first what it would do. It stops what runs, and keeps it: `understudy undo` takes it back.",
        ]
        if copies.isEmpty {
            lines += [
                "",
                "**There is no copy of the store elsewhere**: when this disk is gone, so are the snapshots. "
                    + "`understudy remote add NAME URL`, then `understudy push`.",
            ]
        } else {
            lines += ["", "The host is gone: on an empty machine, as the same user:", ""]
            lines += copies.map { "    understudy restore --from \($0) --identity KEYFILE" }
        }
        return lines.joined(separator: "\n")
    }

    private var key: String {
        guard !recipients.isEmpty else {
            return "## 2. The key\n\nNone: the store holds secrets in clear. Leave `--identity` out."
        }
        let checked =
            keyCheck.map { "It was last seen to open a snapshot on \(CivilTime(seconds: $0.time).iso8601)." }
            ?? "**Nobody has ever checked it**: `understudy key check --identity KEYFILE`."
        return """
            ## 2. The key

            KEYFILE is the recovery key, which is not on this host. Its public half is one of these; ask who holds the other:

            \(recipients.map { "    \($0)" }.joined(separator: "\n"))

            \(checked) Where the key is kept: ____________________
            """
    }

    private var expectation: String {
        guard let drill else {
            return
                "## 3. What to expect\n\nNot measured: no drill was green yet. `understudy drill` measures it."
        }
        let rows = drill.checks.filter { $0.seconds >= 0.005 || $0.result != .passed }.map { check in
            let what = check.component.isEmpty ? check.name : "\(check.component): \(check.name)"
            let time = check.result == .notCovered ? "not tried" : shown(seconds: check.seconds)
            return "| \(Self.plain(what)) | \(time) |"
        }
        return """
            ## 3. What to expect

            As measured on \(drill.started) with snapshot \(drill.snapshot), \(shown(seconds: drill.seconds)) in all:

            | step | took |
            | --- | --- |
            \(rows.joined(separator: "\n"))

            Builds that ran at the time of the snapshot are cancelled, and listed. What was done after it is lost.
            """
    }

    private var parts: String {
        let rows = components.map { component in
            let places = component.settings.sorted { $0.key < $1.key }.compactMap { key, value -> String? in
                switch value {
                case .text(let text): "\(key) \(text)"
                case .list(let texts): "\(key) \(texts.joined(separator: ", "))"
                case .map: nil
                }
            }
            let service = component.map("service").sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            let cells = [
                component.name, component.driver, places.joined(separator: "; "),
                component.after.joined(separator: ", "),
                service.isEmpty ? "by the driver" : service.joined(separator: "; "),
            ]
            return "| \(cells.map(Self.plain).joined(separator: " | ")) |"
        }
        return """
            ## 4. What there is

            | component | driver | where | after | started |
            | --- | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))
            """
    }

    private var afterwards: String {
        let addresses = components.compactMap { $0.text("url") }.filter { $0.hasPrefix("http") }
        let look =
            addresses.isEmpty
            ? "" : "\n- Open \(addresses.map { "<\($0)>" }.joined(separator: ", ")) and log in."
        return """
            ## 5. Afterwards, and when it fails

            - The last lines of the restore say `proven`, what was fixed and what was cancelled. Read them.\(look)
            - `understudy status`, and a build that matters.
            - Status 12: the key does not fit. 6: the store is damaged; `understudy verify --heal`, or another copy. 7: refused, and the reasons say what to do. 1: it
              failed, and what was there is there again.
            - An older state: `understudy snapshots`, then `understudy restore ID`. Without Understudy: docs/without-understudy.md.
            """
    }

    /// Text that is no markup: names come from files that anybody may have written.
    private static func plain(_ text: String) -> String {
        var plain = ""
        for character in text {
            if "\\`*_[]<>|#".contains(character) { plain.append("\\") }
            plain.append(character.isNewline ? " " : character)
        }
        return plain
    }
}
