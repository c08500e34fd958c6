internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import SnapshotModel
internal import SystemPackage

/// Which plugins a controller works with: those that are to be, those of a shadow that serves, and those of production.
extension JenkinsShadow {
    /// What they are called.
    private static let kind = "plugin"

    /// What the plugin manager says.
    private struct Report: Decodable {
        struct Plugin: Decodable {
            var shortName: String
            var version: String
            var active: Bool
        }
        static let path = "/pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]"
        var plugins: [Plugin]

        /// The plugins; one that is listed and not active does nothing.
        var set: PluginSet {
            let (active, idle) = (plugins.filter(\.active), plugins.filter { !$0.active })
            return PluginSet(
                kind: JenkinsShadow.kind,
                versions: Dictionary(active.map { ($0.shortName, $0.version) }) { first, _ in first },
                idle: Dictionary(idle.map { ($0.shortName, "\($0.version) is switched off") }) { first, _ in
                    first
                })
        }
    }

    func plannedPlugins(in room: any ShadowRoom) async throws -> PluginSet? {
        let home = try home(room.copy)
        return try Self.predicted(home: home, core: core(room.copy))
    }

    func plugins(in room: any ShadowRoom) async throws -> PluginSet? {
        let report: Report = try await answer(Report.path, probe(room))
        return report.set
    }

    /// The plugins that a boot of a home would show.
    private static func predicted(home: FilePath, core: JenkinsCore) throws -> PluginSet {
        let prediction = LoadPrediction(
            try PluginFile.files(in: home.appending("plugins")), core: core,
            lastCore: try JenkinsDriver.coreVersion(home))
        let loaded = prediction.loaded
        let others = prediction.plugins.filter { loaded[$0.id] == nil }.map {
            ($0.id, $0.outcome.description)
        }
        return PluginSet(
            kind: kind, versions: loaded, idle: Dictionary(others) { first, _ in first })
    }

    func production(beside plugins: PluginSet, pages: [ObjectName]) async throws -> ProductionView {
        var reason = "the system file does not say where Jenkins answers"
        if let url = driver.component.text("url") {
            var probe = try driver.access?.probe(url) ?? HTTPProbe(url)
            probe.limit = .seconds(30)
            let answer = try await probe.get(Report.path)
            if answer.status == 200 {
                let seen = try JSONDecoder().decode(Report.self, from: Data(answer.body.utf8)).set
                return ProductionView(
                    plugins: seen, place: "\(counted(seen.versions.count, "active plugin")), as \(url) says")
            }
            reason = "\(url) answers \(answer.status) when asked for them"
        }
        // What a boot would load is less than what one has loaded, and is said to be.
        let core: JenkinsCore
        if let war = driver.war {
            core = try Self.core(war: war)
        } else if let version = try JenkinsDriver.coreVersion(driver.home) {
            core = JenkinsCore(version)
        } else {
            return ProductionView(
                plugins: nil, place: "\(reason), and neither the home nor a war says which Jenkins runs")
        }
        let seen = try Self.predicted(home: driver.home, core: core)
        return ProductionView(
            plugins: seen,
            place:
                "\(counted(seen.versions.count, "plugin")) that a boot of \(driver.home) loads, for \(reason)"
        )
    }
}
