internal import FoundationEssentials
internal import Judge
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// What is asked of a master that runs in isolation.
extension BuildbotShadow {
    /// What the configuration of a shadow writes down of itself.
    struct Report: Decodable {
        struct Server: Decodable {
            var scheme: String
            var name: String
            var isUsed: Bool
        }
        /// Packages that the master works with.
        struct Plugins: Decodable {
            var versions: [String: String]
            var idle: [String: String]
        }
        /// What each builder is made of, as a digest; without those of which nobody can tell.
        var builders: [String: String]
        var cut: [String: [String]]
        var plugins: Plugins
        /// The database server of production's configuration, nil when its state is in a file.
        var server: Server?
        var schedulers: [String]
        var workers: [String]
        var views: [String]
    }

    private func probe(_ room: any ShadowRoom) -> HTTPProbe {
        HTTPProbe(
            "http://shadow.invalid", socket: room.copy.socketDirectory.appending(ShadowConfiguration.socket))
    }

    func report(_ room: any ShadowRoom) throws -> Report? {
        try ShadowCopy.contents(ShadowConfiguration.report, below: room.copy.socketDirectory).map {
            try JSONDecoder().decode(Report.self, from: Data($0))
        }
    }

    func isServing(in room: any ShadowRoom) async throws -> Bool {
        do {
            return try await BuildbotREST(probe: probe(room)).masters().contains { $0.active }
        } catch is HTTPFailure {
            // It does not answer yet; the caller counts the time.
            return false
        }
    }

    // MARK: - What can be seen

    func observe(
        in room: any ShadowRoom, isServing: Bool
    ) async throws -> (observations: [Observation], capabilities: [ObjectName]) {
        var observations = TwistedLog(try room.log()).complaints
        guard isServing, let report = try report(room) else { return (observations, []) }
        var capabilities = report.schedulers.map { ObjectName("scheduler", $0) }
        capabilities += report.workers.map { ObjectName("worker", $0) }
        capabilities += try await BuildbotREST(probe: probe(room)).builders().filter { !$0.masterids.isEmpty }
            .map { ObjectName("builder", $0.name) }
        let index = try await probe(room).get("/")
        let generation = index.status == 200 ? Self.generation(ofPage: index.body) : nil
        if let generation {
            capabilities.append(ObjectName("page", "/"))
            for view in report.views {
                let script = try await self.script(of: view, probe(room))
                if script == generation {
                    capabilities.append(ObjectName("page", view))
                } else {
                    observations.append(
                        Observation(
                            kind: "page", object: ObjectName("page", view),
                            detail: script.map { "it is made for \($0), and the interface is \(generation)" }
                                ?? "it has no script that a browser could run"))
                }
            }
        } else {
            observations.append(
                Observation(
                    kind: "page", object: ObjectName("page", "/"),
                    detail: "the start page answers \(index.status) and is none that we know"))
        }
        return (observations, capabilities)
    }

    /// Which of the two web interfaces a start page belongs to: views of one do not show in the other.
    static func generation(ofPage body: String) -> String? {
        if body.contains("ng-app") { return "AngularJS" }
        return body.contains("type=\"module\"") ? "React" : nil
    }

    /// Which interface the script of a view is made for, nil when it has none.
    func script(of view: String, _ probe: HTTPProbe) async throws -> String? {
        for path in ["/plugins/\(view)/scripts.js", "/\(view)/scripts.js"] {
            let answer = try await probe.get(path)
            guard answer.status == 200 else { continue }
            if answer.body.contains("buildbotSetupPlugin") { return "React" }
            if answer.body.contains("angular.module(") { return "AngularJS" }
        }
        return nil
    }

    func notCovered(in room: any ShadowRoom) throws -> [NotCovered] {
        guard let report = try report(room) else { return [] }
        let reasons = [
            "schedulers": "made, and never fired: nothing is scheduled by time or by change in a shadow",
            "change sources": "made, and cut: nothing is polled in a shadow",
            "services": "made, and cut: nothing is reported from a shadow",
            "workers":
                "replaced by a worker inside the master: its host, its programs and its connection are not there",
            "other": "cut: it would reach out of the shadow, or let somebody in",
        ]
        var parts = report.cut.flatMap { kind, names in
            names.map {
                NotCovered(
                    ObjectName(kind == "other" ? "setting" : "part", $0), reason: reasons[kind] ?? "cut")
            }
        }
        if let server = report.server {
            let reason =
                switch room.copy.database {
                case .own(let own) where server.isUsed:
                    "a PostgreSQL \(own.cluster.version) of the shadow's own, loaded from the snapshot, stands in for it: its settings, its place and its load are not there"
                case .own(let own):
                    "an empty SQLite stands in for it, and no row of the snapshot was seen: the master asks for '\(server.name)' by \(server.scheme), and the snapshot's dump is of '\(own.name)'"
                case .missing(let reason):
                    "an empty SQLite stands in for it, and no row of the snapshot was seen: \(reason)"
                case nil:
                    "an empty SQLite stands in for it, and no row of the snapshot was seen: the system file names no component that captures it"
                }
            parts.append(NotCovered(ObjectName("part", "database server"), reason: reason))
        }
        return parts.sorted()
    }

