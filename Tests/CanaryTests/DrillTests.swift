import FileTree
import Foundation
import Programs
import SystemPackage
import TestSupport
import Testing

/// Drills of a Buildbot that has run builds: green when all of it comes back, red the same night when something does not.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct DrillTests {
    private struct Report: Decodable {
        struct Step: Decodable {
            var component: String, name: String, result: String, detail: String
        }
        var steps: [Step]
        var proven: Bool

        func result(_ name: String) -> String? {
            steps.first { $0.component == "ci" && $0.name == name }?.result
        }
        var failed: [Step] { steps.filter { $0.result == "failed" } }
    }

    private func drill(_ production: CanaryProduction, _ arguments: String...) async throws -> (
        status: Int32, report: Report
    ) {
        let outcome = try await production.runner.run(
            ["--format", "json", "drill"] + arguments, limit: .seconds(600))
        guard outcome.status == 0 || outcome.status == 6 else { throw NoReport(words: outcome.errorOutput) }
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.proven == (outcome.status == 0))
        return (outcome.status, report)
    }

    private struct NoReport: Error { var words: String }

    /// The id of the object of a wheel, with a line break.
    private func wheel(in store: FilePath) async throws -> String {
        try await shell(
            """
            snapshot=$(git for-each-ref --count=1 --format='%(refname)' refs/snapshots)
            git ls-tree -r "$snapshot" | grep 'wheels/buildbot_grid_view' | sed 's/.* blob \\([0-9a-f]*\\).*/\\1/'
            """, in: store)
    }

    /// Takes an object out of the packs of a store.
    private func remove(object id: String, from store: FilePath) async throws {
        try await shell(
            """
            mkdir understudy/away; object=\(id)
            git cat-file --batch-all-objects --batch-check='%(objectname)' | grep -v "$object" > understudy/objects
            mv objects/pack/* understudy/away/
            mkdir -p understudy/other/objects/pack && cp understudy/away/* understudy/other/objects/pack/
            GIT_ALTERNATE_OBJECT_DIRECTORIES=$PWD/understudy/other/objects git pack-objects --quiet \\
                objects/pack/pack < understudy/objects
            rm -r understudy/away understudy/other
            """, in: store)
    }

    /// Runs a build, so that there is history.
    private func build(_ fixture: BuildbotFixture) async throws {
        try await fixture.start()
        #expect(try await fixture.build("probe") == 0)
    }

    @Test func aDrillIsGreenWhenAllComesBackAndNeedsTheKey() async throws {
        try await CanaryProduction.with(prepare: build) { production in
            let (fixture, runner) = (production.fixture, production.runner)
            try await fixture.stop()
            let green = try await drill(production, "--build", "probe")
            #expect(green.status == 0, "\(green.report.failed)")
            for name in ["restore", "databases", "boot", "inventory", "history", "build probe"] {
                #expect(green.report.result(name) == "passed", "\(name): \(green.report.steps)")
            }
            struct Row: Decodable { var proven: Bool }
            let rows = try await runner.succeed("--format", "json", "snapshots")
            #expect(try JSONDecoder().decode([Row].self, from: Data(rows.utf8)).map(\.proven) == [true])
            // A drill leaves no environment for others, and nothing of its own.
            let local = fixture.directory.appending("acme.git/understudy")
            try #expect(!Files.exists(local.appending("environments")))
            try #expect(!Files.exists(local.appending("shadow")))

            // A name that the snapshot does not know says nothing about it, and is kept nowhere.
            let store = fixture.directory.appending("acme.git").string
            let list = ["-C", store, "for-each-ref", "refs/evidence"]
            let before = try await Program("git", list).runSuccessfully().output
            let unknown = try await runner.run("drill", "latest", "--build", "nightly")
            #expect(unknown.status == 64, "\(unknown.output) \(unknown.errorOutput)")
            #expect(unknown.errorOutput.contains("'nightly'") && unknown.errorOutput.contains("'probe'"))
            #expect(try await Program("git", list).runSuccessfully().output == before)

            // Without a key nothing is opened, and that is no finding about the snapshot.
            let key = fixture.directory.appending(CommandLineRunner.recoveryKey)
            try Files.rename(key, to: fixture.directory.appending("away"))
            #expect(try await runner.run("drill").status == 12)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aDrillIsRedTheSameNightWhenSomethingDoesNotComeBack() async throws {
        try await CanaryProduction.with(prepare: build) { production in
            let (fixture, runner) = (production.fixture, production.runner)
            try await fixture.stop()
            // A builder that no longer loads.
            let builders = fixture.master.appending("jobs/builders.py")
            let text = try Files.read(builders)
            try Files.replace(builders, with: Array("from buildbot.plugins import nonsuch\n".utf8) + text)
            try await runner.succeed("snapshot")
            let broken = try await drill(production)
            #expect(broken.status == 6)
            #expect(broken.report.result("restore") == "passed")
            #expect(broken.report.result("boot") == "failed")

            // A master that cannot be made harmless: its start would lead out of a copy.
            try Files.replace(builders, with: text)
            let tac = fixture.master.appending("buildbot.tac")
            let elsewhere = fixture.directory.appending("elsewhere.tac")
            try Files.rename(tac, to: elsewhere)
            try Files.makeLink(tac, to: Array(elsewhere.string.utf8))
            try await runner.succeed("snapshot")
            let linked = try await drill(production)
            #expect(linked.status == 6)
            #expect(
                linked.report.failed.contains {
                    $0.name == "boot" && $0.detail.contains("buildbot.tac is a link")
                })
            try Files.remove(tac)
            try Files.rename(elsewhere, to: tac)
            try await runner.succeed("snapshot")

            // A wheel that is gone from the store, and one that is damaged in it.
            let store = fixture.directory.appending("acme.git")
            let whole = fixture.directory.appending("whole.git")
            try await Program("cp", ["--archive", store.string, whole.string]).runSuccessfully()
            let object = try await wheel(in: store)
            for isGone in [true, false] {
                if isGone {
                    try await remove(object: object, from: store)
                } else {
                    try await StoreDamage.flip(object: object, in: store)
                }
                let red = try await drill(production, "latest")
                #expect(red.status == 6)
                #expect(red.report.failed.contains { $0.name == "verify" }, "\(red.report.failed)")
                #expect(red.report.result("restore") == "failed")
                try Files.removeTree(store)
                try await Program("cp", ["--archive", whole.string, store.string]).runSuccessfully()
            }
        }
    }
}
