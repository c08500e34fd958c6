import FileTree
import SystemPackage
import TestSupport

/// A directory `tree` with one file, and tools that run while a file of theirs is there and write down what is done.
struct TakingBackWorld {
    let directory: FilePath
    let runner: CommandLineRunner

    init(_ directory: FilePath, _ tools: [(name: String, lines: [String])] = []) async throws {
        self.directory = directory
        runner = try CommandLineRunner(directory)
        try Files.makeDirectory(directory.appending("tree"))
        try Files.replace(directory.appending("tree/a"), with: Array("1\n".utf8))
        try await runner.initialize("tree")
        let text = tools.map { name, lines in
            let up = "\(directory)/up-\(name)"
            // Later lines win over these.
            var settings = [
                "capture": "echo 1 > f", "restore": "'true'", "ready": "test -e \(up)",
                "start": "echo start-\(name) >> \(directory)/log; touch \(up)",
                "stop": "echo stop-\(name) >> \(directory)/log; rm -f \(up)",
            ]
            for line in lines {
                let key = String(line.prefix { $0 != ":" })
                settings[key] = String(line.dropFirst(key.count + 2))
            }
            let own = settings.sorted { $0.key < $1.key }.map { "    \($0.key): \($0.value)\n" }.joined()
            return "  \(name):\n    driver: command\n\(own)"
        }.joined()
        if !tools.isEmpty { try runner.describe(text) }
        for tool in tools { try Files.replace(directory.appending("up-\(tool.name)"), with: []) }
        try await runner.succeed("snapshot")
        try set("2\n")
    }

    func set(_ text: String) throws {
        try Files.replace(directory.appending("tree/a"), with: Array(text.utf8))
    }

    func text() throws -> String {
        String(decoding: try Files.read(directory.appending("tree/a")), as: UTF8.self)
    }

    func up() throws -> Set<String> {
        Set(
            try Files.names(directory).map { String(decoding: $0, as: UTF8.self) }
                .filter { $0.hasPrefix("up-") }.map { String($0.dropFirst(3)) })
    }

    /// What was done since this was asked last.
    func done() throws -> [String] {
        let log = directory.appending("log")
        let text = String(decoding: try Files.readIfPresent(log) ?? [], as: UTF8.self)
        try Files.replace(log, with: [])
        return text.split(separator: "\n").map(String.init)
    }

    /// Lets the last restore be one that was killed while it exchanged.
    func interrupt() throws {
        try replaceText(
            "\"phase\" : \"done\"", with: "\"phase\" : \"exchanging\"",
            in: directory.appending("tree.git/understudy/restore.json"))
    }

    @discardableResult
    func shell(_ script: String) async throws -> String {
        try await TestSupport.shell(script, in: directory)
    }
}
