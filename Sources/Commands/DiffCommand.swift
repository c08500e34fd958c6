internal import ArgumentParser
internal import Capture
internal import Drivers
internal import GitStore
internal import SnapshotModel

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Say what differs between two snapshots, or between a snapshot and the live system.",
        discussion: """
            Speaks of jobs, plugins, builders, users, and of configuration files that belong to none of them. Without B \
            the live system is compared (drift); without A the latest snapshot.

            EXAMPLE
              understudy diff
              understudy diff latest~1 latest

            EXIT STATUS
              0   the differences were printed, even if there are none
              1   there is no such snapshot, or the live system cannot be read
              10  there is no store
              12  the live system cannot be compared without the recovery key, and it was not given
              64  wrong usage, or a mistake in the system file
            """)

    @Argument(help: "The older snapshot; the latest when left out.")
    var from: String?

    @Argument(help: "The newer snapshot; the live system when left out.")
    var to: String?

    @Flag(help: "List every file that differs.")
    var raw = false

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
        var files: [File]?
    }

    func run() async throws {
        let session = try Session(options)
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
                            driver: driver)
                    ))
            } else {
                differences.append(
                    (name, try await capture.drift(since: old, component: name, reader: reader)))
            }
        }
        session.output.endProgress()
        let files = differences.flatMap { name, difference in
            difference.files.filter { !$0.isOnlyTime }.map {
                Result.File(
                    component: name, path: "\($0.root)/\($0.path)", change: $0.change.rawValue,
                    detail: $0.detail,
                    class: $0.entryClass.rawValue)
            }
        }
        let result = Result(
            from: old.reference.id.description, to: new?.reference.id.description ?? "live",
            changes: differences.flatMap(\.difference.changes), files: raw ? files : nil)
        try session.output.result(result) { words(result, differences.map(\.difference)) }
    }

    private func words(_ result: Result, _ differences: [Difference]) -> String {
        if let files = result.files {
            guard !files.isEmpty else { return "no file differs" }
            return table(files.map { [$0.change, $0.class, "\($0.component)/\($0.path)", $0.detail] })
        }
        let quiet = Dictionary(
            differences.flatMap(\.quietFiles).map { ($0.entryClass.rawValue, $0.count) }, uniquingKeysWith: +)
        let rest = quiet.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        let lines = changeLines(result.changes)
        guard !lines.isEmpty || !rest.isEmpty else { return "no change from \(result.from) to \(result.to)" }
        let tail = rest.isEmpty ? [] : ["  other files: \(rest.joined(separator: ", ")) (--raw lists them)"]
        return (["\(result.from) → \(result.to)"] + lines + tail).joined(separator: "\n")
    }
}
