import Cryptography
import FileTree
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What a request for plugins takes, worked out without a network.
@Suite struct PluginPlanTests {
    private func catalog(_ files: PluginFile...) -> PluginCatalog {
        var catalog = PluginCatalog()
        for file in files {
            guard let manifest = file.manifest else { continue }
            catalog.add(
                PluginRelease(
                    manifest, id: file.id, origin: "\(file.id)-\(file.version).hpi", digest: "d",
                    expectedDigest: "d"))
        }
        return catalog
    }

    private func planner(
        _ installed: [PluginFile], _ catalog: PluginCatalog, core: JenkinsCore = JenkinsCore("2.462.3")
    ) -> PluginPlanner {
        PluginPlanner(
            installed: installed, currentCore: JenkinsCore("2.462.3"), core: core, catalog: catalog)
    }

    private func lines(_ plan: PluginPlan) -> [String] {
        plan.steps.map { step in
            let to = step.release?.version ?? ""
            return "\(step.action.rawValue) \(step.id) \(step.from ?? "-") \(to)"
        }
    }

    @Test func whatIsNeededComesFirstAndSaysWhy() {
        let catalog = catalog(
            plugin("git", "5.0", needs: "git-client:4.0,structs:1.0"),
            plugin("git-client", "4.0", needs: "credentials:2.0"),
            plugin("git-client", "5.0", needs: "credentials:9.0"), plugin("credentials", "2.0"),
            plugin("structs", "1.5"))
        let plan = planner([plugin("structs", "1.0"), plugin("credentials", "1.0")], catalog)
            .plan(PluginRequest(wanted: ["git": .exactly("5.0")]))
        #expect(
            lines(plan) == ["upgrade credentials 1.0 2.0", "add git-client - 4.0", "add git - 5.0"],
            "structs is new enough, and git-client no newer than needed")
        #expect(
            plan.steps.first?.because == [
                "git 5.0 is asked for", "git needs git-client 4.0", "git-client needs credentials 2.0",
            ])
        #expect(plan.refusals.isEmpty && plan.advice.isEmpty)
        #expect(plan.prediction.loaded.count == 4)
        #expect(plan.description.hasPrefix("upgrade credentials 1.0 → 2.0: git 5.0 is asked for"))
    }

    @Test func whatWorksWithAnotherPluginRaisesItWhenItIsThere() {
        let catalog = catalog(
            plugin(
                "a", "2.0",
                needs: "b:2.0;resolution:=optional,c:2.0;resolution:=optional,d:2.0;resolution:=optional"),
            plugin("b", "2.0"), plugin("c", "2.0"), plugin("d", "2.0"))
        let installed = [plugin("a", "1.0"), plugin("b", "1.0"), plugin("c", "1.0", isDisabled: true)]
        let plan = planner(installed, catalog).plan(PluginRequest(wanted: ["a": .exactly("2.0")]))
        #expect(lines(plan) == ["upgrade b 1.0 2.0", "upgrade a 1.0 2.0"], "c is off and d is not there")
        #expect(plan.prediction.outcome(of: "a") == .loads)
    }

    @Test func anInstalledPluginThatWorksWithWhatComesIsHeard() {
        let installed = [plugin("old", needs: "new:3.0;resolution:=optional")]
        let catalog = catalog(plugin("new", "2.0"), plugin("new", "3.0"), plugin("x", needs: "new:1.0"))
        let plan = planner(installed, catalog).plan(PluginRequest(wanted: ["x": .latest]))
        #expect(lines(plan) == ["add new - 3.0", "add x - 1.0"])
        #expect(plan.refusals.isEmpty)
    }

    @Test func aPinThatIsTooOldIsRefusedWithItsChain() throws {
        let catalog = catalog(plugin("a", "2.0", needs: "b:2.0"), plugin("b", "1.0"), plugin("b", "2.0"))
        let plan = planner([], catalog).plan(
            PluginRequest(wanted: ["a": .exactly("2.0"), "b": .exactly("1.0")]))
        let refusal = try #require(plan.refusals.first)
        #expect(refusal.kind == .pinned && refusal.id == "b")
        #expect(refusal.because == ["a 2.0 is asked for", "a needs b 2.0"])
        #expect(plan.leastCore == nil)
    }

    @Test func whatNobodyHasIsRefused() {
        let catalog = catalog(plugin("a", "2.0", needs: "b:2.0"), plugin("b", "1.0"))
        let planner = planner([], catalog)
        for (wanted, id) in [("a", "b"), ("c", "c")] {
            let plan = planner.plan(PluginRequest(wanted: [wanted: .latest]))
            #expect(plan.refusals.contains { $0.kind == .unavailable && $0.id == id }, "\(wanted)")
        }
        let plan = planner.plan(PluginRequest(wanted: ["a": .exactly("3.0")]))
        #expect(plan.refusals.first?.message == "nobody has a 3.0; there are 2.0")
    }

    @Test func theLeastCoreIsNamedWhenOnlyTheCoreIsInTheWay() {
        let catalog = catalog(
            plugin("a", "2.0", needs: "b:2.0"), plugin("b", "2.0", core: "2.500"),
            plugin("b", "3.0", core: "2.479.1"))
        let plan = planner([], catalog).plan(PluginRequest(wanted: ["a": .latest]))
        #expect(plan.leastCore == "2.479.1")
        #expect(plan.refusals.map(\.kind) == [.core, .breaks])
    }

    @Test func whatIsOffIsSwitchedOnWhenItIsNeeded() {
        let installed = [plugin("b", "2.0", isDisabled: true)]
        let plan = planner(installed, catalog(plugin("a", needs: "b:1.0")))
            .plan(PluginRequest(wanted: ["a": .latest]))
        #expect(lines(plan) == ["enable b 2.0 ", "add a - 1.0"])
        #expect(plan.refusals.isEmpty)
        #expect(plan.prediction.loaded == ["a": "1.0", "b": "2.0"])
    }

    @Test func removingWhatOthersNeedIsRefused() {
        let installed = [plugin("a", needs: "b:1.0"), plugin("b")]
        let plan = planner(installed, PluginCatalog()).plan(PluginRequest(unwanted: ["b"]))
        #expect(lines(plan) == ["remove b 1.0 "])
        #expect(plan.refusals.map(\.kind) == [.breaks])
        #expect(plan.refusals.first?.message == "a 1.0 fails: needs b 1.0, which is not there")
        let both = planner(installed, PluginCatalog()).plan(PluginRequest(unwanted: ["a", "b"]))
        #expect(both.refusals.isEmpty)
        #expect(both.prediction.plugins.isEmpty)
        let absent = planner(installed, PluginCatalog()).plan(PluginRequest(unwanted: ["c"]))
        #expect(absent.refusals.map(\.kind) == [.unavailable])
    }

    @Test func goingBackBreaksWhoNeedsTheNewerOne() {
        let installed = [plugin("a", needs: "b:2.0"), plugin("c", needs: "a:1.0"), plugin("b", "2.0")]
        let plan = planner(installed, catalog(plugin("b", "1.0")))
            .plan(PluginRequest(wanted: ["b": .exactly("1.0")]))
        #expect(lines(plan) == ["downgrade b 2.0 1.0"])
        #expect(plan.refusals.map(\.id) == ["a"], "c fails for a alone, and is not told by itself")
    }

    @Test func anOlderCoreBreaksWhatNeedsTheNewerOne() {
        let plan = planner([plugin("a", core: "2.462")], PluginCatalog(), core: JenkinsCore("2.440"))
            .plan(PluginRequest())
        #expect(plan.refusals.map(\.kind) == [.breaks])
        #expect(plan.steps.isEmpty)
    }

    @Test func whatTheCoreHasToSpareCanBeHad() {
        let core = JenkinsCore("2.462.3", spare: [plugin("structs", "1.9", file: "structs.hpi")])
        let plan = planner([], catalog(plugin("a", needs: "structs:1.0")), core: core)
            .plan(PluginRequest(wanted: ["a": .latest]))
        #expect(plan.steps.first?.release?.origin == "WEB-INF/detached-plugins/structs.hpi")
        #expect(plan.advice.map(\.kind) == [.unchecked])
    }

    @Test func askingForWhatIsThereIsNothingToDo() {
        let plan = planner([plugin("a")], catalog(plugin("a"))).plan(
            PluginRequest(wanted: ["a": .exactly("1.0")]))
        #expect(plan.steps.isEmpty && plan.refusals.isEmpty)
        #expect(plan.description == "nothing to do")
    }

    @Test func weaknessesAreToldByWhatTheChangeDoesToThem() {
        var catalog = catalog(
            plugin("a", "2.0", more: ["Compatible-Since-Version": "1.5"]), plugin("b", "2.0"))
        func warning(_ id: String, _ plugin: String?, _ pattern: String) -> SecurityWarning {
            SecurityWarning(
                id: id, plugin: plugin, message: "bad", address: "u", patterns: [VersionPattern(pattern)])
        }
        catalog.warnings = [
            warning("S1", "a", "1[.].*"), warning("S2", "a", "2[.].*"), warning("S3", "a", ".*"),
            warning("S4", nil, "2[.]462.*"), warning("S5", "a", "3"),
        ]
        catalog.deprecations = ["a": "why"]
        let plan = planner([plugin("a", "1.0")], catalog, core: JenkinsCore("2.479.1"))
            .plan(PluginRequest(wanted: ["a": .exactly("2.0")]))
        #expect(
            plan.advice.map(\.kind) == [
                .weaknessFixed, .weaknessAdded, .weaknessFixed, .weaknessKept, .deprecated, .incompatibleData,
            ])
        #expect(plan.advice.first?.id == nil)
    }

    @Test func anArchiveThatIsNotTheOnePublishedIsRefused() throws {
        let directory = try ScratchDirectory()
        let path = directory.appending("a.hpi")
        let manifest = "Short-Name: a\nPlugin-Version: 1.0\n"
        try writeZip(path, [(PluginManifest.path, Array(manifest.utf8))])
        try Files.replace(directory.appending("readme.txt"), with: [])
        try Files.replace(directory.appending("torn.hpi"), with: [1])
        var catalog = try PluginCatalog(directory: directory.path)
        #expect(catalog.releases.keys.sorted() == ["a"])
        #expect(catalog.release("a", "1")?.digest == hex(SHA256.digest(try Files.read(path))))
        let center =
            #"updateCenter.post({"updateCenterVersion":1,"plugins":{"a":{"version":"1.0","sha256":"\#(String(repeating: "A", count: 43))="}}});"#
        catalog.add(try PluginCatalog(updateCenter: Array(center.utf8)))
        let plan = planner([], catalog).plan(PluginRequest(wanted: ["a": .latest]))
        #expect(plan.refusals.map(\.kind) == [.forged])
        #expect(
            plan.steps.first?.release?.origin == path.string,
            "the archive at hand, by what the update centre says")
    }

    @Test func plansOfRandomCatalogsServeWhatTheyBring() {
        var possible = 0
        for seed in 0..<200 {
            var generator = SplitMix(state: UInt64(seed))
            func files(_ count: Int) -> [PluginFile] {
                (0..<count).map { _ in
                    let needs = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                        "p\(Int.random(in: 0..<8, using: &generator)):\(Int.random(in: 1...4, using: &generator))"
                            + (Bool.random(using: &generator) ? ";resolution:=optional" : "")
                    }
                    return plugin(
                        "p\(Int.random(in: 0..<8, using: &generator))",
                        "\(Int.random(in: 1...4, using: &generator))",
                        needs: needs.isEmpty ? nil : needs.joined(separator: ","))
                }
            }
            var catalog = PluginCatalog()
            for file in files(20) {
                guard let manifest = file.manifest else { continue }
                catalog.add(PluginRelease(manifest, id: file.id, origin: file.id))
            }
            let plan = planner(files(4), catalog).plan(PluginRequest(wanted: ["p0": .latest]))
            guard plan.refusals.isEmpty else { continue }
            possible += 1
            #expect(plan.prediction.outcome(of: "p0") == .loads, "seed \(seed): \(plan)")
        }
        #expect(possible > 20)
    }
}
