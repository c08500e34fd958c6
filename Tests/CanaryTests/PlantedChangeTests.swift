import FileTree
import Foundation
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

/// Changes with a planted fault, each of which must be stopped at the right stage, by the right name, and harmless ones,
/// which must not be stopped.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct PlantedChangeTests {
    private static let static_ = "stages: [static]"
    private static let boots = "stages: [boot]"
    private static let staticAndBoots = "stages: [static, boot, roundTrip]"

    /// The probe alone; differences below a second are the host's.
    private static func builds(_ runs: Int, alpha: Double, margin: Double, floor: String = "0s") -> String {
        """
        stages: [boot, probes]
        probes: {names: [verify], usingChange: false, mostUsed: 0, atMost: 1}
        looks: [{runs: \(runs), alpha: \(alpha)}]
        margin: \(margin)
        floor: \(floor)
        """
    }

    private struct Document: Decodable { var verdict: Verdict }
    private struct Unjudged: Error { var words: String }

    /// Runs a canary and holds its verdict against what was planted: what it comes to, where, and by whose fault.
    @discardableResult
    private func judge(
        _ production: CanaryProduction, _ rules: String, shadows: String? = nil, _ arguments: [String],
        is result: Decision, at stage: Stage? = nil, by culprit: [ObjectName]? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) async throws -> Verdict {
        let outcome = try await production.canary(rules: rules, shadows: shadows, arguments)
        guard let data = outcome.document.data(using: .utf8), !data.isEmpty else {
            throw Unjudged(words: outcome.errors)
        }
        let verdict = try JSONDecoder().decode(Document.self, from: data).verdict
        let what = Comment(rawValue: "\(arguments): \(verdict.headline)")
        #expect(verdict.result == result, what, sourceLocation: location)
        let statuses: [Decision: Int32] = [.pass: 0, .error: 1, .fail: 4, .inconclusive: 5]
        #expect(outcome.status == statuses[verdict.result], what, sourceLocation: location)
        if let stage {
            let stopped = verdict.stages.first { $0.result.rawValue == result.rawValue }?.name
            #expect(stopped == stage, what, sourceLocation: location)
        }
        if let culprit { #expect(verdict.culprit == culprit, what, sourceLocation: location) }
        return verdict
    }

    /// A stage of a verdict.
    ///
    /// Not looked for where it is needed: in a closure that holds both, Swift 6.3.1 gives a closure of its own and one that is
    /// written in an `#expect` before it the same name, and runs the one for the other.
    private func stage(_ name: Stage, of verdict: Verdict) -> StageVerdict? {
        verdict.stages.first { $0.name == name }
    }

    private let plugin = ObjectName("package", "acme-buildbot-steps")

    private func wheel(_ production: CanaryProduction, _ plugin: StepPlugin) -> [String] {
        ["--plugin", production.wheels.appending(plugin.file).string]
    }

    @Test func whatDoesNotLoadIsStoppedBeforeABoot() async throws {
        try await CanaryProduction.with { production in
            let crash = try await judge(
                production, "stages: [static, boot]", wheel(production, .crashes), is: .fail, at: .static,
                by: [plugin])
            #expect(crash.stages.last?.result == .skipped)
            try await judge(
                production, Self.static_, wheel(production, .needsArgument), is: .fail, at: .static)
            let missing = try await judge(
                production, Self.static_, ["--plugin", "acme-buildbot-steps@9.9"], is: .fail, at: .static)
            #expect(missing.stages.flatMap(\.findings).contains { $0.kind == "resolution" })

            // Five upgrades at once, of which one is at fault.
            let companions = (1...CompanionPlugin.count).flatMap {
                [
                    "--plugin",
                    production.wheels.appending(CompanionPlugin(number: $0, version: "2.0").file).string,
                ]
            }
            try await judge(
                production, Self.static_, companions + wheel(production, .crashes), is: .fail, at: .static,
                by: [plugin])
        }
    }

    /// A builder whose step comes from the plugin is a probe, though none is named and none is among the most used; and a master's
    /// own program is nothing that a shadow runs.
    @Test func whatUsesTheChangeIsTriedAndWhatNoShadowRunsIsNotPassed() async throws {
        try await CanaryProduction.with { production in
            let rules = """
                stages: [boot, probes]
                probes: {names: [], usingChange: true, mostUsed: 0, atMost: 1}
                looks: [{runs: 5, alpha: 0.05}]
                margin: 5
                floor: 30s
                """
            let verdict = try await judge(production, rules, wheel(production, .isHardlySlower), is: .pass)
            let probes = Set((stage(.probes, of: verdict)?.measures ?? []).map(\.probe))
            #expect(probes.count == 1 && probes.isSubset(of: ["verify", "spare"]), "\(probes)")

            let files = production.fixture.directory.appending("files/master")
            try Files.makeDirectories(files)
            let tac = try Files.read(production.fixture.master.appending("buildbot.tac"))
            try Files.replace(files.appending("buildbot.tac"), with: tac + Array("import os\n".utf8))
            let program = try await judge(
                production, Self.static_, ["--files", files.removingLastComponent().string], is: .fail,
                at: .static)
            #expect(program.stages.flatMap(\.findings).contains { $0.kind == "not-rehearsed" })
        }
    }

    /// Production's builder ends its own master, which the change would mend; and a master whose answers are none does not serve.
    @Test func aServerThatEndsOrDoesNotAnswerSpeaksAgainstItsOwnArm() async throws {
        let fatal = "name='verify', canStartBuild=lambda *arguments: __import__('os')._exit(9),"
        try await CanaryProduction.with(prepare: { fixture in
            try replaceText(
                "name='verify',", with: fatal, in: fixture.master.appending("jobs/builders.py"))
        }) { production in
            let builders = try production.masterFile("jobs/builders.py").replacing(
                fatal, with: "name='verify',")
            let mended = ["--files", try production.changed(["jobs/builders.py": builders]).string]
            let verdict = try await judge(
                production, Self.builds(3, alpha: 0.05, margin: 5, floor: "30s"), mended, is: .error,
                at: .probes)
            #expect(verdict.headline.contains("the server of an unchanged shadow"), "\(verdict.headline)")

            let odd =
                try production.masterFile("master.cfg") + """

                    from buildbot.www import rest
                    rest.V2RootResource.render = lambda self, request: b'{"masters": 7}'

                    """
            let files = ["--files", try production.changed(["master.cfg": odd]).string]
            try await judge(production, Self.boots, files, is: .fail, at: .boot)
        }
    }

    /// One that serves in every boot, and ends by itself while it is tried: longer after its start than a boot takes, and sooner than its
    /// builds do, of which the last are then asked of nobody.
    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func aCandidateThatEndsSomeTimeAfterItsBootIsStopped() async throws {
        try await CanaryProduction.with { production in
            // The configuration is executed in a thread of its own.
            let dying =
                try production.masterFile("master.cfg") + """

                    from twisted.internet import reactor
                    reactor.callFromThread(reactor.callLater, 20, os._exit, 1)

                    """
            let files = ["--files", try production.changed(["master.cfg": dying]).string]
            let verdict = try await judge(
                production, Self.builds(10, alpha: 0.05, margin: 5, floor: "30s"), files, is: .fail,
                at: .probes)
            let boot = stage(.boot, of: verdict)
            #expect(boot?.result == .pass)
        }
    }

    /// Production has the old version of a package once more, where its configuration looks first.
    @Test func anUpgradeThatAnotherCopyShadowsIsStoppedByTheBoot() async throws {
        try await CanaryProduction.with(prepare: { fixture in
            let wheel = fixture.directory.appending("wheels").appending(StepPlugin.first.file)
            try await Program(
                "/usr/bin/python3", ["-m", "zipfile", "--extract", wheel.string, fixture.master.string]
            ).runSuccessfully()
        }) { production in
            let verdict = try await judge(
                production, Self.boots, wheel(production, .second), is: .fail, at: .boot, by: [plugin])
            let finding = try #require(
                verdict.stages.flatMap(\.findings).first { $0.kind == "plugin-version" })
            #expect(finding.object == plugin)
            #expect(finding.message.contains("2.0 was to be at work, and 1.0 is"), "\(finding)")
            #expect(!finding.evidence.isEmpty)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatTakesMoreMemoryThanAShadowMayHaveIsStopped() async throws {
        try await CanaryProduction.with { production in
            let rules = Self.builds(5, alpha: 0.05, margin: 5, floor: "30s")
            let companion = production.wheels.appending(CompanionPlugin(number: 1, version: "2.0").file)
                .string
            let greedy = wheel(production, .isGreedy) + ["--plugin", companion]
            // With the change alone: its own doing, and that of one of its parts.
            let alone = try await judge(
                production, rules, shadows: "{memory: 512MiB}", greedy, is: .fail, at: .probes, by: [plugin])
            let finding = try #require(alone.stages.flatMap(\.findings).first { $0.kind == "limit" })
            #expect(finding.message.contains("512 MiB"), "\(finding.message)")
            #expect(finding.advice.contains("'shadows: {memory: …}'"), "\(finding.advice)")
            // Without the change too, or before there is anything to compare with: nobody's fault but the policy's.
            for change in [[], greedy] {
                let both = try await judge(
                    production, rules, shadows: "{memory: 40MiB}", change, is: .error, at: .boot)
                #expect(both.headline.contains("and may use 40 MiB"), "\(both.headline)")
            }
            try await judge(production, rules, shadows: "{memory: 2GiB}", greedy, is: .pass)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatABootLosesIsStoppedUnlessItWasMeant() async throws {
        try await CanaryProduction.with { production in
            try await judge(production, Self.staticAndBoots, [], is: .pass)
            try await judgeAgain(production)

            // 'buildbot checkconfig' likes a view that nobody has; the master does not start with it.
            var text = try production.masterFile("master.cfg")
            text.replace("'grid_view': {}", with: "'grid_view': {}, 'nope_view': {}")
            let view = ["--files", try production.changed(["master.cfg": text]).string]
            let boot = try await judge(production, "stages: [static, boot]", view, is: .fail, at: .boot)
            #expect(boot.stages.first?.result == .pass)
            #expect(boot.culprit == [ObjectName("file", "master/master.cfg")])

            // A module of a plugin that lies in the master's directory, where the configuration looks first.
            text = "from buildbot.process.buildstep import BuildStep\nclass AcmeVerify(BuildStep): pass\n"
            let copy = ["--files", try production.changed(["acme_buildbot_steps.py": text]).string]
            let shadowed = try await judge(production, Self.boots, copy, is: .fail, at: .boot)
            let finding = try #require(
                shadowed.stages.flatMap(\.findings).first { $0.kind == "plugin-missing" })
            #expect(finding.object == plugin)
            #expect(
                finding.message.contains(
                    "its module acme_buildbot_steps comes from \(production.fixture.master)"),
                "\(finding)")

            text = try production.masterFile("jobs/builders.py")
            text.replace(
                "        util.BuilderConfig(name='spare', workernames=workers, factory=verify),\n", with: "")
            let builders = ["--files", try production.changed(["jobs/builders.py": text]).string]
            let gone = try await judge(production, Self.boots, builders, is: .fail, at: .boot)
            #expect(
                gone.stages.flatMap(\.findings).contains {
                    $0.kind == "gone" && $0.object == ObjectName("builder", "spare")
                })
            try await judge(production, Self.boots, builders + ["--removes", "builder:spare"], is: .pass)
        }
    }

    /// Kept evidence under the declared policy comes out the same, and under one that asks for more it is undecided.
    private func judgeAgain(_ production: CanaryProduction) async throws {
        struct Rejudged: Decodable {
            struct Change: Decodable, Equatable { var what: String, before: String, after: String }
            var verdict: Verdict
            var declared: String
            var changes: [Change]
        }
        func rejudge(_ rules: String) async throws -> (Int32, Rejudged) {
            let outcome = try await production.runner.run(
                "--format", "json", "canary", "rejudge", "latest", "--policy", production.policy(rules).string
            )
            return (outcome.status, try JSONDecoder().decode(Rejudged.self, from: Data(outcome.output.utf8)))
        }
        let (same, again) = try await rejudge(Self.staticAndBoots)
        #expect(same == 0)
        #expect(again.changes.isEmpty)
        #expect(again.verdict.id == again.declared)
        let (status, stricter) = try await rejudge("stages: [static, boot, roundTrip, probes]")
        #expect(status == 5)
        #expect(stricter.verdict.id != stricter.declared)
        #expect(
            stricter.changes == [
                .init(what: "verdict", before: "pass", after: "inconclusive"),
                .init(what: "S3 probes", before: "not asked for", after: "inconclusive"),
            ])
        struct Row: Decodable { var id: String, result: String }
        let rows = try await production.runner.succeed("--format", "json", "canary", "list")
        let list = try JSONDecoder().decode([Row].self, from: Data(rows.utf8))
        #expect(list.map(\.result) == ["pass"])
        let shown = try await production.runner.succeed("canary", "show", try #require(list.first).id)
        #expect(shown.contains(again.verdict.headline))
        #expect(shown.contains("Made harmless before the first boot\n"))
        #expect(try await production.runner.run("canary", "show", "nonsense").status == 7)
    }

    @Test(
        .enabled(
            if: BuildbotFixture.availableWheels != nil, "SKIPPED: no wheels; run scripts/buildbot-environment"
        ), .enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func realVersionsThatBreakAreStoppedAndOthersPass() async throws {
        let wheels = try #require(BuildbotFixture.availableWheels)
        func wheel(_ beginning: String) throws -> [String] {
            let name = try Files.names(wheels).map { String(decoding: $0, as: UTF8.self) }.first {
                $0.hasPrefix(beginning)
            }
            return ["--plugin", wheels.appending(try #require(name)).string]
        }
        try await CanaryProduction.with { production in
            // Its script is for the web interface of Buildbot 3: no status says so, and nobody sees the view any more.
            let grid = try await judge(
                production, Self.boots, wheel("buildbot_grid_view-3.11.9"), is: .fail, at: .boot,
                by: [ObjectName("package", "buildbot-grid-view")])
            #expect(grid.stages.flatMap(\.findings).contains { $0.object == ObjectName("page", "grid_view") })
            // Allowed by Buildbot's own requirements, which pip asks, and not by those of alembic, which it does not.
            let alembic = try await judge(
                production, Self.static_, wheel("SQLAlchemy-1.4.54") + ["--archives", wheels.string],
                is: .fail,
                at: .static, by: [ObjectName("package", "sqlalchemy")])
            #expect(
                alembic.stages.flatMap(\.findings).contains {
                    $0.kind == "requirement" && $0.object == ObjectName("package", "alembic")
                })
            try await judge(
                production, Self.boots,
                wheel("buildbot_grid_view-4.2.1") + wheel("buildbot_console_view-4.2.1"), is: .pass)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatFailsOrSlowsBuildsIsStoppedByTheSitesOwn() async throws {
        try await CanaryProduction.with { production in
            try await judge(
                production, Self.builds(3, alpha: 0.05, margin: 1.25), wheel(production, .fails), is: .fail,
                at: .probes, by: [plugin])
            try await judge(
                production, Self.builds(5, alpha: 0.05, margin: 1.25), wheel(production, .isSlow), is: .fail,
                at: .probes, by: [plugin])
            try await judge(
                production, Self.builds(5, alpha: 0.05, margin: 1.5), wheel(production, .isHardlySlower),
                is: .pass)
            try await judge(
                production, Self.builds(5, alpha: 0.05, margin: 1.25), wheel(production, .isUneven),
                is: .inconclusive, at: .probes)
            // A harmless upgrade; as few runs as can show anything, under a tolerance that no host's noise comes near.
            try await judge(
                production, Self.builds(4, alpha: 0.05, margin: 3, floor: "5s"), wheel(production, .second),
                is: .pass)
        }
    }

    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func ofSeveralUpgradesTheOneThatSlowsBuildsIsFound() async throws {
        try await CanaryProduction.with { production in
            let companions = (1...2).flatMap {
                [
                    "--plugin",
                    production.wheels.appending(CompanionPlugin(number: $0, version: "2.0").file).string,
                ]
            }
            let change = companions + wheel(production, .isSlow)
            try await judge(
                production, Self.builds(4, alpha: 0.05, margin: 1.25), change, is: .fail, at: .probes,
                by: [plugin])
            // Where the policy allows no trial, nobody is accused.
            let untried = try await judge(
                production, Self.builds(4, alpha: 0.05, margin: 1.25) + "\nmeasuredTrials: 0", change,
                is: .fail,
                at: .probes)
            #expect(untried.culprit.count != 1, "\(untried.culprit)")
        }
    }

    /// Bursts of builds, an unchanged shadow more, and more boots than two.
    @Test(.enabled(if: CanaryProduction.triesAll, Comment(rawValue: CanaryProduction.whyFew)))
    func whatMakesBuildsWaitIsStoppedUnderLoad() async throws {
        try await CanaryProduction.with { production in
            let rules = """
                stages: [boot, probes, load]
                boots: 3
                control: shadow
                probes: {names: [verify], usingChange: false, mostUsed: 0, atMost: 1}
                looks: [{runs: 3, alpha: 0.05}]
                margin: 3
                floor: 5s
                load: {builds: 4, looks: [{runs: 4, alpha: 0.05}], margin: 1.3, floor: 0s}
                """
            // Each build is let in a second later, and then takes as long as before.
            var text = try production.masterFile("jobs/builders.py")
            text.replace(
                "name='verify', workernames=workers,",
                with:
                    "name='verify', workernames=workers, canStartBuild=lambda builder, worker, request: "
                    + "task.deferLater(reactor, 1, lambda: True),")
            text = "from twisted.internet import reactor, task\n" + text
            let crowded = ["--files", try production.changed(["jobs/builders.py": text]).string]
            let waits = try await judge(production, rules, crowded, is: .fail, at: .load)
            #expect(stage(.probes, of: waits)?.result == .pass)
            let measures = stage(.load, of: waits)?.measures ?? []
            #expect(measures.contains { $0.quantity == .queueWait && $0.result == .fail }, "\(measures)")
            #expect(measures.contains { $0.quantity == .throughput && $0.result == .fail }, "\(measures)")
            #expect(measures.allSatisfy { $0.control.count == 4 })

            let calm = rules.replacing("margin: 1.3, floor: 0s", with: "margin: 5, floor: 30s")
            let unchanged = try await judge(production, calm, [], is: .pass)
            #expect(stage(.load, of: unchanged)?.measures.isEmpty == false)
            #expect(stage(.probes, of: unchanged)?.control != nil)
        }
    }
}
