import FileTree
import Foundation
import Judge
import SystemPackage
import TestSupport
import Testing

/// Changes with a planted fault, each of which must be stopped at the right stage, by the right name.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct PlantedChangeTests {
    private struct Document: Decodable { var verdict: Verdict }

    private func verdict(
        _ production: CanaryProduction, _ arguments: String...
    ) async throws -> (verdict: Verdict, status: Int32) {
        let outcome = try await production.canary(arguments)
        guard let data = outcome.document.data(using: .utf8), !data.isEmpty else {
            throw Unjudged(words: outcome.errors)
        }
        return (try JSONDecoder().decode(Document.self, from: data).verdict, outcome.status)
    }

    private struct Unjudged: Error { var words: String }

    private func useProbe(_ production: CanaryProduction, looks: String) throws {
        let text = """
            classes:
              plugin-major:
                probes: {names: [verify], usingChange: false, mostUsed: 0, atMost: 1}
                looks: \(looks)
              plugin-patch:
                probes: {names: [verify], usingChange: false, mostUsed: 0, atMost: 1}
                looks: \(looks)
              job-definition:
                probes: {names: [verify], usingChange: false, mostUsed: 0, atMost: 1}
                looks: \(looks)

            """
        try Files.replace(
            production.fixture.directory.appending("policies/canary.yaml"), with: Array(text.utf8))
    }

    private func result(_ verdict: Verdict, _ stage: Stage) -> StageVerdict.Result? {
        verdict.stages.first { $0.name == stage }?.result
    }

    @Test func whatDoesNotLoadIsStoppedBeforeABoot() async throws {
        try await CanaryProduction.with { production in
            let wheels = production.wheels.string
            let (crash, status) = try await verdict(
                production, "--plugin", "\(wheels)/\(StepPlugin.crashes.file)")
            #expect(status == 4)
            #expect(result(crash, .static) == .fail)
            #expect(result(crash, .boot) == .skipped)
            #expect(crash.culprit == [ObjectName("package", "acme-buildbot-steps")])
            let (argument, _) = try await verdict(
                production, "--plugin", "\(wheels)/\(StepPlugin.needsArgument.file)")
            #expect(result(argument, .static) == .fail)
            let (missing, _) = try await verdict(production, "--plugin", "acme-buildbot-steps@9.9")
            #expect(result(missing, .static) == .fail)
            #expect(missing.stages.flatMap(\.findings).contains { $0.kind == "resolution" })
        }
    }

    @Test func whatFailsOrSlowsBuildsIsStoppedByTheSitesOwn() async throws {
        try await CanaryProduction.with { production in
            try useProbe(production, looks: "[{runs: 5, alpha: 0.05}]")
            let wheels = production.wheels.string
            let (failing, status) = try await verdict(
                production, "--plugin", "\(wheels)/\(StepPlugin.fails.file)")
            #expect(status == 4)
            #expect(result(failing, .boot) == .pass)
            #expect(result(failing, .probes) == .fail)
            let (slow, _) = try await verdict(production, "--plugin", "\(wheels)/\(StepPlugin.isSlow.file)")
            #expect(result(slow, .probes) == .fail)
            let (hardly, hardlyStatus) = try await verdict(
                production, "--plugin", "\(wheels)/\(StepPlugin.isHardlySlower.file)")
            #expect(result(hardly, .probes) == .pass)
            #expect(hardlyStatus == 0)
        }
    }
}
