internal import FoundationEssentials
internal import Judge
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// A controller that runs in isolation, and what is asked of it.
///
/// No registry has a war of Jenkins, so that the tests of this project boot one only where
/// `UNDERSTUDY_TEST_JENKINS_WAR` names it.
extension JenkinsShadow {
    /// The first Java that listens on a Unix socket.
    private static let leastJava = 16

    func obstacle(_ copy: ShadowCopy) async throws -> String? {
        guard let war = copy.staged.root("war") else {
            return
                "nothing was booted: the snapshot has no war; name it in the system file as 'war' and take a snapshot"
        }
        let core = try Self.version(ofWar: war.staged)
        let least = Self.leastJava(for: core)
        let (runtime, lack) = try await JavaRuntime.find(atLeast: least, as: copy.user)
        guard runtime == nil else { return nil }
        return
            "nothing was booted: Jenkins \(core) needs Java \(least) or newer in a shadow, and \(lack); install "
            + "\(JavaRuntime.debianPackage(for: least)), or set JAVA_HOME for this command"
    }

    /// The oldest Java that boots a version of Jenkins here.
    static func leastJava(for core: String) -> Int { max(leastJava, JavaRuntime.needed(by: core)) }

    /// The Java that a copy is booted by, nil where nothing is booted.
    func java(_ copy: ShadowCopy) async throws -> JavaRuntime? {
        guard let war = copy.staged.root("war") else { return nil }
        let least = Self.leastJava(for: try Self.version(ofWar: war.staged))
        return try await JavaRuntime.find(atLeast: least, as: copy.user).runtime
    }

    func preparations(_ copy: ShadowCopy) -> [Program] { [] }

    func server(_ copy: ShadowCopy) async throws -> Program {
        let home = copy.staged.root("home")?.root.path ?? "/"
        let war = copy.staged.root("war")?.root.path ?? "jenkins.war"
        // None of this is what isolates: it saves what would fail anyway, and the noise of that.
        let properties = [
            "java.awt.headless=true", "java.io.tmpdir=/tmp",
            "jdk.net.hosts.file=\(home)/\(ShadowHooks.hosts)",
            "jenkins.install.runSetupWizard=false", "jenkins.model.Jenkins.slaveAgentPort=-1",
            "jenkins.model.Jenkins.slaveAgentPortEnforce=true",
            "jenkins.model.Jenkins.automaticAgentLaunch=false", "hudson.model.UpdateCenter.never=true",
            "hudson.model.DownloadService.never=true", "hudson.model.UsageStatistics.disabled=true",
            "hudson.util.RobustReflectionConverter.recordFailuresForAllAuthentications=true",
        ]
        // One that cannot be found is looked for by its name inside, and the boot says that there is none.
        let java = try await java(copy)?.path.string ?? "java"
        return Program(
            java,
            ["-Xmx\(copy.memory / (2 << 20))m"] + properties.map { "-D\($0)" } + [
                // One that is newer than the core knows may be all that this host has.
                "-jar", war, "--enable-future-java", "--httpPort=-1",
                "--httpUnixDomainPath=\(ShadowCopy.socketPlace.appending(ShadowHooks.socket))",
            ], environment: ["JENKINS_HOME": home], directory: FilePath(home), limit: .seconds(24 * 3600))
    }

    func probe(_ room: any ShadowRoom) throws -> HTTPProbe {
        let keys = try keys(room.copy)
        let login = Data("\(keys.user):\(keys.token)".utf8).base64EncodedString()
        // A login by token needs no crumb.
        return HTTPProbe(
            "http://shadow.invalid", socket: room.copy.socketDirectory.appending(ShadowHooks.socket),
            headers: ["Authorization: Basic \(login)"], limit: .seconds(30))
    }

    func answer<Value: Decodable>(_ path: String, _ probe: HTTPProbe) async throws -> Value {
        let answer = try await probe.get(path)
        guard answer.status == 200 else {
            throw DriverFailure(
                "Jenkins at \(probe.base) answers \(answer.status) to \(path)", hint: "look into its log")
        }
        return try JSONDecoder().decode(Value.self, from: Data(answer.body.utf8))
    }

    func isServing(in room: any ShadowRoom) async throws -> Bool {
        do {
            return try await probe(room).get("/login").status == 200
        } catch is HTTPFailure {
            // It does not answer yet; the caller counts the time.
            return false
        }
    }

    func bootFailure(in room: any ShadowRoom) throws -> String? {
        try ShadowCopy.contents(ShadowHooks.failure, below: room.copy.socketDirectory).map {
            "the boot failed: \(LogSignature.template(of: String(decoding: $0, as: UTF8.self)))"
        }
    }

    // MARK: - What can be seen

    func observe(
        in room: any ShadowRoom, isServing: Bool
    ) async throws -> (observations: [Observation], capabilities: [ObjectName]) {
        var observations = JenkinsLog(try room.log()).complaints
        guard isServing else { return (observations, []) }
        guard let report = try ShadowHooks.report(in: room.copy.socketDirectory) else {
            observations.append(
                Observation(
                    kind: "report", object: ObjectName("system", "jenkins"),
                    detail: "the script at its start reported nothing"))
            return (observations, [])
        }
        observations += report.failed.map {
            Observation(
                kind: "plugin-failed", object: ObjectName("plugin", $0.name),
                detail: LogSignature.template(of: $0.reason))
        }
        observations += report.unreadable.map {
            Observation(kind: "unreadable-data", object: ObjectName("object", $0.name), detail: $0.reason)
        }
        let plugins = try await plugins(in: room)
        var capabilities = (plugins?.versions.keys.sorted() ?? []).map { ObjectName("plugin", $0) }
        capabilities += report.jobs.map { ObjectName("job", $0.name) }
        capabilities += report.nodes.map { ObjectName("node", $0) }
        capabilities += report.views.map { ObjectName("view", $0) }
        return (observations, capabilities)
    }

