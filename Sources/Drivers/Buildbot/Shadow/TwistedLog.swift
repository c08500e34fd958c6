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
            !lines[(start + 1)...].contains(where: { Self.namesException(Self.message($0)) })
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
                guard Self.namesException(message) else { continue }
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

    /// Whether a line of a traceback names the exception: the first that is not indented, but for the mark `--- <exception
    /// caught here> ---` of Twisted before 24.
    private static func namesException(_ message: Substring) -> Bool {
        guard let first = message.first else { return false }
        return first != " " && first != "\t" && !message.hasPrefix("---")
    }

    /// What a log says of why the server that was started last ended: its exceptions and the errors of its configuration, or,
    /// where there are none, its last lines.
    static func lastWords(_ log: String) -> String {
        let all = PythonText.lines(log).map(message)
        let start = all.lastIndex { $0.hasPrefix("Loading ") && $0.contains("buildbot.tac") } ?? 0
        let lines = all[start...].filter { !$0.isEmpty }
        var causes: [Substring] = []
        var isTrace = false
        var isConfiguration = false
        for line in lines {
            if line.hasPrefix(trace) {
                isTrace = true
            } else if isTrace {
                guard namesException(line) else { continue }
                isTrace = false
                if !causes.contains(line) { causes.append(line) }
            } else if line.hasPrefix("Configuration Errors:") || line.hasPrefix("Halting master.") {
                isConfiguration = line.hasPrefix("Configuration")
            } else if isConfiguration {
                causes.append(line)
            }
        }
        return (causes.isEmpty ? lines : causes).suffix(4).joined(separator: "; ")
    }

    /// The errors of a configuration that `buildbot checkconfig` tells; none where it tells none.
    ///
    /// Of a traceback only the exception counts, behind the words that announce it.
    static func configurationErrors(_ output: String) -> [String] {
        let told = PythonText.lines(output).drop { !$0.contains("Configuration Errors:") }.dropFirst()
        var errors: [String] = []
        var isTrace = false
        for line in told {
            if line.hasPrefix(trace) {
                isTrace = true
                continue
            }
            let words = trimmed(line)
            if isTrace {
                guard namesException(line) else { continue }
                isTrace = false
                if let announced = errors.last, announced.hasSuffix(":") {
                    errors[errors.count - 1] = "\(announced) \(words)"
                    continue
                }
            }
            if !words.isEmpty { errors.append(words) }
        }
        return errors
    }

    /// A line without the time and the system that Twisted puts before it.
    static func message(_ line: Substring) -> Substring {
        guard let first = line.first, first.isNumber, let bracket = line.firstIndex(of: "["),
            let end = line[bracket...].firstIndex(of: "]")
        else { return line.hasPrefix("\t") ? line.dropFirst() : line }
        return line[line.index(after: end)...].drop { $0 == " " }
    }
}