    func expected(_ captured: CapturedComponent, in source: any FileSource) throws -> Set<ObjectName>? {
        guard !captured.notes.contains(BuildbotInventory.isOldNote),
            let bytes = try source.lock(Inventory.lockName)
        else { return nil }
        let kinds = ["builder", "scheduler", "worker"]
        return Set(
            try BuildbotInventory(bytes).lines.filter { kinds.contains($0.kind) && !$0.name.hasPrefix("__") }
                .map { ObjectName($0.kind, $0.name) })
    }

    // MARK: - Builds

    func jobs(in room: any ShadowRoom) async throws -> [ObjectName] {
        let names = try await BuildbotREST(probe: probe(room)).builders().filter { !$0.masterids.isEmpty }
            .map(\.name).filter { !$0.hasPrefix("__") }
        let counts = try await buildCounts(room)
        return names.sorted { (counts[$1] ?? 0, $0) < (counts[$0] ?? 0, $1) }.map {
            ObjectName("builder", $0)
        }
    }

    func affectedJobs(in one: any ShadowRoom, _ other: any ShadowRoom) throws -> Set<ObjectName> {
        guard let one = try report(one)?.builders, let other = try report(other)?.builders else { return [] }
        return Set(
            one.filter { name, digest in other[name].map { $0 != digest } ?? false }
                .map { ObjectName("builder", $0.key) })
    }

    func run(_ job: ObjectName, in room: any ShadowRoom, limit: Duration) async throws -> JobRun {
        do {
            return try await build(job, in: room, limit: limit)
        } catch is HTTPFailure {
            return .unanswered
        } catch let failure as DriverFailure {
            let words = LogSignature.template(of: failure.description)
            return JobRun(outcome: .errored, seconds: nil, signature: words)
        }
    }

    private func build(_ job: ObjectName, in room: any ShadowRoom, limit: Duration) async throws -> JobRun {
        let builders = try await BuildbotREST(probe: probe(room)).builders()
        guard let builder = builders.first(where: { $0.name == job.name && !$0.masterids.isEmpty }) else {
            return JobRun(outcome: .missing, seconds: nil, signature: "there is no such builder")
        }
        let request: Int
        do {
            var probe = probe(room)
            probe.limit = .seconds(30)
            request = try await BuildbotREST(probe: probe).force(
                builder.builderid, through: ShadowConfiguration.scheduler)
        } catch let failure as DriverFailure {
            return JobRun(outcome: .missing, seconds: nil, signature: failure.description)
        }
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while clock.now < deadline {
            if let build = try endedBuild(request, room) {
                let outcome: ProbeRun.Outcome =
                    switch build.results {
                    case 0, 1: .passed
                    case 2: .failed
                    default: .errored
                    }
                let signature = build.bad.isEmpty ? nil : build.bad.joined(separator: "; ")
                return JobRun(
                    outcome: outcome, seconds: build.seconds, wait: build.wait,
                    signature: outcome == .passed ? nil : signature ?? "result \(build.results)")
            }
            guard room.isServerRunning else { return .unanswered }
            try await Task.sleep(for: .milliseconds(20))
        }
        return JobRun(outcome: .errored, seconds: nil, signature: "it did not end within \(limit)")
    }

    private struct EndedBuild: Decodable {
        var request: Int
        var results: Int
        var seconds: Double?
        var wait: Double?
        var bad: [String]
    }

    private func endedBuild(_ request: Int, _ room: any ShadowRoom) throws -> EndedBuild? {
        let directory = room.copy.socketDirectory
        guard let bytes = try ShadowCopy.contents(ShadowConfiguration.builds, below: directory) else {
            return nil
        }
        // A line that is still being written has no end.
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true).reversed()
        where bytes.last == UInt8(ascii: "\n") || line.endIndex != bytes.endIndex {
            let build = try JSONDecoder().decode(EndedBuild.self, from: Data(line))
            if build.request == request { return build }
        }
        return nil
    }
}
