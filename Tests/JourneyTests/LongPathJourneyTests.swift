import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A tree with paths that are longer than the system takes at once (`PATH_MAX`), by the binary.
@Suite struct LongPathJourneyTests {
    /// Runs Python in the deepest of directories that are 5,000 bytes deep, which are made where they are not there.
    @discardableResult
    private func python(_ script: String, in tree: FilePath) async throws -> String {
        let text = """
            import os
            for part in ['.'] + 25 * [200 * 'd']:
                os.makedirs(part, exist_ok=True); os.chdir(part)
            \(script)
            """
        return try await Program("python3", ["-c", text], directory: tree).runSuccessfully().output
    }

    @Test func itComesBackAgainAndAgainIsTakenBackAndDrills() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try Files.makeDirectory(tree)
            try await python("open('a.conf', 'w').write('1')", in: tree)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            for text in ["2", "3"] {
                try await python("open('a.conf', 'w').write('\(text)')", in: tree)
                #expect(try await runner.succeed("diff").contains("a.conf"))
                let report = try await runner.succeed("restore")
                #expect(report.contains("captured again, it has the snapshot's own tree"), "\(report)")
                #expect(try await python("print(open('a.conf').read())", in: tree) == "1\n")
            }
            try await runner.succeed("undo")
            #expect(try await python("print(open('a.conf').read())", in: tree) == "3\n")
            let drill = try await runner.succeed("drill")
            #expect(drill.hasPrefix("green: "), "\(drill)")
        }
    }
}
