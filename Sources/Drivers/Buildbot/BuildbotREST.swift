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

    private func get<Answer: Decodable>(_ type: Answer.Type, _ path: String) async throws -> Answer {
        let answer = try await probe.get(path)
        guard answer.status != 401, answer.status != 403 else { throw Closed() }
        guard answer.status == 200 else {
            throw DriverFailure(
                "\(probe.base)\(path) answers with status \(answer.status)",
                hint: "look whether 'url' is Buildbot's own address, and into twistd.log")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(answer.body.utf8))
        } catch {
            throw DriverFailure(
                "\(probe.base)\(path) does not answer as Buildbot does: \(error)",
                hint: "look whether 'url' is Buildbot's own address")
        }
    }
}
