internal import ArgumentParser
internal import Configuration
internal import Drivers
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

struct DriverCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check whether the commands of a component keep the contract.",
        discussion: """
            Captures twice and compares, runs the probes, and with --restore restores the tool's own state: stopped, twice \
            in a row, and killed in the middle. The tool must be idle. The contract is in docs/command-driver.md.

            EXAMPLE
              understudy driver check artifactory
              understudy driver check artifactory --restore

            EXIT STATUS
              0   the commands keep the contract, as far as was checked
              1   they do not; what is wrong is printed
              10  there is no store
              64  wrong usage, a mistake in the system file, or another driver
            """)

    @Argument(help: "The component.")
    var component: String

    @Flag(help: "Also restore the tool's own state; only on a machine where it may be lost.")
    var restore = false

    @OptionGroup var options: Options

    private struct Result: Encodable {
        var component: String
        var findings: [CommandConformance.Finding]
        var restored: Bool
    }

    func run() async throws {
        let session = try Session(options)
        let able = session.description.components.filter { $0.driver == CommandDriver.name }.map(\.name)
        guard let described = session.description.component(component), able.contains(component) else {
            throw CommandFailure(
                .usage, "'\(component)' is not a component with driver 'command'",
                hint: able.isEmpty
                    ? "no component of the system file has this driver"
                    : "name one of \(able.joined(separator: ", "))")
        }
        let findings = try await CommandConformance(described).run(
            restores: restore, scratch: try session.store().localDirectory.string,
            progress: { session.output.progress($0) })
        session.output.endProgress()
        let isKept = findings.allSatisfy { $0.problem == nil }
        let result = Result(component: component, findings: findings, restored: restore)
        try session.output.result(result) {
            findings.map {
                "  \($0.problem == nil ? "ok  " : "FAIL")  \($0.check)\($0.problem.map { "\n        \($0)" } ?? "")"
            }
            .joined(separator: "\n") + (restore || !isKept ? "" : "\n  not checked: restore (--restore does)")
        }
        if !isKept { throw ExitCode(ExitStatus.failed.rawValue) }
    }
}
