internal import FoundationEssentials

/// A master's REST interface, as far as its health is asked for.
struct BuildbotREST: Sendable {
    /// A row of `masters`.
    struct Master: Decodable {
        var masterid: Int
        var name: String
        var active: Bool
        var last_active: Int64?
    }

    /// A row of `builders`.
    struct Builder: Decodable {
        var builderid: Int
        var name: String
        var masterids: [Int]
    }

    /// A row of `workers`.
    struct Worker: Decodable {
        struct Place: Decodable {
            var masterid: Int
            var builderid: Int?
        }
        var name: String
        var configured_on: [Place]
        var connected_to: [Place]
    }

    /// A scheduler through which builds can be asked for.
    struct ForceScheduler: Decodable {
        var name: String
        var builder_names: [String]
        var enabled: Bool
    }

    /// A row of `buildrequests`.
    struct Request: Decodable {
        var complete: Bool
        var results: Int
    }

    /// A row of `builds`.
    struct Build: Decodable {
        var number: Int
        var results: Int?
        var started_at: Int64
        var complete_at: Int64?
        var state_string: String
    }

    /// The interface may not be read without logging in.
    struct Closed: Error {}

    /// How to ask.
    var probe: HTTPProbe

    /// The masters of the database.
    func masters() async throws -> [Master] {
        struct Answer: Decodable { var masters: [Master] }
        return try await get(Answer.self, "/api/v2/masters").masters
    }

    /// All builders that ever were.
    func builders() async throws -> [Builder] {
        struct Answer: Decodable { var builders: [Builder] }
        let fields = "field=builderid&field=name&field=masterids"
        return try await get(Answer.self, "/api/v2/builders?\(fields)").builders
    }

    /// All workers that ever were.
    func workers() async throws -> [Worker] {
        struct Answer: Decodable { var workers: [Worker] }
        let fields = "field=name&field=configured_on&field=connected_to"
        return try await get(Answer.self, "/api/v2/workers?\(fields)").workers
    }

    /// The schedulers through which builds can be asked for.
    func forceSchedulers() async throws -> [ForceScheduler] {
        struct Answer: Decodable { var forceschedulers: [ForceScheduler] }
        return try await get(Answer.self, "/api/v2/forceschedulers").forceschedulers
    }

    /// A request for a build.
    func request(_ number: Int) async throws -> Request? {
        struct Answer: Decodable { var buildrequests: [Request] }
        return try await get(Answer.self, "/api/v2/buildrequests/\(number)").buildrequests.first
    }

    /// The last build that was made for a request, nil before there is one.
    func build(for request: Int) async throws -> Build? {
        struct Answer: Decodable { var builds: [Build] }
        let query = "buildrequestid=\(request)&order=-buildid&limit=1"
        return try await get(Answer.self, "/api/v2/builds?\(query)").builds.first
    }

    /// Asks for a build, once, and gives the number of the request.
    func force(_ builder: Int, through scheduler: String) async throws -> Int {
        struct Answer: Decodable {
            struct Failure: Decodable { var message: String }
            /// A number, and an object of one number: the build set, and the request by builder.
            var result: [Part]?
            var error: Failure?
        }
        enum Part: Decodable {
            case set(Int)
            case requests([String: Int])
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                do {
                    self = .set(try container.decode(Int.self))
                } catch is DecodingError {
                    self = .requests(try container.decode([String: Int].self))
                }
            }
        }
        let body = """
            {"jsonrpc": "2.0", "id": 1, "method": "force", \
            "params": {"builderid": "\(builder)", "reason": "understudy"}}
            """
        let answer = try await probe.post("/api/v2/forceschedulers/\(scheduler)", body)
        let decoded: Answer
        do {
            decoded = try JSONDecoder().decode(Answer.self, from: Data(answer.body.utf8))
        } catch {
            throw DriverFailure(
                "a build cannot be asked for: status \(answer.status): \(answer.body.prefix(200))",
                hint: "read the master's log")
        }
        for case .requests(let requests) in decoded.result ?? [] {
            if let request = requests[String(builder)] { return request }
        }
        throw DriverFailure(
            "a build cannot be asked for: \(decoded.error?.message ?? "the answer names no request")",
            hint: "read the master's log")
    }

    /// Takes back a request; a build that was begun for it is stopped.
    func cancel(_ request: Int) async throws {
        let body = """
            {"jsonrpc": "2.0", "id": 1, "method": "cancel", "params": {"reason": "understudy"}}
            """
        let answer = try await probe.post("/api/v2/buildrequests/\(request)", body)
        guard answer.status == 200 else {
            throw DriverFailure(
                "the build cannot be cancelled: status \(answer.status): \(answer.body.prefix(200))",
                hint: "cancel request \(request) in the web interface")
        }
    }

    private func get<Answer: Decodable>(_ type: Answer.Type, _ path: String) async throws -> Answer {
        let answer = try await probe.get(path)
        guard answer.status != 401, answer.status != 403 else { throw Closed() }
        // A master that is not up yet, or a proxy in front of none: curl's own status for such an answer.
        guard answer.status < 500 else {
            throw HTTPFailure(
                address: probe.base + path, code: 22, message: "status \(answer.status) instead")
        }
        guard answer.status == 200 else {
            throw DriverFailure(
                "\(probe.base)\(path) answers with status \(answer.status)",
                hint: "check whether 'url' is Buildbot's own address, and read twistd.log")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(answer.body.utf8))
        } catch {
            throw DriverFailure(
                "\(probe.base)\(path) does not answer as Buildbot does: \(error)",
                hint: "check whether 'url' is Buildbot's own address")
        }
    }
}
