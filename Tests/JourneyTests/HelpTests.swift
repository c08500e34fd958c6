import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

/// The help of every subcommand, as a terminal of eighty columns shows it.
@Suite struct HelpTests {
    private struct Dump: Decodable {
        var command: Command
    }

    private struct Command: Decodable {
        var commandName: String
        var discussion: String?
        var subcommands: [Command]?

        /// The command and all below it, by their words; those that only print help are left out.
        func all(after words: [String] = []) -> [(name: String, discussion: String)] {
            let words = words + [commandName]
            let others = (subcommands ?? []).filter { $0.commandName != "help" }
            return [(words.joined(separator: " "), discussion ?? "")]
                + others.flatMap { $0.all(after: words) }
        }
    }

    @Test func everySubcommandShowsAnExampleAndItsStatuses() async throws {
        let output = try await Program(
            CommandLineRunner.builtBinary().string, ["--experimental-dump-help"], outputLimit: 1 << 20
        ).runSuccessfully().output
        let commands = try JSONDecoder().decode(Dump.self, from: Data(output.utf8)).command.all()
        #expect(commands.count > 40)
        for (name, discussion) in commands {
            let lines = discussion.split(separator: "\n")
            #expect(lines.contains("EXAMPLE"), "\(name)")
            #expect(lines.contains("EXIT STATUS"), "\(name)")
            // A line that the terminal breaks loses its place below its number, and an example cannot be copied any more.
            for line in lines where line.hasPrefix("  ") {
                #expect(line.count <= 80, "\(name): '\(line)' is wider than eighty columns")
            }
        }
    }
}
