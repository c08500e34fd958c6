import FileTree
import FoundationEssentials
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// A plugin file with a manifest of these values.
func plugin(
    _ id: String, _ version: String = "1.0", core: String? = "2.400", needs: String? = nil,
    file: String? = nil, isDisabled: Bool = false, more: [String: String] = [:]
) -> PluginFile {
    var values = ["Short-Name": id, "Plugin-Version": version].merging(more) { $1 }
    values["Jenkins-Version"] = core
    values["Plugin-Dependencies"] = needs
    return PluginFile(file ?? "\(id).jpi", PluginManifest(values: values), isDisabled: isDisabled)
}

/// What a real Jenkins 2.462.3 did with 26 plugins (Tests/Fixtures/jenkins-plugin-loads.json).
@Suite struct LoadPredictionTests {
    struct Observed: Decodable {
        var id: String
        var deps: String?
        var result: String
    }

    private static func observed() throws -> [Observed] {
        let path = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
            .removingLastComponent().appending("Fixtures/jenkins-plugin-loads.json")
        return try JSONDecoder().decode([Observed].self, from: Data(try Files.read(path)))
    }

    /// The directory in which the 26 were tried.
    private static func directory(_ observed: [Observed]) -> [PluginFile] {
        let core = ["t08": "2.500", "t23": "2.462.4", "t24": "2.462.3", "t25": "2.463"]
        var files = [
            plugin("lib1"), plugin("dis", isDisabled: true), plugin("dup", "2.0", file: "dupA.jpi"),
            plugin("dup", "3.0", file: "dupB.jpi"), plugin("snap", "1.0-SNAPSHOT"), plugin("LIB2"),
            plugin("c1", needs: "c2:1.0;resolution:=optional"),
            plugin("c2", needs: "c1:1.0;resolution:=optional"),
        ]
        for vector in observed where vector.id != "c1/c2" {
            switch vector.id {
            case "t09": files.append(plugin("t09", core: nil))
            case "t19": files.append(plugin("t19", more: ["Minimum-Java-Version": "99"]))
            case "t20":
                let manifest = PluginManifest(values: [
                    "Short-Name": "t20", "Implementation-Version": "4.5", "Jenkins-Version": "2.400",
                ])
                files.append(PluginFile("t20.jpi", manifest))
            default:
                files.append(plugin(vector.id, core: core[vector.id] ?? "2.400", needs: vector.deps))
            }
        }
        return files
    }

    private static let core = JenkinsCore("2.462.3")

    @Test func everyObservedCaseIsPredicted() throws {
        let observed = try Self.observed()
        #expect(observed.count == 26)
        let prediction = LoadPrediction(Self.directory(observed), core: Self.core, lastCore: "2.462.3")
        for vector in observed where vector.id != "c1/c2" {
            let outcome = try #require(prediction.outcome(of: vector.id), "\(vector.id)")
            let agrees =
                switch outcome {
                case .loads: vector.result.hasPrefix("loads")
                case .fails: vector.result.hasPrefix("fails")
                case .vanishes: vector.result.hasPrefix("vanishes")
                case .disabled, .cyclic, .ignored: false
                }
            #expect(agrees, "\(vector.id): \(outcome), and Jenkins: \(vector.result)")
        }
    }

