internal import Archive
internal import FileTree
internal import Judge
internal import SnapshotModel
package import SystemPackage

/// Everything that can be told of a home and a core without booting them.
///
/// What the configurations say is read before a home is neutralised; the plugins are those that are there now.
package struct StaticPrediction: Sendable {
    /// Which plugins load, and what the core adds: part of the change.
    package var plugins: LoadPrediction
    /// Settings that the first save would lose.
    package var data: DataPrediction
    /// The complaints, in the words of a canary; equal ones of both arms cancel out.
    package var check: StaticCheck

    /// Looks at the plugins of a home; `java` is the version that is to run it, nil when nobody knows.
    package init(_ reading: HomeReading, home: FilePath, core: JenkinsCore, java: Int? = nil) throws {
        let directory = home.appending("plugins")
        let lastCore = try Files.readIfPresent(
            home.appending("jenkins.install.InstallUtil.lastExecVersion"), limit: 1 << 10
        ).map { printable($0.filter { $0 > 0x20 }) }
        plugins = LoadPrediction(try PluginFile.files(in: directory), core: core, lastCore: lastCore)
        data = DataPrediction(reading, loaded: plugins.loaded)
        check = StaticCheck(
            checks: [
                "every plugin: what it needs of core \(core.version) and of other plugins",
                "every configuration: whether the plugin that wrote it will be there to read it",
            ], observations: [])
        check.observations = plugins.plugins.flatMap(Self.observations)
        check.observations += data.losses.map(Self.observation)
        check.observations += data.unreadable.sorted { $0.key < $1.key }.map { path, reason in
            Observation(kind: "unreadable-xml", object: ObjectName("file", path.description), detail: reason)
        }
        check.observations += Self.logins(reading, plugins.loaded)
        if let java { try addJava(java, directory) }
    }

    private static func observations(_ plugin: LoadPrediction.Plugin) -> [Observation] {
        let object = ObjectName("plugin", plugin.id)
        let lines = ["\(plugin.id) \(plugin.version) (\(plugin.file)) \(plugin.outcome)"]
        switch plugin.outcome {
        case .loads, .disabled: return []
        case .fails(let reasons):
            return reasons.map {
                Observation(kind: "plugin-failed", object: object, detail: "\(plugin.id) \($0)", lines: lines)
            }
        case .cyclic, .vanishes:
            return [
                Observation(
                    kind: "plugin-failed", object: object, detail: "\(plugin.id) \(plugin.outcome)",
                    lines: lines)
            ]
        case .ignored(let winner):
            return [
                Observation(
                    kind: "plugin-ignored", object: object, detail: "\(plugin.file) gives way to \(winner)")
            ]
        }
    }

    private static func observation(_ loss: DataPrediction.Loss) -> Observation {
        let places = loss.files.sorted { $0.key < $1.key }.map { path, classes in
            "\(path): \(classes.sorted().joined(separator: ", "))"
        }
        let detail =
            loss.kind == .missing
            ? "settings of \(loss.plugin) are passed over, and gone with the next save"
            : "settings of a newer \(loss.plugin) may not be understood"
        return Observation(
            kind: loss.kind == .missing ? "unreadable-data" : "newer-data",
            object: ObjectName("plugin", loss.plugin), detail: detail, lines: places)
    }

    /// A realm or rights whose plugin does not load: Jenkins does not start at all then.
    private static func logins(_ reading: HomeReading, _ loaded: [String: String]) -> [Observation] {
        reading.logins.filter { loaded[$0.plugin] == nil }.map { login in
            Observation(
                kind: "configuration", object: ObjectName("file", "config.xml"),
                detail:
                    "Jenkins does not start: \(login.element) is \(login.kind), and plugin \(login.plugin) does not load"
            )
        }
    }

    /// Adds plugins with classes that a Java does not run.
    private mutating func addJava(_ java: Int, _ directory: FilePath) throws {
        check.checks.append("every plugin: whether Java \(java) runs its classes")
        for plugin in plugins.plugins where plugin.outcome == .loads {
            let path = directory.appending(plugin.file)
            // What the core adds is made for the Java that the core needs.
            guard try Files.exists(path), try !Files.isDirectory(path), !plugin.file.hasSuffix("pl") else {
                continue
            }
            let level = try ClassFileLevel(archive: path)
            let object = ObjectName("plugin", plugin.id)
            if let needed = level.java, needed > java {
                check.observations.append(
                    Observation(
                        kind: "class-files", object: object,
                        detail:
                            "\(plugin.id) has classes for Java \(needed), and Java \(java) is to run them",
                        lines: [level.place]))
            }
            check.observations += level.unreadable.map {
                Observation(kind: "unreadable-jar", object: object, detail: $0)
            }
        }
    }
}
