internal import SnapshotModel
internal import SystemPackage
internal import FileTree

/// Starts, stops and probes a Jenkins by the site's own commands and its web interface.
struct JenkinsLifecycle: Lifecycle {
    let service: ServiceCommands
    let home: FilePath
    /// Where the web interface answers, nil when the system file does not say.
    let url: String?
    /// Whether a Java of this host runs it: the system file names its war.
    let hasWar: Bool

    /// How long a Jenkins that answers and says that it is booting may take, as systemd lets its unit.
    static let bootLimit = Duration.seconds(15 * 60)

    func isRunning() async throws -> Bool {
        if let running = try await service.isRunning() { return running }
        return try await isAnswered()
    }

    private func isAnswered() async throws -> Bool {
        guard let url else { return false }
        return try await HTTPProbe(url).isAnswered("/login") { Self.isOwn($0) }
    }

    /// Whether Jenkins gave an answer, and not a proxy in front of it, by which nothing stands behind it.
    ///
    /// nginx says 502 then and Apache 503, which Jenkins says while it boots, with its name on the page.
    static func isOwn(_ answer: HTTPProbe.Answer) -> Bool {
        answer.status != 502 && answer.status != 504
            && (answer.status != 503 || answer.body.contains("Jenkins"))
    }

    func start() async throws { try await service.start() }

    func stop() async throws {
        try await service.stop()
        for _ in 0..<300 {
            guard try await isRunning() else { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw DriverFailure(
            "Jenkins in \(home) still answers a minute after it was stopped",
            hint: "stop it by hand and try again")
    }

    func waitUntilReady(limit: Duration) async throws {
        guard let url else { return }
        let clock = ContinuousClock()
        let began = clock.now
        var deadline = began + limit
        var last = "no answer"
        while clock.now < deadline {
            do {
                let answer = try await HTTPProbe(url).get("/login", attempts: 1)
                if answer.status == 200 { return }
                last = "status \(answer.status)"
                if answer.status == 503, Self.isOwn(answer) { deadline = began + max(limit, Self.bootLimit) }
                // A boot that failed answers 500 to everything, for ever.
                if answer.status == 500, try Files.exists(home.appending("failed-boot-attempts.txt")) {
                    break
                }
            } catch let failure as HTTPFailure {
                last = failure.description
            }
            try await Task.sleep(for: .milliseconds(500))
        }
        throw DriverFailure("Jenkins at \(url) is not ready: \(last)", hint: "see Jenkins' log")
    }

    func problems() async throws -> [String] {
        guard let url else { return [] }
        let answer = try await HTTPProbe(url).get("/login")
        return answer.status == 200 ? [] : ["\(url) answers \(answer.status) to /login"]
    }

    func missing() throws -> [Refusal] { try service.missing() }

    func obstacles(to captured: CapturedComponent) async throws -> [Refusal] {
        var obstacles = try missing()
        // Without its war in the system file Jenkins may run in a container, with a Java of its own.
        if hasWar { obstacles += try await JavaRuntime.missing(for: captured.version) }
        if let url, try await isAnswered() {
            obstacles.append(
                Refusal("something answers at \(url) already", hint: "stop it, or restore with --no-start"))
        }
        return obstacles
    }
}
