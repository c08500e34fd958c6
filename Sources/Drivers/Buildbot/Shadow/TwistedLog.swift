internal import Judge

/// What a master's log complains of, in words that are the same whenever it complains so again.
struct TwistedLog {
    /// The complaints, each once.
    let complaints: [Observation]
    /// What is at the end of a part of a log and not finished: half a line, half a traceback.
    private(set) var unfinished: [UInt8] = []

    /// How much is kept of what is not finished: a traceback without an end is none.
    private static let longest = 1 << 16

    /// Reads a part of a log that may go on.
    init(new bytes: [UInt8]) {
        let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        var text = String(decoding: bytes[..<end], as: UTF8.self)
        var rest = Array(bytes[end...])
        let lines = PythonText.lines(text)
        if let start = lines.lastIndex(where: { Self.message($0).hasPrefix(Self.trace) }),
            !lines[(start + 1)...].contains(where: {
                Self.message($0).first.map { $0 != " " && $0 != "\t" } ?? false
            })
        {
            let open = text[lines[start].startIndex...]
            rest = Array(open.utf8) + rest
            text = String(text[..<lines[start].startIndex])
        }
        self.init(text)
        unfinished = rest.count <= Self.longest ? rest : []
    }

    private static let trace = "Traceback (most recent call last)"

    /// Reads a whole log.
    init(_ text: String) {
        var found: [Observation] = []
        var trace: [String] = []
        func add(_ kind: String, _ detail: String, _ lines: [String]) {
            let words = LogSignature.template(of: detail)
            guard !found.contains(where: { $0.kind == kind && $0.detail == words }) else { return }
            found.append(
                Observation(kind: kind, object: ObjectName("system", "buildbot"), detail: words, lines: lines)
            )
        }
        for line in PythonText.lines(text) {
            let message = Self.message(line)
            if message.hasPrefix(Self.trace) {
                trace = [String(message)]
                continue
            }
            if !trace.isEmpty {
                trace.append(String(message))
                // The first line that is not indented names the exception.
                guard let first = message.first, first != " ", first != "\t" else { continue }
                add("log-exception", String(message), trace.suffix(12).map { $0 })
                trace = []
                continue
            }
            for word in ["ERROR", "CRITICAL", "WARNING"] where message.contains(word + ":") {
                add(word == "WARNING" ? "log-warning" : "log-error", String(message), [String(line)])
            }
            if message.contains("could not find plugin") || message.contains("BuildMaster startup failed")
                || message.contains("is no longer supported")
            {
                add("log-error", String(message), [String(line)])
            }
        }
        complaints = found
    }

    /// A line without the time and the system that Twisted puts before it.
    static func message(_ line: Substring) -> Substring {
        guard let first = line.first, first.isNumber, let bracket = line.firstIndex(of: "["),
            let end = line[bracket...].firstIndex(of: "]")
        else { return line.hasPrefix("\t") ? line.dropFirst() : line }
        return line[line.index(after: end)...].drop { $0 == " " }
    }
}
