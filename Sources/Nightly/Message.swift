extension NightReport {
    /// The document for a webhook: `template` with its places filled, as JSON strings are written.
    package func document(_ template: String) -> String {
        let places = [
            "summary": summary, "system": system, "host": host, "status": status,
            "snapshot": snapshot ?? "none",
            "problems": problems.map { "\($0.message) (\($0.hint))" }.joined(separator: "\n"),
        ]
        // From left to right, so that what fills a place is never taken for another one.
        var rest = template[...]
        var document = ""
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}")
        {
            document += rest[..<start.lowerBound]
            document += Self.escaped(places[String(rest[start.upperBound..<end.lowerBound])] ?? "")
            rest = rest[end.upperBound...]
        }
        return document + rest
    }

    /// A mail, headers and all; names of jobs and files may hold anything, a header line must not.
    package func mail(to: [String], from: String?) -> String {
        var headers = ["To: \(to.joined(separator: ", "))", "Subject: \(Self.headerText(summary))"]
        if let from { headers.insert("From: \(from)", at: 0) }
        headers += [
            "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Auto-Submitted: auto-generated",
        ]
        let body =
            problems.isEmpty
            ? "Nothing is wrong."
            : problems.map { "\($0.message)\n  what to do: \($0.hint)" }.joined(separator: "\n\n")
        return (headers + ["", body, "", "snapshot: \(snapshot ?? "none")"]).joined(separator: "\n") + "\n"
    }

    private static func headerText(_ text: String) -> String {
        let line = String(
            text.unicodeScalars.map {
                $0.isASCII && $0.value >= 0x20 && $0.value < 0x7f ? Character($0) : "?"
            })
        return String(line.prefix(200))
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\t": escaped += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }
}