    @Test func everyObservedReasonIsPredicted() throws {
        let prediction = LoadPrediction(
            Self.directory(try Self.observed()), core: Self.core, lastCore: "2.462.3")
        func reasons(_ id: String) -> [LoadPrediction.Reason] {
            if case .fails(let reasons)? = prediction.outcome(of: id) { reasons } else { [] }
        }
        #expect(reasons("t02") == [.tooOld(PluginDependency("lib1", "2.0"), installed: "1.0")])
        #expect(
            reasons("t03") == [
                .tooOld(PluginDependency("lib1", "2.0", isOptional: true), installed: "1.0")
            ])
        #expect(reasons("t05") == [.missing(PluginDependency("nope", "1.0"))])
        #expect(reasons("t06") == [.derived(PluginDependency("t05", "1.0"))])
        #expect(reasons("t08") == [.coreTooOld(required: "2.500")])
        #expect(reasons("t10") == [.inactive(PluginDependency("dis", "1.0"))])
        #expect(reasons("t12") == [.missing(PluginDependency(" t01", "1.0"))])
        #expect(reasons("t13") == [.inactive(PluginDependency("c1", "1.0"))])
        #expect(reasons("t15") == [.tooOld(PluginDependency("dup", "3.0"), installed: "2.0")])
        #expect(reasons("t18") == [.tooOld(PluginDependency("lib1", "1.0;foo:=bar"), installed: "1.0")])
        #expect(reasons("t22") == [.missing(PluginDependency("lib2", "1.0"))])
        #expect(prediction.outcome(of: "c1") == .cyclic(["c1", "c2", "c1"]))
        #expect(prediction.outcome(of: "c2") == .cyclic(["c1", "c2", "c1"]))
        #expect(prediction.outcome(of: "t21") == .vanishes(part: "lib1"))
        #expect(prediction.plugins.first { $0.file == "dupB.jpi" }?.outcome == .ignored(winner: "dupA.jpi"))
        #expect(
            prediction.plugins.first { $0.id == "t16" }?.suppressed == [
                .tooOld(PluginDependency("snap", "5.0"), installed: "1.0-SNAPSHOT")
            ])
        #expect(prediction.plugins.first { $0.id == "t20" }?.version == "4.5")
        #expect(
            prediction.description.contains("t22 1.0 (t22.jpi) fails: needs lib2 1.0, which is not there"))
    }

    // MARK: - What was split off

    private let detached: JenkinsCore

    init() throws {
        detached = JenkinsCore(
            "2.462.3",
            detached: try DetachedPlugins(
                table: """
                    # a comment

                    ant 1.430 1.0
                    junit 1.577 1.0
                    jaxb 2.163 2.3.0
                    """, exceptions: "# a comment\njunit jaxb\n"),
            spare: [
                plugin("ant", "1.5"),
                plugin("junit", "1.300", needs: "structs:1.5,ant:1.0;resolution:=optional"),
                plugin("jaxb", "2.3.9", file: "jaxb.hpi"), plugin("structs", "1.9", file: "structs.hpi"),
            ])
    }

    @Test func aPluginBuiltBeforeTheSplitBringsWhatWasSplitOff() {
        let prediction = LoadPrediction(
            [plugin("old", core: "1.500")], core: detached, lastCore: "2.462.3")
        // jaxb and junit by the table, structs because junit needs it; ant was split off before.
        #expect(Set(prediction.copies.map(\.id)) == ["junit", "jaxb", "structs"])
        #expect(prediction.loaded == ["old": "1.0", "junit": "1.300", "jaxb": "2.3.9", "structs": "1.9"])
    }

    @Test func aPluginThatNamesNoCoreBringsAllOfIt() {
        let prediction = LoadPrediction([plugin("old", core: nil)], core: detached, lastCore: "2.462.3")
        #expect(Set(prediction.copies.map(\.id)) == ["ant", "junit", "jaxb", "structs"])
        #expect(prediction.plugins.first { $0.id == "old" }?.warnings.isEmpty == false)
    }

    @Test func whatIsThereIsNotPutThereAgainAndCountsAsOptional() {
        let prediction = LoadPrediction(
            [plugin("old", core: "2.0"), plugin("jaxb", "2.0", isDisabled: true)], core: detached,
            lastCore: nil)
        // Too old, but off: an optional dependency on what is off is none.
        #expect(prediction.outcome(of: "old") == .loads)
        #expect(prediction.copies.map(\.id) == ["jaxb"], "the core accepts no jaxb below 2.3.0")
        #expect(prediction.copies.first?.replaced == "2.0")
    }

    @Test func aNewCoreReplacesWhatIsOlderThanItsOwn() {
        let files = [plugin("junit", "1.200"), plugin("structs", "1.10")]
        let upgrade = LoadPrediction(files, core: detached, lastCore: "2.440")
        #expect(upgrade.copies.map(\.id) == ["junit"], "structs is newer than the core's")
        #expect(upgrade.loaded["junit"] == "1.300")
        let same = LoadPrediction(files, core: detached, lastCore: "2.462.3")
        #expect(same.copies.isEmpty)
        #expect(same.loaded["junit"] == "1.200")
    }

    @Test func aNewCoreAddsWhatWasSplitOffSinceTheLastOne() {
        let upgrade = LoadPrediction([], core: detached, lastCore: "2.100")
        #expect(upgrade.copies.map(\.id) == ["jaxb"])
    }

    @Test func exceptionsBreakCircles() {
        #expect(detached.detached.implied(for: "junit", builtFor: "1.0").map(\.id) == ["ant"])
        #expect(detached.detached.implied(for: "x", builtFor: "null").count == 3)
        #expect(detached.detached.implied(for: "x", builtFor: "2.164").isEmpty)
        #expect(detached.detached.implied(for: "x", builtFor: "2.163.1").map(\.id) == ["jaxb"])
    }

    // MARK: - Properties

    /// Directories of random plugins.
    private static func random(_ seed: UInt64) -> [PluginFile] {
        var generator = SplitMix(state: seed)
        return (0..<12).map { number in
            let needs = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                let other = Int.random(in: 0..<14, using: &generator)
                let version = Int.random(in: 1...3, using: &generator)
                let isOptional = Bool.random(using: &generator)
                return "p\(other):\(version)\(isOptional ? ";resolution:=optional" : "")"
            }
            return plugin(
                "p\(number)", "\(Int.random(in: 1...3, using: &generator))",
                needs: needs.isEmpty ? nil : needs.joined(separator: ","),
                isDisabled: Int.random(in: 0..<8, using: &generator) == 0)
        }
    }

    @Test func whatLoadsHasAllItNeeds() throws {
        var (loading, failing) = (0, 0)
        for seed in 0..<300 {
            let files = Self.random(UInt64(seed))
            let prediction = LoadPrediction(files, core: Self.core, lastCore: nil)
            #expect(prediction.plugins.count == files.count)
            let loaded = prediction.loaded
            for file in files {
                let dependencies = try #require(try file.manifest?.dependencies())
                let isServed = dependencies.allSatisfy { dependency in
                    guard let version = loaded[dependency.id] else { return dependency.isOptional }
                    return !VersionNumber(version).isOlder(than: VersionNumber(dependency.version))
                }
                if loaded[file.id] != nil {
                    loading += 1
                    #expect(isServed, "seed \(seed), \(file.id)")
                }
                if case .fails(let reasons)? = prediction.outcome(of: file.id) {
                    failing += 1
                    #expect(!reasons.isEmpty)
                    #expect(!isServed, "seed \(seed), \(file.id) fails with all it needs")
                }
            }
        }
        #expect(loading > 300 && failing > 300, "\(loading) \(failing)")
    }

    @Test func theOrderOfTheFilesDoesNotCount() {
        for seed in 0..<100 {
            let files = Self.random(UInt64(seed))
            let one = LoadPrediction(files, core: Self.core, lastCore: nil)
            #expect(one == LoadPrediction(files.reversed(), core: Self.core, lastCore: nil))
        }
    }

    @Test func aPluginThatNobodyNeedsChangesNothingForTheOthers() {
        for seed in 0..<100 {
            let files = Self.random(UInt64(seed))
            let before = LoadPrediction(files, core: Self.core, lastCore: nil)
            let after = LoadPrediction(files + [plugin("zz")], core: Self.core, lastCore: nil)
            #expect(after.plugins.filter { $0.id != "zz" } == before.plugins)
        }
    }
}