    func rewritten(in room: any ShadowRoom) throws -> (compared: Int, losses: [Observation]) {
        guard let report = try ShadowHooks.report(in: room.copy.socketDirectory) else { return (0, []) }
        let home = try home(room.copy)
        var losses = report.errors.map {
            Observation(
                kind: "data-loss", object: ObjectName("file", $0.name),
                detail: "it cannot be written again: \(LogSignature.template(of: $0.reason))")
        }
        var compared = report.errors.count
        for written in report.written {
            guard let (before, after) = try self.written(written, home, room.copy) else { continue }
            compared += 1
            guard let comparison = RewrittenConfiguration(file: before, written: after) else {
                losses.append(
                    Observation(
                        kind: "data-loss", object: ObjectName("file", written.file),
                        detail: "it cannot be compared: it is no XML"))
                continue
            }
            if let loss = comparison.observation(of: written.file) { losses.append(loss) }
        }
        return (compared, losses)
    }

    /// A configuration as it was read and as it was written again, nil when one of them is not in the copy.
    private func written(
        _ written: ShadowHooks.Report.Written, _ home: FilePath, _ copy: ShadowCopy
    ) throws -> (before: [UInt8], after: [UInt8])? {
        // What runs in a shadow may be hostile, and names no file of the host.
        let names = written.file.split(separator: "/", omittingEmptySubsequences: false)
        guard Self.isPlain(written.copy), !names.contains(where: { ["", ".", ".."].contains($0) }),
            let before = try ShadowCopy.contents(written.file, below: home),
            let after = try ShadowCopy.contents(written.copy, below: copy.socketDirectory)
        else { return nil }
        return (before, after)
    }

    /// The configurations that ``rewritten(in:)`` cannot compare.
    func notCompared(in room: any ShadowRoom) throws -> [NotCovered] {
        let home = try home(room.copy)
        return try (ShadowHooks.report(in: room.copy.socketDirectory)?.written ?? []).filter {
            try written($0, home, room.copy) == nil
        }.map {
            NotCovered(
                ObjectName("file", printable($0.file.utf8)),
                reason:
                    "not compared with what Jenkins writes again: it stands behind a link, or is not there")
        }
    }

    // MARK: - Builds

    func jobs(in room: any ShadowRoom) async throws -> [ObjectName] {
        let jobs = try ShadowHooks.report(in: room.copy.socketDirectory)?.jobs ?? []
        return jobs.filter(\.buildable).sorted { ($1.builds, $0.name) < ($0.builds, $1.name) }.map {
            ObjectName("job", $0.name)
        }
    }

    func run(_ job: ObjectName, in room: any ShadowRoom, limit: Duration) async throws -> JobRun {
        let jobs = try ShadowHooks.report(in: room.copy.socketDirectory)?.jobs ?? []
        guard let known = jobs.first(where: { $0.name == job.name && $0.buildable }) else {
            return JobRun(outcome: .missing, seconds: nil, signature: "there is no such job")
        }
        let path = Self.address(ofJob: job.name)
        do {
            return try await build(path, isParameterized: known.parameterized, limit: limit, probe(room))
        } catch is HTTPFailure {
            return .unanswered
        } catch let failure as DriverFailure {
            let words = LogSignature.template(of: failure.description)
            return JobRun(outcome: .errored, seconds: nil, signature: words)
        }
    }

    /// What Jenkins writes of a job says which version of each plugin it uses.
    func affectedJobs(in one: any ShadowRoom, _ other: any ShadowRoom) throws -> Set<ObjectName> {
        let (one, other) = (try writtenJobs(one), try writtenJobs(other))
        return Set(
            one.filter { name, text in other[name].map { $0 != text } ?? false }
                .map { ObjectName("job", $0.key) })
    }

    /// The configurations of jobs as a server that serves writes them, by the jobs' names.
    private func writtenJobs(_ room: any ShadowRoom) throws -> [String: [UInt8]] {
        let directory = room.copy.socketDirectory
        var jobs: [String: [UInt8]] = [:]
        for written in try ShadowHooks.report(in: directory)?.written ?? [] {
            let names = written.file.split(separator: "/").map(String.init)
            guard names.last == "config.xml", names.count > 2, names.count.isMultiple(of: 2) == false,
                stride(from: 0, to: names.count - 1, by: 2).allSatisfy({ names[$0] == "jobs" }),
                Self.isPlain(written.copy),
                let text = try ShadowCopy.contents(written.copy, below: directory)
            else { continue }
            let name = stride(from: 1, to: names.count, by: 2).map { names[$0] }.joined(separator: "/")
            jobs[name] = text
        }
        return jobs
    }

    // MARK: - Production

    /// A core changes data when it starts, and needs no program for it.
    func migrated() throws -> [(root: String, path: FilePath)] { [] }
    func migrate() async throws {}

    /// Jenkins writes its log to wherever its service sends it, which the home does not say: production is watched by its
    /// web interface alone.
    func complaints(after mark: inout LogMark) throws -> [Observation] { [] }
}
