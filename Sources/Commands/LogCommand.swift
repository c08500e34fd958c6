internal import Capture
internal import ArgumentParser
internal import Git
internal import GitStore
internal import Reports
internal import SnapshotModel

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show when the readable state changed: configuration, job definitions, locks.",
        discussion: """
            With KIND:NAME (job:team/deploy, plugin:git, builder:x, ref:'sources/app.git refs/heads/main') it shows the \
            history of one item, also under earlier names: what changed in it, who took the snapshot and why (-m), and, if \
            Jenkins keeps a configuration history, who did it, when and why. What stands in sealed files is never shown.

            EXAMPLE
              understudy log
              understudy log job:team/deploy
              understudy log jenkins/files/home/jobs/deploy/config.xml

            Stock git shows the same with diffs: git -C STORE log -p SYSTEM -- PATH

            EXIT STATUS
              0   the history was printed, even if it is empty
              1   the history has no such item or path
              10  there is no store
              12  it may be in what is sealed, and no identity was given; or none
                  opens that, or their file cannot be read
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "Only changes of this path, as git spells it, or of the item KIND:NAME.")
    var path: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Row: Encodable {
        var commit: String
        var time: String
        var author: String
        var message: String
    }

    func run() async throws {
        let session = try Session(options, documents: [.markdown])
        if let item { return try life(item.kind, item.name, session) }
        let store = try session.store()
        let reader = try store.reader()
        var rows: [Row] = []
        var next = try store.reference("refs/heads/\(session.system.name)")
        while let id = next {
            let commit = try store.commit(id, with: reader)
            next = commit.parents.first
            let before = try next.flatMap { try object(try store.commit($0, with: reader).tree, reader) }
            guard try path == nil || object(commit.tree, reader) != before else { continue }
            rows.append(
                Row(
                    commit: id.description, time: CivilTime(seconds: commit.time).iso8601,
                    author: commit.author,
                    message: commit.message))
        }
        if let path, rows.isEmpty {
            throw CommandFailure(
                .failed, "the history has nothing at the path '\(path)'",
                hint:
                    "'git -C \(store.path) log --name-only' lists the paths; items are named KIND:NAME, as job:team/deploy"
            )
        }
        try session.output.result(
            rows, text: { words(rows) },
            document: { _ in
                rows.map { row in
                    let subject = row.message.prefix { !$0.isNewline }
                    return "- \(row.time) \(Markdown.plain(String(subject))) (\(Markdown.plain(row.author)))"
                }.joined(separator: "\n")
            })
    }

    private func words(_ rows: [Row]) -> String {
        rows.map { row in
            let lines = row.message.split(omittingEmptySubsequences: false) { $0.isNewline }
            let body = lines.dropFirst().filter { !$0.isEmpty }.map { "    \(printable($0.utf8))" }
            let head =
                "\(row.time)  \(printable((lines.first ?? "").utf8))  (\(printable(row.author.utf8)))"
            return ([head] + body).joined(separator: "\n")
        }
        .joined(separator: "\n")
    }

    /// The item that is asked for, nil when it is a path or nothing.
    private var item: (kind: String, name: String)? {
        guard let path, let colon = path.firstIndex(of: ":") else { return nil }
        let kind = path[..<colon]
        let name = path[colon...].dropFirst()
        guard !kind.isEmpty, !name.isEmpty, kind.allSatisfy({ $0.isLowercase || $0 == "-" }) else {
            return nil
        }
        return (String(kind), String(name))
    }

    private func life(_ kind: String, _ name: String, _ session: Session) throws {
        let store = try session.store()
        let life = try ItemLife(
            of: kind, name, in: session.system, store: store, reader: try store.reader(),
            identities: try identity.read())
        guard !life.events.isEmpty else {
            guard life.sealed.isEmpty else {
                throw CommandFailure(
                    .noKeyFits,
                    "the history tells of no \(kind) '\(name)' in clear, and \(counted(life.sealed.count, "file")) of items are sealed",
                    hint: "give the recovery key, --identity FILE: without it nobody can tell")
            }
            throw CommandFailure(
                .failed, "the history has no \(kind) '\(name)'",
                hint: "'understudy show latest' and 'understudy diff' list the items")
        }
        let note =
            life.sealed.isEmpty
            ? [] : ["what was sealed is missing here: --identity FILE tells which parts of it changed"]
        try session.output.result(
            life.events, text: { (life.events.map(words) + note).joined(separator: "\n") },
            document: { _ in (life.events.map(markdown) + note.map { "\n\($0)" }).joined(separator: "\n") })
    }

    /// How many lines of a text are shown.
    private var textLines: Int { options.verbose ? Int.max : 20 }

    /// What happened: `renamed from a`, `changed: script`, `Changed in Jenkins`.
    private func what(_ event: ItemLife.Event) -> String {
        guard let change = event.change else { return event.deed ?? "" }
        return change.detail.isEmpty ? change.change.rawValue : "\(change.change.rawValue): \(change.detail)"
    }

    private func words(_ event: ItemLife.Event) -> String {
        let source = event.deed == nil ? "snapshot by" : "written down by \(event.component):"
        let who = event.who.isEmpty ? "nobody is named" : event.who
        let head = [
            CivilTime(seconds: event.time).iso8601, event.name, what(event), "(\(source) \(who))",
        ].map { printable($0.utf8) }.joined(separator: "  ")
        let why = event.why.isEmpty ? [] : ["    \(printable(event.why.utf8))"]
        let parts = event.change.map { partLines($0, textLines: textLines) } ?? []
        return ([head] + why + parts.map { "      \($0)" }).joined(separator: "\n")
    }

    private func markdown(_ event: ItemLife.Event) -> String {
        let why = event.why.isEmpty ? "" : ": \(Markdown.plain(event.why))"
        let head =
            "- \(CivilTime(seconds: event.time).iso8601) \(Markdown.code(event.name)) \(Markdown.plain(what(event))) "
            + "(\(Markdown.plain(event.who)))\(why)"
        let parts = (event.change?.parts ?? []).flatMap { part in
            part.lines.isEmpty ? [] : Markdown.block(part.lines, language: "diff").map { "  \($0)" }
        }
        return ([head] + parts).joined(separator: "\n")
    }

    /// What stands at the path in a tree, nil when nothing does.
    private func object(_ tree: ObjectID, _ reader: ObjectReader) throws -> ObjectID? {
        guard let path else { return nil }
        return try reader.entry(path, of: tree)?.id
    }
}
