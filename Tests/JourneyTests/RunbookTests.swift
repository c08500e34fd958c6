import FileTree
import SystemPackage
import TestSupport
import Testing

/// The page for the wall, as the binary prints it.
struct RunbookTests {
    @Test func thePageSaysWhatNobodyStarts() async throws {
        try await withTemporaryDirectory { directory in
            try JenkinsHomeBuilder(directory.appending("jenkins")).make()
            try Files.makeDirectory(directory.appending("etc"))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins", "etc")
            let page = try await runner.succeed("runbook")
            let rows = page.split(separator: "\n")
            #expect(rows.contains { $0.hasPrefix("| jenkins |") && $0.contains("BY HAND") }, "\(page)")
            #expect(rows.contains { $0.hasPrefix("| etc |") && $0.contains("not by the restore") })
            #expect(page.contains("Start by hand what the restore does not: jenkins"))
        }
    }

    @Test func whatThePageSaysToTypeIsWhatAShellTakes() async throws {
        try await withTemporaryDirectory { directory in
            let place = directory.appending("my place")
            try Files.makeDirectories(place.appending("etc"))
            let runner = try CommandLineRunner(place)
            try await runner.initialize("etc")
            try await runner.succeed("snapshot")
            try await runner.succeed("remote", "add", "offsite", place.appending("copy.git").string)
            let page = try await runner.succeed("runbook")
            #expect(page.contains("understudy --system '\(place)/understudy.yaml' restore "), "\(page)")
            #expect(page.contains("understudy restore --from '\(place)/copy.git' "), "\(page)")
        }
    }

    @Test func thePageSaysWhatToDoAndWhatWasMeasured() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try CommandLineRunner(directory)
            try Files.makeDirectory(directory.appending("etc"))
            try Files.replace(directory.appending("etc/proxy.conf"), with: Array("listen 80\n".utf8))
            try await runner.initialize("etc", "--name", "acme")
            let first = try await runner.succeed("runbook")
            #expect(first.contains("# When acme is gone"))
            #expect(first.contains("restore --identity KEYFILE"))
            #expect(first.contains("There is no copy of the store elsewhere"))
            #expect(first.contains("no drill was green yet"))
            #expect(first.contains(try runner.recipient()))
            #expect(first.contains("Nobody has ever checked it"))

            try await runner.succeed("snapshot")
            try await runner.succeed("key", "check", "--identity", "recovery.key")
            try await runner.succeed("drill")
            try await runner.succeed("remote", "add", "offsite", directory.appending("copy.git").string)
            try await runner.succeed("runbook", "--output", "page.md")
            let page = String(decoding: try Files.read(directory.appending("page.md")), as: UTF8.self)
            #expect(page.contains("As measured by a drill on"))
            #expect(page.contains("restore --from \(directory)/copy.git --identity KEYFILE"))
            #expect(page.contains("It was last seen to open a snapshot on"))
            #expect(
                page.contains("| after (min:s) | step | took |") && page.contains("| etc | files |"),
                "\(page)")

            // What a real restore took is newer, and says it better.
            try await runner.succeed("restore")
            try await runner.succeed(
                "runbook", "--format", "html", "--key-place", "the safe <12>", "--output", "page.html")
            let html = String(decoding: try Files.read(directory.appending("page.html")), as: UTF8.self)
            for words in [
                "by a restore of production", "the safe &lt;12&gt;", "<td>0:00</td><td>stage</td>",
                "<pre>understudy restore --from \(directory)/copy.git --identity KEYFILE</pre>",
            ] { #expect(html.contains(words), "\(words): \(html)") }
            #expect(!html.contains("<script") && html.ranges(of: "<h2>").count == 5)
        }
    }
}
