internal import Archive
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension JenkinsDriver {
    /// A job with its builds, or a plugin with what marks it.
    package func item(
        _ kind: String, _ name: String, in source: any FileSource
    ) async throws -> SingleItem? {
        switch kind {
        case "job":
            let file = try inventory(of: source).items
                .first { $0.kind == "job" && $0.name == name }?.files.first
            return file.map { SingleItem(root: "home", paths: [$0.parent]) }
        case "plugin": return try plugin(name, in: source)
        default: return nil
        }
    }

    /// Files that belong to the archive `STEM.jpi` or `STEM.hpi`: `.pinned` and the like say what becomes of it, `.bak` is the
    /// version before.
    private static let marks = [".disabled", ".pinned", ".version_from_image"]

    private static func belongs(_ name: [UInt8], to stem: [UInt8]) -> Bool {
        guard name.starts(with: stem) else { return false }
        let rest = String(decoding: name.dropFirst(stem.count), as: UTF8.self)
        guard rest != ".bak" else { return true }
        return PluginFile.endings.contains { ending in
            rest == ending || marks.contains { rest == ending + $0 }
        }
    }

    private func plugin(_ name: String, in source: any FileSource) throws -> SingleItem? {
        guard let bytes = try source.lock(PluginsLock.name),
            let row = PluginsLock(bytes).rows.first(where: {
                $0.name == name && $0.name != PluginsLock.core && !$0.flags.contains("not-loaded")
            })
        else { return nil }
        let directory = EntryPath("plugins")
        let origin = EntryPath(row.origin)
        let live = home.appending("plugins")
        let files = try PluginFile.files(in: live)
        // The plugin may stand there under another file name by now.
        var stems: Set = [Array(origin.name.dropLast(4))]
        for file in files where file.id == name { stems.insert(Array(file.name.utf8.dropLast(4))) }
        var item = SingleItem(root: "home")
        let captured = try source.names(root: "home", directory: directory).filter { !$0.isDirectory }
            .map(\.name).filter { Self.belongs($0, to: Array(origin.name.dropLast(4))) }
        item.paths = captured.map { directory.appending($0) }
        guard item.paths.contains(origin) else {
            item.refusals = [
                Refusal(
                    "the snapshot names \(row.origin) and does not hold it",
                    hint: "'understudy verify' says whether the snapshot is whole; restore from another one")
            ]
            return item
        }
        for found in try Files.isDirectory(live) ? Files.names(live) : [] {
            let path = directory.appending(found)
            if stems.contains(found) {
                item.derived.append(path)
            } else if stems.contains(where: { Self.belongs(found, to: $0) }), !item.paths.contains(path) {
                item.leftovers.append(path)
            }
        }
        item.warnings = try warnings(row, files, source)
        return item
    }

    /// What the plugins that are there now, with this one exchanged, would do at the next start and do not do today.
    private func warnings(
        _ row: PluginsLock.Row, _ files: [PluginFile], _ source: any FileSource
    ) throws -> [String] {
        let origin = EntryPath(row.origin)
        if let link = row.flags.first(where: { $0.hasPrefix("link:") }) {
            return ["\(row.origin) is a \(link): what it leads to is not in the snapshot"]
        }
        var manifest: [UInt8]?
        if let archive = try source.contents(root: "home", path: origin) {
            do throws(ArchiveError) {
                manifest = try ZipArchive.contents(
                    of: PluginManifest.path, in: archive, called: FilePath(bytes: origin.bytes))
            } catch {
                return ["\(row.origin) is no archive that Jenkins could open: \(error.reason)"]
            }
        }
        guard let manifest else { return ["\(row.origin) has no manifest that Jenkins could read"] }
        let core: JenkinsCore
        if let war, try Files.exists(war) {
            core = try JenkinsCore(war: war)
        } else if let version = try Self.coreVersion(home) {
            core = JenkinsCore(version)
        } else {
            return ["which core runs here is not known: whether the plugin loads was not looked at"]
        }
        let restored = PluginFile(
            printable(origin.name), PluginManifest(manifest), isDisabled: row.flags.contains("disabled"))
        let lastCore = try Self.coreVersion(home)
        let before = LoadPrediction(files, core: core, lastCore: lastCore)
        let after = LoadPrediction(
            files.filter { $0.id != restored.id } + [restored], core: core, lastCore: lastCore)
        var warnings = after.plugins.compactMap { plugin -> String? in
            switch plugin.outcome {
            case .loads, .disabled, .ignored: return nil
            case .fails, .cyclic, .vanishes: break
            }
            guard plugin.id == restored.id || before.outcome(of: plugin.id) == .loads else { return nil }
            return "afterwards \(plugin.id) \(plugin.version) would not load: it \(plugin.outcome)"
        }
        let reading = try HomeReading(home: home)
        let lost = Set(DataPrediction(reading, loaded: before.loaded).losses.map(\.plugin))
        warnings += DataPrediction(reading, loaded: after.loaded).losses.filter { !lost.contains($0.plugin) }
            .map { loss in
                "settings that \(loss.plugin) \(loss.version) wrote in \(loss.files.count) files may be lost with the next save"
            }
        return warnings
    }
}
