internal import Judge

/// What a controller's log complains of, in words that are the same whenever it complains so again.
struct JenkinsLog {
    /// The complaints, each once.
    let complaints: [Observation]

    /// Reads a log of lines `2026-01-01 12:00:00.000+0000 [id=1]<tab>SEVERE<tab>hudson.Class#method: words`.
    init(_ text: String) {
        var found: [Observation] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: "\t", maxSplits: 2)
            guard parts.count == 3, parts[1] == "SEVERE" || parts[1] == "WARNING" else { continue }
            let logger = parts[2].prefix { $0 != "#" && $0 != ":" }
            let words = parts[2].firstRange(of: ": ").map { parts[2][$0.upperBound...] } ?? parts[2]
            let complaint = Observation(
                kind: parts[1] == "SEVERE" ? "log-error" : "log-warning",
                object: ObjectName("logger", String(logger)),
                detail: LogSignature.template(of: String(words)), lines: [String(line)])
            let isKnown = found.contains {
                ($0.kind, $0.object, $0.detail) == (complaint.kind, complaint.object, complaint.detail)
            }
            if !isKnown { found.append(complaint) }
        }
        complaints = found
    }
}
