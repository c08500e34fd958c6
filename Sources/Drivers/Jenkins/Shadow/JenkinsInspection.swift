internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// What a drill can tell of a restored home without booting it.
extension JenkinsShadow {
    func inspect(_ copy: ShadowCopy, against source: any FileSource) throws -> [Inspection] {
        let home = try home(copy)
        let reading = try HomeReading(home: home)
        let faults = reading.files.compactMap { file in file.fault.map { "\(EntryPath(file.path)): \($0)" } }
        let refusals = try KeyChain.findings(source, outside: driver.masterKey).refusals
        return [
            Inspection(
                "configurations", problems: faults,
                detail:
                    "every configuration is well-formed XML; plugins wrote into \(reading.files.count) of them"
            ),
            Inspection(
                "keys", problems: refusals.map(\.reason),
                detail: "the chain of keys opens the values that were tried"),
            try plugins(copy, home, source), try jobs(home, source),
        ]
    }

    /// Each plugin that the lock promises must be predicted to load.
    private func plugins(_ copy: ShadowCopy, _ home: FilePath, _ source: any FileSource) throws -> Inspection
    {
        let core = try core(copy)
        let prediction = LoadPrediction(
            try PluginFile.files(in: home.appending("plugins")), core: core,
            lastCore: try JenkinsDriver.coreVersion(home))
        let promised = PluginsLock(try source.lock(PluginsLock.name) ?? []).rows.filter {
            $0.flags.isEmpty && $0.name != PluginsLock.core
        }
        let loaded = prediction.loaded
        let problems = promised.filter { loaded[$0.name] != $0.version }.map { row in
            let outcome = prediction.outcome(of: row.name)?.description ?? "is not there"
            return "\(row.name) \(row.version) \(loaded[row.name].map { "is \($0)" } ?? outcome)"
        }
        return Inspection(
            "plugins", problems: problems,
            detail:
                "\(promised.count == 1 ? "1 plugin is" : "\(promised.count) plugins are") predicted to load on Jenkins \(core.version), as plugins.lock says"
        )
    }

    private func jobs(_ home: FilePath, _ source: any FileSource) throws -> Inspection {
        let jobs = try JenkinsInventory(source).inventory.items.filter { $0.kind == "job" }
        let missing = try jobs.filter { job in
            try !job.files.allSatisfy {
                try Files.exists(FilePath(bytes: home.byteArray + [UInt8(ascii: "/")] + $0.bytes))
            }
        }
        return Inspection(
            "jobs", problems: missing.map { "the job \($0.name) is missing" },
            detail: jobs.count == 1 ? "1 job is there" : "\(jobs.count) jobs are there")
    }
}
