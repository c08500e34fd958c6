internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// What a restored home needs before Jenkins starts on it.
struct JenkinsFixes {
    private let staged: FilePath
    private let live: FilePath?
    private let resumesWork: Bool

    init(staged: FilePath, live: FilePath?, resumesWork: Bool) {
        self.staged = staged
        self.live = live
        self.resumesWork = resumesWork
    }

    /// Work that Jenkins takes up by itself at its start.
    private static let work = ["queue.xml", "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml"]

    func run() throws -> [Fix] {
        var fixes = try dropTwins()
        try raiseBuildNumbers(EntryPath.root, &fixes)
        if !resumesWork { fixes += try holdWork() }
        return fixes
    }

    /// Drops exploded folders, which Jenkins would prefer to an archive of the same time, and archives it passes over.
    private func dropTwins() throws -> [Fix] {
        let plugins = staged.appending("plugins")
        guard try Files.isDirectory(plugins) else { return [] }
        var fixes: [Fix] = []
        let names = try Files.names(plugins)
        for name in names {
            let path = self.path(plugins, name)
            if try Files.status(path)?.kind == .directory {
                try Files.removeTree(path)
                fixes.append(
                    Fix("plugins/\(printable(name))", "removed: Jenkins makes it again from the archive"))
            } else if name.suffix(4).elementsEqual(".hpi".utf8),
                names.contains(name.dropLast(4) + Array(".jpi".utf8))
            {
                try Files.remove(path)
                fixes.append(Fix("plugins/\(printable(name))", "removed: a stale twin of the .jpi beside it"))
            }
        }
        return fixes
    }

    /// Lets no build number come twice: not below what the snapshot, the builds on disk or the live home have.
    private func raiseBuildNumbers(_ parent: EntryPath, _ fixes: inout [Fix]) throws {
        for container in ["jobs", "branches"] {
            let directory = parent.appending(container)
            guard try Files.isDirectory(path(staged, directory)) else { continue }
            for name in try Files.names(path(staged, directory)) {
                let item = directory.appending(name)
                guard try Files.status(path(staged, item))?.kind == .directory else { continue }
                if let fix = try raiseBuildNumber(item) { fixes.append(fix) }
                try raiseBuildNumbers(item, &fixes)
            }
        }
    }

    private func raiseBuildNumber(_ item: EntryPath) throws -> Fix? {
        let file = item.appending("nextBuildNumber")
        let captured = try number(path(staged, file))
        let highest = try highestBuild(path(staged, item.appending("builds")))
        let live = try live.flatMap { try number(path($0, file)) }
        let next = max(captured ?? 1, highest + 1, live ?? 1)
        guard next > 1, next != captured else { return nil }
        let place = path(staged, file)
        if try Files.exists(place) {
            let kept = try KeptMetadata(place)
            try Files.replace(place, with: Array("\(next)\n".utf8), mode: kept.mode)
            try kept.restore()
        } else if let status = try Files.status(path(staged, item.appending("config.xml"))) {
            try Files.replace(place, with: Array("\(next)\n".utf8), mode: status.mode)
            try Files.setOwner(place, owner: status.owner, group: status.group)
        } else {
            return nil
        }
        return Fix(
            file.description,
            "\(captured.map(String.init) ?? "missing") → \(next): the numbers below are taken already")
    }

    private func number(_ path: FilePath) throws -> Int? {
        guard let bytes = try Files.readIfPresent(path, limit: 1 << 16) else { return nil }
        return Int(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self))
    }

    private func highestBuild(_ builds: FilePath) throws -> Int {
        guard try Files.isDirectory(builds) else { return 0 }
        return try Files.names(builds).compactMap { Int(String(decoding: $0, as: UTF8.self)) }.max() ?? 0
    }

    /// Takes away what would run again by itself; it stays in the snapshot, for whoever wants it back.
    private func holdWork() throws -> [Fix] {
        var fixes: [Fix] = []
        for name in Self.work {
            let path = staged.appending(name)
            guard let bytes = try Files.readIfPresent(path) else { continue }
            try Files.remove(path)
            let text = String(decoding: bytes, as: UTF8.self)
            let what =
                name == "queue.xml"
                ? "\(text.ranges(of: "<hudson.model.Queue_-").count) queued requests"
                : "\(text.ranges(of: "<hudson.model.Run").count + text.ranges(of: "<run").count) unfinished pipelines"
            fixes.append(
                Fix(
                    name,
                    "removed, with \(what): they would run again by themselves (--resume-work keeps them)"))
        }
        return fixes
    }

    private func path(_ base: FilePath, _ name: [UInt8]) -> FilePath {
        FilePath(bytes: base.byteArray + [UInt8(ascii: "/")] + name)
    }

    private func path(_ base: FilePath, _ path: EntryPath) -> FilePath {
        self.path(base, path.bytes)
    }
}
