internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import GitStore
internal import Reports
internal import SnapshotModel
internal import SystemPackage

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what differs between two snapshots, or between a snapshot and the live system.",
        discussion: """
            Shows jobs, plugins, builders, users and their rights, and configuration files that belong to none of them: \
            what was added, removed or renamed, and what changed inside, scripts and configurations line by line. Values \
            of credentials are never shown, nor what stands in files that are sealed. With one snapshot it is compared \
            with the live system (drift), and without any the latest is.

            EXAMPLE
              understudy diff
              understudy diff latest~1 latest --format markdown
              understudy diff --advisories update-center.json

            EXIT STATUS
              0   the differences were printed, even if there are none
              1   there is no such snapshot
              3   something could not be read at one of the two times, or at both: it is
                  named as unknown, and all other differences were printed
              10  there is no store
              12  the live system cannot be compared without the recovery key, which was
                  not given, or whose file cannot be read
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The older snapshot; the latest when left out.")
    var from: String?

    @Argument(help: "The newer snapshot; the live system when left out.")
    var to: String?

    @Flag(help: "List every file that differs.")
    var raw = false

    @Option(
        help:
            "An update-center.json with warnings about plugin versions; default: update-center.json beside the policies, if there.",
        completion: .file(extensions: ["json"]))
    var advisories: String?

    @OptionGroup var identity: IdentityOption

    @OptionGroup var options: Options

    private struct Result: Encodable {
        struct File: Encodable {
            var component: String
            var path: String
            var change: String
            var detail: String
            var `class`: String
        }

        var from: String
        var to: String
        var changes: [Change]
        /// How many files of each class differ that `changes` does not speak of.
        var otherFiles: [String: Int]
        var files: [File]?
        /// What could not be read at one of the two times, or at both: nobody knows whether it differs.
        var unknown: [String]?
    }

    func run() async throws {
        let session = try Session(options, documents: [.markdown])
        let store = try session.store()
        let reader = try store.reader()
        let capture = SystemCapture(session.system, store: store, identities: try identity.read())
        let old = try store.read(try store.snapshot(from ?? "latest", of: session.system.name), with: reader)
        let new = try to.map { try store.read(try store.snapshot($0, of: session.system.name), with: reader) }
        var differences: [(component: String, difference: Difference)] = []
        let names = old.snapshot.components.map(\.name)
        let later = new?.snapshot.components.map(\.name) ?? session.system.components.map(\.component.name)
        for name in names + later.filter({ !names.contains($0) }) {
            session.output.progress("comparing \(name)")
            if let new {
                guard let driver = session.system.driver(of: name) else { continue }
                differences.append(
                    (
                        name,
                        try Difference(
                            from: capture.state(name, of: old, reader),
                            to: capture.state(name, of: new, reader),
                            driver: driver, readsTexts: true)
                    ))
            } else {
                differences.append(
                    (
                        name,
                        try await capture.drift(
                            since: old, component: name, reader: reader, readsTexts: true)
                    ))
            }
        }
        for index in differences.indices {
            try addAdvisories(to: &differences[index].difference, differences[index].component, session)
        }
        session.output.endProgress()
        let files = differences.flatMap { name, difference in
            difference.toldFiles.filter { !$0.isOnlyTime }.map {
                Result.File(
                    component: name, path: "\($0.root)/\($0.path)", change: $0.change.rawValue,
                    detail: $0.detail,
                    class: $0.entryClass.rawValue)
            }
        }
        let unknown = differences.flatMap { name, difference in difference.unknown.map { "\(name): \($0)" } }
        let result = Result(
            from: old.reference.id.description, to: new?.reference.id.description ?? "live",
            changes: differences.flatMap(\.difference.told),
            otherFiles: differences.reduce(into: [:]) {
                $0.merge($1.difference.otherFiles, uniquingKeysWith: +)
            }, files: raw ? files : nil, unknown: unknown.isEmpty ? nil : unknown)
        try session.output.result(
            result, text: { words(result) }, document: { _ in markdown(result) })
        if !unknown.isEmpty { throw ExitCode(ExitStatus.partial.rawValue) }
    }

    /// What is known against the new version of what changed, and what against the old one is not true of the new one.
    private func addAdvisories(
        to difference: inout Difference, _ component: String, _ session: Session
    ) throws {
        guard let driver = session.system.driver(of: component), let index = try index(session) else {
            return
        }
        let known: (_ kind: String, _ name: String, _ version: String) -> [String]
        do {
            known = try driver.advisories(index.contents)
        } catch {
            throw CommandFailure(
                .failed, "\(index.path) is not an index of plugins: \(error)",
                hint: "give an update-center.json, as updates.jenkins.io has it")
        }
        for place in difference.told.indices {
            let change = difference.told[place]
            let versions: (before: String?, now: String?)
            switch change.change {
            case .added: versions = (nil, change.detail.split(separator: ",").first.map(String.init))
            default: versions = (change.versions?.first, change.versions?.last)
            }
            let before = versions.before.map { known(change.kind, change.name, $0) } ?? []
            let now = versions.now.map { known(change.kind, change.name, $0) } ?? []
            let told =
                now.map { before.contains($0) ? "still open: \($0)" : "comes with it: \($0)" }
                + before.filter { !now.contains($0) }.map { "gone with it: \($0)" }
            if !told.isEmpty { difference.told[place].advisories = told }
        }
    }

    private func index(_ session: Session) throws -> (path: FilePath, contents: [UInt8])? {
        if let advisories {
            return (FilePath(advisories), try Files.read(FilePath(advisories), limit: 256 << 20))
        }
        guard let path = session.description.policies?.appending("update-center.json"),
            let contents = try Files.readIfPresent(path, limit: 256 << 20)
        else { return nil }
        return (path, contents)
    }

    private func markdown(_ result: Result) -> String {
        let title = "**\(Markdown.plain(result.from)) → \(Markdown.plain(result.to))**"
        let unknown = unknownWords(result.unknown ?? []).map { "\n\n**\(Markdown.plain($0))**" }.joined()
        if let files = result.files {
            let rows = files.map { file in
                "- \(file.change) \(Markdown.code("\(file.component)/\(file.path)")) "
                    + Markdown.plain(
                        [file.class, file.detail].filter { !$0.isEmpty }.joined(separator: ", "))
            }
            return ([title, ""] + (rows.isEmpty ? ["no file differs"] : rows)).joined(separator: "\n")
                + unknown
        }
        guard !result.changes.isEmpty else {
            let isBlind = result.unknown != nil
            return
                "\(title)\n\n\(unchangedWords("no change", otherFiles: result.otherFiles, isBlind: isBlind))"
                + unknown
        }
        let tail = otherFileWords(result.otherFiles).map { "\n\n\($0)" } ?? ""
        return "\(title)\n\n\(changeMarkdown(result.changes, textLines: options.textLines))\(tail)\(unknown)"
    }

    private func words(_ result: Result) -> String {
        let unknown = unknownWords(result.unknown ?? []).map { "  \($0)" }
        if let files = result.files {
            let rows = files.map { [$0.change, $0.class, "\($0.component)/\($0.path)", $0.detail] }
            return ([files.isEmpty ? "no file differs" : table(rows)] + unknown).joined(separator: "\n")
        }
        let others = otherFileWords(result.otherFiles)
        let lines = changeDetails(result.changes, textLines: options.textLines)
        guard !lines.isEmpty || others != nil else {
            let head = unchangedWords("no change", otherFiles: [:], isBlind: !unknown.isEmpty)
            return (["\(head) from \(result.from) to \(result.to)"] + unknown).joined(separator: "\n")
        }
        let tail = others.map { ["  \($0) (--raw lists them)"] } ?? []
        return (["\(result.from) → \(result.to)"] + lines + tail + unknown).joined(separator: "\n")
    }
}
