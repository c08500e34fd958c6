internal import FileTree
internal import Programs
package import SystemPackage

/// Asks a web server by way of curl; nothing of a request can be seen in the list of processes.
package struct HTTPProbe: Sendable {
    /// What a server answered.
    package struct Answer: Sendable {
        /// The status: 200, 404.
        package var status: Int
        /// The body.
        package var body: String
    }

    /// The start of every address: `http://127.0.0.1:8010`.
    package var base: String
    /// A Unix socket to speak through, nil for TCP; a link there is not followed.
    package var socket: FilePath?
    /// More header lines: `Authorization: …`.
    package var headers: [String]
    /// How long one request may take.
    package var limit: Duration

    /// A probe of the server at `base`, with or without a slash at its end.
    package init(
        _ base: String, socket: FilePath? = nil, headers: [String] = [], limit: Duration = .seconds(2)
    ) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.socket = socket
        self.headers = headers
        self.limit = limit
    }

    /// Asks for a path.
    ///
    /// A request that times out or breaks off is made again, up to `attempts` times: some servers lose an answer now and
    /// then, and one lost answer says nothing of their health. Any status is an answer. Throws an ``HTTPFailure``.
    package func get(_ path: String, attempts: Int = 4) async throws -> Answer {
        var attempt = 1
        while true {
            do {
                return try await request(path, [])
            } catch let failure as HTTPFailure where failure.isPassing && attempt < attempts {
                attempt += 1
            }
        }
    }

    /// Whether a process listens there; one that is too busy to answer does too.
    ///
    /// Any status is an answer, also the 503 of a server that is booting, unless `isOwn` says that somebody else gave it.
    /// Nobody does at a name that does not resolve, or on a host that drops packets: one that is gone. Throws a
    /// ``DriverFailure`` when it cannot be determined, as by a certificate that is not accepted.
    package func isAnswered(
        _ path: String = "/", where isOwn: (Answer) -> Bool = { _ in true }
    ) async throws -> Bool {
        do {
            return isOwn(try await get(path, attempts: 1))
        } catch let failure as HTTPFailure {
            if let isServed = failure.isServed { return isServed }
            throw DriverFailure(
                "it cannot be determined whether something runs at 'url': \(failure)",
                hint:
                    "correct 'url' in the system file, or the certificate of the server there, or restore with --no-start"
            )
        }
    }

    /// Sends a body, once: what a server does with it may be done already when its answer is lost.
    package func post(_ path: String, _ body: String, type: String = "application/json") async throws
        -> Answer
    {
        try await request(
            path, ["header = \(quoted("Content-Type: \(type)"))", "data-raw = \(quoted(body))"])
    }

    /// Asks for something to be begun, once; with the answer comes the address at which it can be watched, nil when the
    /// server does not say one.
    package func begin(_ path: String) async throws -> (answer: Answer, location: String?) {
        var answer = try await request(path, ["data-raw = \"\"", "dump-header = \"-\""])
        guard let end = answer.body.firstRange(of: "\r\n\r\n") else { return (answer, nil) }
        let name = "location:"
        let header = answer.body[..<end.lowerBound].split(separator: "\r\n")
            .first { $0.lowercased().hasPrefix(name) }
        answer.body = String(answer.body[end.upperBound...])
        return (answer, header.map { trimmed($0.dropFirst(name.count)) })
    }

    private func request(_ path: String, _ options: [String]) async throws -> Answer {
        let seconds = limit.components
        let milliseconds = seconds.seconds * 1000 + seconds.attoseconds / 1_000_000_000_000_000
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        var lines = [
            "url = \(quoted(base + path))", "silent", "show-error", "globoff", "noproxy = \"*\"",
            "proto = \"=http,https\"", "max-time = \(milliseconds / 1000).\(fraction)",
            "write-out = \"\\n%{time_connect} %{http_code}\"",
        ]
        lines += headers.map { "header = \(quoted($0))" } + options
        let held: SocketFile?
        do throws(FileFailure) {
            held = try socket.map { (path) throws(FileFailure) in try SocketFile(path) }
        } catch {
            throw HTTPFailure(address: base + path, code: HTTPFailure.refused, message: "\(error)")
        }
        if let held { lines.append("unix-socket = \(quoted(held.place.string))") }
        defer { withExtendedLifetime(held) {} }
        let outcome = try await Program(
            "curl", ["--disable", "--config", "-"], input: Array((lines.joined(separator: "\n") + "\n").utf8),
            limit: limit + .seconds(10), outputLimit: 64 << 20
        ).run()
        guard outcome.status == 0 else {
            let connecting = outcome.output.split(separator: "\n").last?.split(separator: " ").first
            throw HTTPFailure(
                address: base + path, code: outcome.status, message: trimmed(outcome.errorOutput[...]),
                isConnected: connecting?.contains(where: { $0.isNumber && $0 != "0" }) ?? false)
        }
        guard let end = outcome.output.utf8.lastIndex(of: UInt8(ascii: "\n")),
            let status = outcome.output[end...].dropFirst().split(separator: " ").last.flatMap({ Int($0) })
        else {
            throw HTTPFailure(address: base + path, code: 1, message: "curl did not say the status")
        }
        return Answer(status: status, body: String(outcome.output[..<end]))
    }
}

/// The answer to a question that changes nothing; one that cannot be had is asked for once more, a moment later: a server that is
/// well again then, or a proxy before it, is no worse for that.
package func askedTwice<Answer>(_ question: () async throws -> Answer) async throws -> Answer {
    do {
        return try await question()
    } catch {
        try await Task.sleep(for: .seconds(2))
        return try await question()
    }
}

/// A server gave no answer.
package struct HTTPFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was asked for.
    package var address: String
    /// curl's exit status.
    package var code: Int32
    /// curl's words.
    package var message: String
    /// Whether a connection was made before it failed.
    package var isConnected = false

    /// The status for a server that nobody is.
    fileprivate static let refused: Int32 = 7

    /// Whether nobody listens there.
    package var isRefused: Bool { code == Self.refused }
    /// Whether the same request may well be answered: cut short, timed out, empty, reset.
    package var isPassing: Bool { [18, 28, 52, 56].contains(code) }
    /// Whether a server is there, nil when this does not tell: a name that does not resolve and packets that are dropped
    /// are what is left of a host that is gone, and one that took a connection is only slow.
    package var isServed: Bool? {
        if [6, Self.refused].contains(code) { return false }
        if code == 28 { return isConnected }
        return isPassing ? true : nil
    }

    /// One line: what was asked, and why there is no answer.
    package var description: String {
        "no answer from \(address): \(message.split(whereSeparator: \.isNewline).first ?? "curl status \(code)")"
    }
}

/// Text as a curl configuration spells it.
func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\r": quoted += "\\r"
        case "\t": quoted += "\\t"
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}
