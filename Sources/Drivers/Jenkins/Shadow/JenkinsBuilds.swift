internal import FoundationEssentials
internal import Judge
internal import SnapshotModel

/// Builds that are asked for by the REST interface, of a shadow and of production.
extension JenkinsShadow {
    /// The path of a job in folders: `/job/team/job/deploy`.
    static func address(ofJob name: String) -> String {
        name.split(separator: "/").map { "/job/" + percentEncoded($0.utf8, keeping: isUnreserved) }.joined()
    }

    /// The number of the queue's item in an address such as `http://shadow.invalid/queue/item/12/`.
    static func queueItem(_ address: String) -> Int? {
        guard let start = address.firstRange(of: "/queue/item/")?.upperBound else { return nil }
        return Int(address[start...].prefix { $0 != "/" })
    }

    private struct QueueItem: Decodable {
        struct Executable: Decodable { var number: Int }
        var cancelled: Bool?
        var inQueueSince: Double?
        var executable: Executable?
    }

    private struct Build: Decodable {
        var building: Bool
        var result: String?
        var duration: Double
        var timestamp: Double
    }

    /// Asks for a build and waits for its end; one that has not ended within `limit` goes on.
    func build(
        _ path: String, isParameterized: Bool, limit: Duration, _ probe: HTTPProbe
    ) async throws -> JobRun {
        let (run, _) = try await follow(path, isParameterized: isParameterized, limit: limit, probe)
        return run ?? JobRun(outcome: .errored, seconds: nil, signature: "it did not end within \(limit)")
    }

    /// A build of production; one that has not ended within `limit` is cancelled.
    func build(_ job: String, limit: Duration) async throws -> JobRun {
        let probe = try productionProbe()
        let path = Self.address(ofJob: job)
        let found = try await askedTwice { try await self.target(job, probe) }
        let (run, open) = try await follow(path, isParameterized: found.isParameterized, limit: limit, probe)
        if let run { return run }
        let answer =
            switch open {
            case .queued(let item): try await probe.begin("/queue/cancelItem?id=\(item)").answer
            case .running(let number): try await probe.begin("\(path)/\(number)/stop").answer
            case nil: HTTPProbe.Answer(status: 404, body: "")
            }
        let isGone = answer.status < 400 || answer.status == 404
        return JobRun(
            outcome: .errored, seconds: nil,
            signature: "it did not end within \(limit), and "
                + (isGone ? "was cancelled" : "cannot be cancelled: status \(answer.status)"))
    }

    /// Where a build is that has not ended.
    private enum Open {
        case queued(Int)
        case running(Int)
    }

    private func follow(
        _ path: String, isParameterized: Bool, limit: Duration, _ probe: HTTPProbe
    ) async throws -> (run: JobRun?, open: Open?) {
        let (answer, location) = try await probe.begin(
            "\(path)/\(isParameterized ? "buildWithParameters" : "build")?delay=0sec")
        guard answer.status == 201, let item = location.flatMap(Self.queueItem) else {
            let words = "a build cannot be asked for: status \(answer.status)"
            return (JobRun(outcome: .missing, seconds: nil, signature: words), nil)
        }
        let deadline = ContinuousClock.now + limit
        var open = Open.queued(item)
        var since: Double?
        while ContinuousClock.now < deadline {
            switch open {
            case .queued:
                let queued: QueueItem = try await askedTwice {
                    try await self.answer(
                        "/queue/item/\(item)/api/json?tree=cancelled,inQueueSince,executable[number]", probe)
                }
                if queued.cancelled == true {
                    let words = "it was cancelled in the queue"
                    return (JobRun(outcome: .errored, seconds: nil, signature: words), nil)
                }
                since = queued.inQueueSince
                // Jenkins forgets what has left the queue some minutes later.
                if let number = queued.executable?.number { open = .running(number) }
            case .running(let number):
                let run = try await askedTwice {
                    try await self.ended("\(path)/\(number)", since: since, probe)
                }
                if let run { return (run, nil) }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        return (nil, open)
    }

    private func ended(_ path: String, since: Double?, _ probe: HTTPProbe) async throws -> JobRun? {
        let build: Build = try await answer("\(path)/api/json?tree=building,result,duration,timestamp", probe)
        guard !build.building, let result = build.result else { return nil }
        let outcome: ProbeRun.Outcome =
            switch result {
            case "SUCCESS": .passed
            case "UNSTABLE", "FAILURE": .failed
            default: .errored
            }
        var signature: String?
        if outcome != .passed {
            let console = try await probe.get("\(path)/consoleText")
            signature = "\(result): \(Self.signature(ofConsole: console.body))"
        }
        return JobRun(
            outcome: outcome, seconds: build.duration / 1000,
            wait: since.map { max(0, build.timestamp - $0) / 1000 }, signature: signature)
    }

    /// A job of production, as far as a build of it is asked for.
    private struct Target: Decodable {
        struct Property: Decodable {
            struct Parameter: Decodable { var name: String }
            var parameterDefinitions: [Parameter]?
        }
        var buildable: Bool?
        var property: [Property]?
        var isParameterized: Bool { property?.contains { $0.parameterDefinitions?.isEmpty == false } == true }
    }

    private func productionProbe() throws -> HTTPProbe {
        guard let url = driver.component.text("url"), let access = driver.access else {
            throw DriverFailure(
                "a build cannot be asked for: the system file does not say by whom",
                hint: "add 'url', 'user' and 'token' to the component")
        }
        var probe = try access.probe(url)
        probe.limit = .seconds(30)
        return probe
    }

    private func target(_ job: String, _ probe: HTTPProbe) async throws -> Target {
        let question = "/api/json?tree=buildable,property[parameterDefinitions[name]]"
        let answer = try await probe.get(Self.address(ofJob: job) + question)
        guard answer.status == 200 else {
            throw DriverFailure(
                "no build of '\(job)' can be asked for: Jenkins answers \(answer.status)",
                hint: "look at 'smoke' in policies/canary.yaml, and at the rights of the token's user")
        }
        let found = try JSONDecoder().decode(Target.self, from: Data(answer.body.utf8))
        guard found.buildable == true else {
            throw DriverFailure(
                "no build of '\(job)' can be asked for: it is switched off, or no job",
                hint: "look at 'smoke' in policies/canary.yaml")
        }
        return found
    }

    func obstacle(toBuilding job: String) async throws -> String? {
        do {
            _ = try await target(job, try productionProbe())
            return nil
        } catch let failure as DriverFailure {
            return "\(failure); \(failure.hint)"
        } catch let failure as HTTPFailure {
            return failure.description
        }
    }

    /// What a failed build ends with, in words that are the same whenever it fails so again.
    static func signature(ofConsole text: String) -> String {
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("Finished: ") }
        let line = lines.last { $0.hasPrefix("ERROR: ") || $0.contains("Exception: ") } ?? lines.last ?? ""
        return LogSignature.template(of: String(line))
    }
}
