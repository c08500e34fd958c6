import FileTree
import SystemPackage
import TestSupport
import Testing

/// Environments that canaries leave for the next one.
@Suite(
    .enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)),
    .enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
struct KeptEnvironmentTests {
    @Test func oneThatIsWholeIsUsedAgainAndADamagedOneIsMadeAgain() async throws {
        try await CanaryProduction.with { production in
            let environments = production.fixture.directory.appending("acme.git/understudy/environments")
            func canary() async throws -> FilePath {
                let outcome = try await production.canary(rules: "stages: [static]", [])
                #expect(outcome.status == 0, "\(outcome.errors)")
                let names = try Files.names(environments)
                #expect(names.count == 1)
                let kept = environments.pushing(FilePath(bytes: try #require(names.first)))
                return try BuildbotFixture.packages(of: kept.appending("environment"))
                    .appending("buildbot/__init__.py")
            }
            let file = try await canary()
            let made = try #require(try Files.status(file))
            let again = try await canary()
            #expect(again == file)
            #expect(try Files.status(again)?.inode == made.inode)

            let contents = try Files.read(file)
            try Files.replaceWithoutSync(file, with: [])
            let mended = try await canary()
            #expect(try Files.read(mended) == contents)
            try Files.remove(mended)
            #expect(try await Files.read(canary()) == contents)
        }
    }
}
