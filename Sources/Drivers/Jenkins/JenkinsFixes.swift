internal import Cryptography
internal import FileTree
internal import SnapshotModel
internal import SystemPackage
internal import XML

/// What a restored home needs before Jenkins starts on it.
struct JenkinsFixes {
    private let staged: FilePath
    private let live: FilePath?
    private let only: EntryPath?
    private let resumesWork: Bool

    /// Fixes of a staged home, or of what is staged alone of it, at `only`.
    init(staged: FilePath, live: FilePath?, only: EntryPath? = nil, resumesWork: Bool) {
        self.staged = staged
        self.live = live
        self.only = only
        self.resumesWork = resumesWork
    }

    /// Files of work that Jenkins takes up by itself at its start: how each piece of it begins, and what people call it.
    private static let work = [
        ("queue.xml", "<hudson.model.Queue_-", "queued request"),
        ("org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml", "<flow-owner", "unfinished pipeline"),
    ]
    /// What holds the requests, and is none.
    private static let queueRoot = "<hudson.model.Queue_-State"

    func run() throws -> [Fix] {
        var fixes = try dropTwins()
        try fixItems(of: .root, &fixes)
        if !resumesWork { fixes += try holdWork() }
        return fixes
    }

    /// Drops exploded folders, which Jenkins would prefer to an archive of the same time, and archives it passes over.
    private func dropTwins() throws -> [Fix] {
        let plugins = staged.appending("plugins")
        switch try Files.status(plugins)?.kind {
        case .directory: break
        case .link: return [.leftAlone("plugins")]
        default: return []
        }
        var fixes: [Fix] = []
        let names = try Files.names(plugins)
        for name in names {
            let path = self.path(plugins, name)
            let archives = [".jpi", ".hpi"].map { name + Array($0.utf8) }
            // A plugin that somebody unpacked by hand has no archive that it could be made from.
            if archives.contains(where: names.contains), try Files.status(path)?.kind == .directory {
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

    /// Looks after every item of a directory, nested as items nest; a link leads out of what is restored.
    private func fixItems(of parent: EntryPath, _ fixes: inout [Fix]) throws {
        for container in ["jobs", "branches"] {
            let directory = parent.appending(container)
            switch try Files.status(path(staged, directory))?.kind {
            case .directory: break
            case .link:
                fixes.append(.leftAlone(directory.description))
                continue
            default: continue
            }
            for name in try Files.names(path(staged, directory)) {
                let item = directory.appending(name)
                guard try isDirectory(item) else { continue }
                if let fix = try raiseBuildNumber(item, &fixes) { fixes.append(fix) }
                if !resumesWork { fixes += try endPipelines(of: item) }
                try fixItems(of: item, &fixes)
            }
        }
    }

    /// Lets no build number come twice: not below what the snapshot, the builds on disk or the live home have.
    private func raiseBuildNumber(_ item: EntryPath, _ fixes: inout [Fix]) throws -> Fix? {
        let file = item.appending("nextBuildNumber")
        // The number of a job of which only another part comes back is not ours.
        guard only.map({ file.isAtOrBelow($0) }) ?? true else { return nil }
        let captured = try number(path(staged, file))
        let highest = try highestBuild(path(staged, item.appending("builds")))
        let live = try liveNumber(file, &fixes)
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

    /// The number in a file of the live home, nil when there is none.
    ///
    /// One that we may not read, as of a job that a partial snapshot lacks for that, is told and keeps nothing else from coming
    /// back.
    private func liveNumber(_ file: EntryPath, _ fixes: inout [Fix]) throws -> Int? {
        guard let live else { return nil }
        do {
            return try number(path(live, file))
        } catch let failure as FileFailure where failure.reason == .permissionDenied {
            fixes.append(
                Fix(
                    file.description,
                    "not compared with what was there, which may not be read: numbers may come twice"))
            return nil
        }
    }

    /// The number in a file, nil when there is none that Jenkins can read: its numbers have 32 bits.
    private func number(_ path: FilePath) throws -> Int? {
        guard let bytes = try Files.readIfPresent(path, limit: 1 << 16) else { return nil }
        return Int32(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)).map { Int($0) }
    }

    /// The highest number of a build that another can come after.
    private func highestBuild(_ builds: FilePath) throws -> Int {
        guard try Files.isDirectory(builds) else { return 0 }
        let numbers = try Files.names(builds).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
        return numbers.filter { $0 < Int32.max }.max().map { Int($0) } ?? 0
    }

    /// Takes away what would run again by itself; it stays in the snapshot, for whoever wants it back.
    private func holdWork() throws -> [Fix] {
        var fixes: [Fix] = []
        for (name, item, what) in Self.work {
            let path = staged.appending(name)
            guard let bytes = try Files.readIfPresent(path) else { continue }
            try Files.remove(path)
            let text = String(decoding: bytes, as: UTF8.self)
            let count = text.ranges(of: item).count - text.ranges(of: Self.queueRoot).count
            fixes.append(
                Fix(
                    name,
                    count == 0
                        ? "removed: it names no \(what)"
                        : "removed, with \(counted(count, what)): they would run again by themselves"
                            + " (--resume-work keeps them)"))
        }
        return fixes
    }

    /// Ends the pipelines that were running: whatever loads such a build, be it a page that shows it, has it go on.
    ///
    /// What such a pipeline was about to do is in `program.dat`, which is gone when it has ended (`WorkflowRun.onLoad`,
    /// `CpsThreadGroup`). One without it, of a durability that keeps nothing, Jenkins ends by itself.
    private func endPipelines(of item: EntryPath) throws -> [Fix] {
        let builds = item.appending("builds")
        guard try isDirectory(builds) else { return [] }
        var fixes: [Fix] = []
        for name in try Files.names(path(staged, builds)) {
            let build = builds.appending(name)
            let program = path(staged, build.appending("program.dat"))
            guard Int(String(decoding: name, as: UTF8.self)) != nil, try Files.exists(program),
                try isDirectory(build), let outcome = try end(build)
            else { continue }
            try Files.removeTree(program)
            fixes.append(Fix(build.description, outcome))
        }
        return fixes
    }

    /// Writes into a pipeline's build that it was aborted, and says what became of it; nil when it had ended.
    private func end(_ build: EntryPath) throws -> String? {
        let file = build.appending("build.xml")
        let place = path(staged, file)
        let held = "would go on by itself (--resume-work lets it)"
        guard try Files.status(place)?.kind == .file else {
            return "its state is removed: it was running, and \(held); its build.xml is missing"
        }
        let bytes = try Files.read(place)
        var document: DocumentEdit
        do {
            document = try DocumentEdit(file, bytes)
        } catch let error as XMLError {
            return "its state is removed: it was running, and \(held); its build.xml cannot be read, so that "
                + "Jenkins ends it as failed: \(error)"
        }
        guard document.children("completed").first?.text != "true" else { return nil }
        let note = NeutralisationPlan.Note(hazard: .pipelines, what: "aborted")
        document.setChild("completed", written: "<completed>true</completed>", note)
        document.setChild("result", written: "<result>ABORTED</result>", note)
        for execution in document.children("execution") {
            for done in document.outline.children(of: execution, named: "done") {
                document.set(done, to: "true", note)
            }
        }
        try NeutralisationPlan(
            edits: [document.edit(digest: hex(SHA256.digest(bytes)))].compactMap { $0 }, notCovered: []
        ).apply(to: staged)
        return "aborted: it was running, and \(held)"
    }

    /// Whether a directory, and no link to one, stands at a path of what is restored.
    private func isDirectory(_ path: EntryPath) throws -> Bool {
        try Files.status(self.path(staged, path))?.kind == .directory
    }

    private func path(_ base: FilePath, _ name: [UInt8]) -> FilePath {
        FilePath(bytes: base.byteArray + [UInt8(ascii: "/")] + name)
    }

    private func path(_ base: FilePath, _ path: EntryPath) -> FilePath {
        self.path(base, path.bytes)
    }
}
