import Cryptography
import FileTree
import Foundation
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

/// Changes that are kept in the store: made here or pushed with stock git, shown, rehearsed, promoted, dropped.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct ProposedChangeTests {
    private struct Page: Decodable {
        struct Archive: Decodable { var name: String, sha256: String }
        struct Change: Decodable, Equatable { var kind: String, name: String, change: String, detail: String }
        var tree: String
        var component: String
        var changes: [Change]
        var removes: [String]
        var archives: [Archive]
        var notes: [String]
    }

    private func page(_ production: CanaryProduction, _ arguments: [String]) async throws -> Page {
        let outcome = try await production.runner.run(
            ["--format", "json", "change"] + arguments, limit: .seconds(120))
        #expect(outcome.status == 0, "\(arguments): \(outcome.errorOutput)")
        return try JSONDecoder().decode(Page.self, from: Data(outcome.output.utf8))
    }

    private func refused(
        _ production: CanaryProduction, _ arguments: String..., saying words: String,
        status: Int32 = 7, _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await production.runner.run(arguments, limit: .seconds(120))
        #expect(outcome.status == status, "\(outcome.errorOutput)", sourceLocation: location)
        #expect(
            outcome.errorOutput.contains(words), "\(outcome.errorOutput)", sourceLocation: location)
    }

    private func git(_ directory: FilePath, _ arguments: String...) async throws -> String {
        try await Program(
            "git",
            ["-C", directory.string, "-c", "user.name=kim", "-c", "user.email=kim@example.org"] + arguments
        ).runSuccessfully().output
    }

    private func store(_ production: CanaryProduction) -> FilePath {
        production.fixture.directory.appending("acme.git")
    }

    @Test func aFileInThePlaceOfALinkIsRefused() async throws {
        try await CanaryProduction.with(
            prepare: { fixture in
                try Files.makeLink(fixture.master.appending("linked.py"), to: Array("jobs/builders.py".utf8))
            }
        ) { production in
            let files = try production.changed(["linked.py": "x = 1\n"]).string
            try await refused(
                production, "canary", "--offline", "--files", files, saying: "master/linked.py is a link")
        }
    }

    @Test func aChangeIsKeptShownAndDropped() async throws {
        try await CanaryProduction.with { production in
            let wheel = production.wheels.appending(StepPlugin.second.file).string
            let builders = "master/jobs/builders.py"
            let made = try await page(production, ["new", "steps", "--offline", "--plugin", wheel])
            #expect(made.component == "ci")
            #expect(
                made.changes == [
                    .init(
                        kind: "package", name: "acme-buildbot-steps", change: "upgraded", detail: "1.0 → 2.0")
                ])
            let digest = hex(SHA256.digest(try Files.read(FilePath(wheel))))
            #expect(made.archives.map(\.sha256) == [digest])
            // Said again it is the same; another under its name is refused, and so is a name that git would not have.
            #expect(
                try await page(production, ["new", "steps", "--offline", "--plugin", wheel]).tree == made.tree
            )
            try await refused(
                production, "change", "new", "steps", "--remove-file", builders,
                saying: "another change 'steps'")
            try await refused(
                production, "change", "new", "a..b", "--remove-file", builders, saying: "cannot be called")
            try await refused(production, "change", "new", "none", saying: "Nothing is changed", status: 64)
            try await tryNothing(production, builders)

            try await tryPatch(production, builders)
            try await tryArchives(production)
            try await tryBranch(production)
            try await trySecret(production)

            // Stock git reads it, nothing takes it away, and what it holds is verified.
            let store = store(production)
            let names = try await git(store, "ls-tree", "-r", "--name-only", "refs/changes/acme/steps")
            #expect(names == "archives/\(StepPlugin.second.file)\nchange.yaml\n")
            try await production.runner.succeed("prune")
            try await production.runner.succeed("verify", "--all")
            try await production.runner.checkStore(store)
            #expect(try await page(production, ["show", "steps"]).tree == made.tree)
            let list = try await production.runner.succeed("change", "list")
            #expect(list.contains("steps") && list.contains("acme-buildbot-steps 2.0"))

            try await production.runner.succeed("change", "drop", "steps")
            try await refused(production, "change", "drop", "steps", saying: "there is no change 'steps'")
            try await refused(
                production, "canary", "run", "--change", "steps", saying: "there is no change 'steps'")
            try await production.runner.succeed("prune")
            #expect(try await git(store, "for-each-ref", "refs/changes/acme/steps").isEmpty)
        }
    }

    /// What would change nothing is not kept.
    private func tryNothing(_ production: CanaryProduction, _ file: String) async throws {
        try await refused(
            production, "change", "new", "none", "--remove-file", "master/jobs/bilders.py",
            saying: "master/jobs/bilders.py cannot be removed: the snapshot")
        try await refused(
            production, "change", "new", "none", "--remove-file", "master/jobs", saying: "it is a directory")
        let same = try production.changed(["jobs/builders.py": production.masterFile("jobs/builders.py")])
        try await refused(
            production, "change", "new", "none", "--files", same.string, saying: "nothing is changed")
        #expect(try await git(store(production), "for-each-ref", "refs/changes/acme/none").isEmpty)
        let gone = try await page(production, ["new", "gone", "--remove-file", file])
        #expect(gone.changes == [.init(kind: "file", name: file, change: "removed", detail: "")])
        try await production.runner.succeed("change", "drop", "gone")
    }

    /// A patch against the snapshot, as `git diff` writes it in a clone of the store.
    private func tryPatch(_ production: CanaryProduction, _ file: String) async throws {
        let text = try production.masterFile("jobs/builders.py")
        let line = try #require(text.split(separator: "\n").first { $0.contains("name='spare'") })
        let number =
            try #require(
                text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0 == line }) + 1
        let patch = production.fixture.directory.appending("fix.diff")
        for prefix in ["", "ci/files/"] {
            let words =
                "--- a/\(prefix)\(file)\n+++ b/\(prefix)\(file)\n@@ -\(number) +\(number) @@\n-\(line)\n+        # gone\n"
            try Files.replace(patch, with: Array(words.utf8))
            let made = try await page(
                production, ["new", "patched", "--patch", patch.string, "--removes", "builder:spare"])
            #expect(made.changes == [.init(kind: "file", name: file, change: "changed", detail: "")])
            #expect(made.removes == ["builder:spare"])
        }
        try Files.replace(
            patch, with: Array("--- a/\(file)\n+++ b/\(file)\n@@ -1 +1 @@\n-not there\n+x\n".utf8))
        try await refused(
            production, "change", "new", "unfit", "--patch", patch.string, saying: "does not fit the snapshot"
        )
    }

    /// Archives come from snapshots without any network, and from an index that says what they must be.
    private func tryArchives(_ production: CanaryProduction) async throws {
        let old = try await page(
            production, ["new", "old", "--offline", "--plugin", "acme-buildbot-steps@1.0"])
        #expect(old.archives.map(\.name) == [StepPlugin.first.file])
        #expect(old.notes == ["acme-buildbot-steps is 1.0 already"])
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func archivesOfAnIndexAreWhatItSaysTheyAre() async throws {
        try await CanaryProduction.with { production in
            try await tryIndex(production)
        }
    }

    private func tryIndex(_ production: CanaryProduction) async throws {
        let index = production.fixture.directory.appending("simple")
        let project = index.appending("acme-buildbot-steps")
        try Files.makeDirectories(project)
        let wheel = try Files.read(production.wheels.appending(StepPlugin.second.file))
        try Files.replace(project.appending(StepPlugin.second.file), with: wheel)
        func publish(_ digest: String) throws {
            let page = "<a href=\"\(StepPlugin.second.file)#sha256=\(digest)\">\(StepPlugin.second.file)</a>"
            try Files.replace(project.appending("index.html"), with: Array(page.utf8))
        }
        let wanted = ["--index", "file://\(index)", "--plugin", "acme-buildbot-steps@2.0"]
        try publish(String(repeating: "0", count: 64))
        let forged = try await production.runner.run(
            ["change", "new", "forged"] + wanted, limit: .seconds(120))
        #expect(forged.errorOutput.contains("is not what the package index says"))
        #expect(forged.status == 1, "\(forged.output) \(forged.errorOutput)")
        try publish(hex(SHA256.digest(wheel)))
        let fetched = try await page(production, ["new", "fetched"] + wanted)
        #expect(fetched.archives.map(\.name) == [StepPlugin.second.file])
    }

    /// A clone of the store, with a file of the master that can be read and changed in it.
    private func clone(_ production: CanaryProduction) async throws -> (directory: FilePath, file: FilePath) {
        let clone = production.fixture.directory.appending("clone")
        _ = try await Program(
            "git", ["clone", "--quiet", "--branch", "acme", store(production).string, clone.string]
        ).runSuccessfully()
        return (clone, clone.appending("ci/files/master/jobs/builders.py"))
    }

    private func push(_ clone: FilePath, _ name: String, _ message: String) async throws {
        _ = try await git(clone, "add", "--all")
        _ = try await git(clone, "commit", "--quiet", "--message", message)
        _ = try await git(clone, "push", "--quiet", "origin", "HEAD:refs/changes/acme/\(name)")
    }

    /// A file that holds a secret is kept as an age file, in the change and in a canary's evidence alike.
    private func trySecret(_ production: CanaryProduction) async throws {
        let directory = production.fixture.directory.appending("secret-change")
        let file = directory.pushing("master/jobs/secret.py")
        try Files.makeDirectories(file.removingLastComponent())
        try Files.replace(file, with: Array("password = 'hunter2-and-more'\n".utf8))
        let made = try await page(production, ["new", "secret", "--files", directory.string])
        let store = store(production)
        let names = try await git(store, "ls-tree", "-r", "--name-only", "refs/changes/acme/secret")
        #expect(names == "change.yaml\nfiles/master/jobs/secret.py.age\n")
        let kept = try await git(
            store, "cat-file", "blob", "refs/changes/acme/secret:files/master/jobs/secret.py.age")
        #expect(kept.hasPrefix("age-encryption.org/v1") && !kept.contains("hunter2"))
        // Said again it is the same, and whoever has the key reads it.
        #expect(
            try await page(production, ["new", "secret", "--files", directory.string]).tree == made.tree)
        #expect(try await page(production, ["show", "secret"]).tree == made.tree)
        try await production.runner.succeed("verify", "--all")
    }

    /// What stock git pushed, on top of the history or by itself; and what no change can be.
    private func tryBranch(_ production: CanaryProduction) async throws {
        let (clone, file) = try await clone(production)
        let text = try Files.read(file)
        try Files.replace(file, with: text + Array("# more\n".utf8))
        try await push(clone, "team/more", "Say more")
        let shown = try await page(production, ["show", "team/more"])
        #expect(
            shown.changes == [
                .init(kind: "file", name: "master/jobs/builders.py", change: "changed", detail: "")
            ])
        try await production.runner.succeed("verify", "--all")
        try Files.replace(file, with: text + Array("password = 'hunter2-and-more'\n".utf8))
        try await push(clone, "team/leak", "Say too much")
        let leak = try await page(production, ["show", "team/leak"]).notes.joined()
        #expect(leak.contains("unless git pushed it") && !leak.contains("hunter2"), "\(leak)")
        for (path, words) in [
            ("understudy.yaml", "it changes understudy.yaml"),
            ("ci/python.lock", "it changes ci/python.lock"),
            ("ci/files/master/secret.age", "sealed or in pieces"), ("new/x", "it changes new"),
            ("ci/files/master/%2E%2E/x", "has a name that cannot be a file's"),
        ] {
            _ = try await git(clone, "reset", "--quiet", "--hard", "origin/acme")
            let place = clone.pushing(FilePath(path))
            try Files.makeDirectories(place.removingLastComponent())
            try Files.replace(place, with: Array("x\n".utf8))
            try await push(clone, "bad/\(path.hashValue.magnitude)", "Change \(path)")
            let list = try await git(
                store(production), "for-each-ref", "--format=%(refname:lstrip=3)", "refs/changes/acme/bad")
            let name = try #require(list.split(separator: "\n").last.map(String.init))
            try await refused(production, "change", "show", name, saying: words)
            try await production.runner.succeed("change", "drop", name)
        }
        // One that stands for itself, with a link that would lead elsewhere.
        _ = try await git(clone, "checkout", "--quiet", "--orphan", "own")
        _ = try await git(clone, "rm", "-r", "--quiet", "--force", ".")
        try Files.makeDirectories(clone.appending("files/master"))
        try Files.makeLink(clone.appending("files/master/etc"), to: Array("/etc".utf8))
        try Files.replace(clone.appending("change.yaml"), with: Array("component: ci\n".utf8))
        try await push(clone, "link", "A link")
        try await refused(production, "change", "show", "link", saying: "is a link")
        try await production.runner.succeed("change", "drop", "link")
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aBranchOfTheHistoryIsRehearsedAndPromotedAsItWas() async throws {
        try await CanaryProduction.with { production in
            let rules = "stages: [static, boot]\nbake: 1s\napprovals: 0"
            try Files.replace(
                production.fixture.directory.appending("policies/canary.yaml"),
                with: try Files.read(try production.policy(rules)))
            let (clone, file) = try await clone(production)
            var text = String(decoding: try Files.read(file), as: UTF8.self)
            text.replace(
                "        util.BuilderConfig(name='spare', workernames=workers, factory=verify),\n", with: "")
            try Files.replace(file, with: Array(text.utf8))
            try await push(clone, "team/spare", "Remove the spare builder")
            let shown = try await page(production, ["show", "team/spare"])
            #expect(shown.changes.map(\.name) == ["master/jobs/builders.py"])

            // Nobody said that the builder goes on purpose.
            func canary() async throws -> Program.Outcome {
                try await production.runner.run(
                    ["canary", "run", "--offline", "--quiet", "--change", "team/spare"], limit: .seconds(600))
            }
            let failed = try await canary()
            #expect(failed.status == 4, "\(failed.output) \(failed.errorOutput)")
            try Files.replace(clone.appending("change.yaml"), with: Array("removes: [builder:spare]\n".utf8))
            try await push(clone, "team/spare", "Remove the spare builder, on purpose")
            let passed = try await canary()
            #expect(passed.status == 0, "\(passed.output) \(passed.errorOutput)")

            try Files.replace(clone.appending("understudy.yaml"), with: Array("system: other\n".utf8))
            try await push(clone, "team/spare", "Change what no change can")
            try await refused(production, "promote", "--dry-run", "latest", saying: "cannot be used")
            _ = try await git(clone, "reset", "--quiet", "--hard", "HEAD~1")
            try Files.replace(file, with: Array((text + "# later\n").utf8))
            try await production.runner.succeed("change", "drop", "team/spare")
            try await push(clone, "team/spare", "Remove the spare builder, otherwise")
            let moved = try await production.runner.run("promote", "--dry-run", "latest")
            #expect(moved.status == 7)
            #expect(moved.output.contains("team/spare is another now"), "\(moved.output)")
            try await production.runner.succeed("change", "drop", "team/spare")
            let plan = try await production.runner.succeed("promote", "--dry-run", "latest")
            #expect(plan.contains("master/jobs/builders.py"))
        }
    }
}
