import FileTree
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
        var shouldDisplay: Bool
        var subcommands: [Command]?

        /// The command and all below it, by their words; those that only print help are left out.
        func all(after words: [String] = []) -> [(name: String, discussion: String, isShown: Bool)] {
            let words = words + [commandName]
            let others = (subcommands ?? []).filter { $0.commandName != "help" }
            return [(words.joined(separator: " "), discussion ?? "", shouldDisplay)]
                + others.flatMap { $0.all(after: words) }
        }
    }

    private func commands() async throws -> [(name: String, discussion: String, isShown: Bool)] {
        let output = try await Program(
            CommandLineRunner.builtBinary().string, ["--experimental-dump-help"], outputLimit: 1 << 20
        ).runSuccessfully().output
        let commands = try JSONDecoder().decode(Dump.self, from: Data(output.utf8)).command.all()
        #expect(commands.count > 40)
        return commands
    }

    @Test func thePageOfCommandsHasThemAll() async throws {
        let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        var sections: [String: [Substring]] = [:]
        var name = ""
        let page = String(decoding: try Files.read(root.appending("docs/cli.md")), as: UTF8.self)
        for line in page.split(separator: "\n") {
            if line.hasPrefix("## ") {
                name = line.dropFirst(3).split(separator: " ").joined(separator: " ")
            } else {
                sections[name, default: []].append(line)
            }
        }
        let commands = try await commands().filter(\.isShown)
        // And what stands before the first.
        #expect(sections.count == commands.count + 1)
        for (name, _, _) in commands {
            let words = name.split(separator: " ").dropFirst().map(String.init)
            let help = try await Program(CommandLineRunner.builtBinary().string, ["help"] + words)
                .runSuccessfully().output
            #expect(
                sections[name] == ["```"] + help.split(separator: "\n") + ["```"],
                "\(name): write it anew with scripts/cli-page")
        }
    }

    @Test func everySubcommandShowsAnExampleAndItsStatuses() async throws {
        let commands = try await commands()
        for (name, discussion, _) in commands {
            let lines = discussion.split(separator: "\n")
            #expect(lines.contains("EXAMPLE"), "\(name)")
            #expect(lines.contains("EXIT STATUS"), "\(name)")
            // A line that the terminal breaks loses its place below its number, and an example cannot be copied any more.
            for line in lines where line.hasPrefix("  ") {
                #expect(line.count < 80, "\(name): '\(line)' is as wide as the terminal that breaks it")
            }
        }
    }
}
