internal import FileTree
internal import Glibc
internal import SnapshotModel
internal import SystemPackage

/// Lets a running master load its configuration again: what `buildbot reconfig` does, without its trust in `twistd.pid`.
struct BuildbotReload: Reloading {
    let master: FilePath
    /// The configuration file that `buildbot.tac` names, absolute.
    let configuration: FilePath
    /// The SQLite database of the master, nil when it has another.
    let database: FilePath?
    /// How long the master may take; it goes on with its builds meanwhile.
    var limit: Duration = .seconds(180)

    private var processes: BuildbotProcesses { BuildbotProcesses(directory: master) }
    private var log: FilePath { master.appending("twistd.log") }

    func way(for paths: [(root: String, path: EntryPath)]) async throws -> ReloadWay {
        guard try !processes.running().isEmpty else { return .idle }
        for (root, path) in paths {
            guard root == "master" else {
                return .restart(reason: "what is in \(root) is read at a start alone")
            }
            let file = master.pushing(FilePath(bytes: path.bytes))
            guard try file == configuration || isReadAgain(file) else {
                return .restart(
                    reason: "a running master keeps what it has of \(path): a reconfiguration runs "
                        + "\(configuration.lastComponent?.string ?? "master.cfg") again, and imports or opens nothing else "
                        + "again"
                )
            }
        }
        return .reload(words: "its configuration", targets: [configuration.string])
    }

    /// Whether it is a plain file that no start alone reads, Python does not import and the master does not keep open: the
    /// configuration opens it each time.
    private func isReadAgain(_ file: FilePath) throws -> Bool {
        guard try Files.status(file)?.kind == .file, let name = file.lastComponent else { return false }
        if let database,
            ["", "-wal", "-shm", "-journal"].contains(where: { file.string == database.string + $0 })
        {
            return false
        }
        return name.string != "buildbot.tac"
            && ![".py", ".so", ".pyc"].contains { name.string.hasSuffix($0) }
    }

    func reload(_ targets: [String]) async throws {
        guard let process = try processes.running().first else { return }
        let before = try Files.status(log)
        var (inode, offset) = (before?.inode, before?.size ?? 0)
        var said: [UInt8] = []
        guard kill(process, SIGHUP) == 0 else {
            guard errno != ESRCH else { return }
            throw DriverFailure(
                "cannot ask process \(process) of \(master) to load its configuration: \(Errno(rawValue: errno))",
                hint: "run as the user that it belongs to, or as root")
        }
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while clock.now < deadline {
            if let new = try Files.readNew(log, since: inode, offset, limit: 16 << 20) {
                (inode, offset) = (new.inode, new.offset)
                said += new.bytes
            }
            if let outcome = ReconfigurationLog(String(decoding: said, as: UTF8.self)).outcome {
                return try check(outcome)
            }
            guard try !processes.running().isEmpty else {
                throw DriverFailure(
                    "the master \(master) ended when it loaded its configuration", hint: "see \(log)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw DriverFailure(
            "the master \(master) did not say within \(limit) whether it loaded its configuration",
            hint: "see \(log); 'buildbot restart \(master)' makes sure")
    }

    private func check(_ outcome: ReconfigurationLog.Outcome) throws {
        switch outcome {
        case .complete: return
        case .aborted(let reasons):
            throw DriverFailure(
                "the master \(master) does not take the configuration, and goes on with the one before: \(reasons)",
                hint: "see \(log)")
        case .partial(let reasons):
            throw DriverFailure(
                "the master \(master) took the configuration in part, and may do anything now: \(reasons)",
                hint:
                    "restart it, which cancels the builds that run: 'buildbot restart \(master)'; see \(log)")
        }
    }
}

/// What a master's log says of a reconfiguration.
struct ReconfigurationLog {
    /// How one came out.
    enum Outcome: Equatable {
        /// Everything is as the file says.
        case complete
        /// Nothing was changed, and why.
        case aborted(String)
        /// Some services have the new configuration and some the old one, and why.
        case partial(String)
    }

    /// How the last one came out, nil when none has come to its end.
    let outcome: Outcome?

    /// Reads the log from before the reconfiguration on.
    init(_ text: String) {
        var reasons: [String] = []
        var outcome: Outcome?
        for line in PythonText.lines(text) {
            let message = TwistedLog.message(line)
            if message.contains("beginning configuration update") {
                reasons = []
                outcome = nil
            } else if message.contains("configuration update complete") {
                outcome = .complete
            } else if message.contains("configuration update aborted") {
                outcome = .aborted(Self.words(reasons))
            } else if message.contains("configuration update partially applied") {
                outcome = .partial(Self.words(reasons))
            } else {
                reasons.append(String(message))
            }
        }
        self.outcome = outcome
    }

    /// What among the lines says why: the names of exceptions, and what is no part of a traceback.
    private static func words(_ lines: [String]) -> String {
        let told = lines.filter { line in
            guard let first = line.first, first != " ", first != "\t" else { return false }
            return !line.hasPrefix("Traceback") && !line.hasPrefix("Loading configuration")
                && !line.hasPrefix("reconfig is ongoing")
        }
        return told.isEmpty ? "its log does not say why" : told.suffix(4).joined(separator: "; ")
    }
}
