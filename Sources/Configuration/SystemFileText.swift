package import Drivers
internal import FileTree
package import Sealing
internal import SnapshotModel
internal import SystemPackage

extension SystemDescription {
    /// The text of a system file that says the same, with comments for its readers.
    ///
    /// Throws a ``TextFailure`` when a path is not text: a system file is, and could only hold another path.
    package func yaml(kinds: [any Driver.Type] = driverKinds) throws(TextFailure) -> String {
        var lines: [String] = []
        lines.append("# The delivery system that Understudy snapshots and restores.")
        lines.append("# Check it with `understudy doctor`; take a snapshot with `understudy snapshot`.")
        lines.append("")
        lines.append("system: \(scalar(name))")
        lines.append("")
        lines.append("# A bare git repository, readable by its owner alone.")
        lines.append("store: \(scalar(try pathText(store, as: "the store")))")
        if !recipients.isEmpty {
            lines.append("")
            lines.append(Self.recipientsComment)
            lines += Self.recipientLines(recipients)
        }
        if !signers.isEmpty {
            lines.append("")
            lines.append(
                "# Who may sign snapshots: 'verify' and 'restore' refuse what none of these signed.")
            lines.append("signers:")
            lines += signers.map { "  - \(scalar($0.description))" }
        }
        if let signingKey {
            lines.append("")
            lines.append(
                "# The key that signs snapshots here; or the public half of one that an ssh-agent holds.")
            lines.append("signing-key: \(scalar(try pathText(signingKey, as: "the signing key")))")
        }
        if let policies {
            lines.append("")
            lines.append("# A directory with snapshot.yaml: what is captured in which class.")
            lines.append("policies: \(scalar(try pathText(policies, as: "the policies")))")
        }
        lines.append("")
        lines.append(
            "# What the system consists of. `after` names what must be up before a component starts.")
        lines.append("components:")
        for component in components {
            lines.append("  \(scalar(component.name)):")
            lines += self.lines(of: component, kind: kinds.first { $0.name == component.driver })
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let recipientsComment =
        "# Public recovery keys: secrets and databases are sealed to them. The secret halves stay off this host."

    private static func recipientLines(_ recipients: [Recipient]) -> [String] {
        guard !recipients.isEmpty else { return [] }
        return ["recipients:"] + recipients.map { "  - \($0)" }
    }

    /// The text of a system file with other recipients, and everything else as it stands: comments, order, spelling.
    ///
    /// New lines end like the first one. Nil when the text spells the list in a way that is not understood here; the caller
    /// reads what came of it and compares.
    package static func text(_ text: String, with recipients: [Recipient]) -> String? {
        // By scalars: a carriage return and a line feed are one character.
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0)
        }
        let end = lines.first?.last == "\r" ? "\r" : ""
        guard let start = lines.firstIndex(where: { $0.hasPrefix("recipients:") }) else {
            guard let store = lines.firstIndex(where: { $0.hasPrefix("store:") }) else { return nil }
            let new = recipientLines(recipients).map { $0 + end }
            lines.insert(contentsOf: [end, recipientsComment + end] + new, at: store + 1)
            return lines.joined(separator: "\n")
        }
        var next = start + 1
        for (place, line) in lines.enumerated().dropFirst(start + 1) {
            if line.hasPrefix(" ") || line.hasPrefix("-") {
                next = place + 1
            } else if !line.hasPrefix("#"), !line.allSatisfy(\.isWhitespace) {
                break
            }
        }
        guard let new = list(Array(lines[start..<next]), of: recipients, end: end) else { return nil }
        lines.replaceSubrange(start..<next, with: new)
        return lines.joined(separator: "\n")
    }

    /// The lines of a list of recipients, changed so that it names others: what is said of those that stay stays, and what
    /// stands right above one that goes, or behind it, goes along.
    ///
    /// Nil for a list in brackets with comments in it.
    private static func list(_ lines: [String], of recipients: [Recipient], end: String) -> [String]? {
        guard !recipients.isEmpty else { return [] }
        let head = lines[0].dropFirst("recipients:".count)
        let comment = head.drop { $0 != "#" }
        func content(_ line: String) -> Substring { line.drop { $0.isWhitespace } }
        let isBlock =
            head.prefix { $0 != "#" }.allSatisfy(\.isWhitespace)
            && lines.dropFirst().allSatisfy { line in
                let content = content(line)
                return content.isEmpty || content.hasPrefix("-") || content.hasPrefix("#")
            }
        guard isBlock else {
            guard !lines.dropFirst().contains(where: { $0.contains("#") }) else { return nil }
            let first = comment.isEmpty ? "recipients:" + end : "recipients: " + String(comment)
            return [first] + recipients.map { "  - \($0)" + end }
        }
        var list = [lines[0]]
        var above: [String] = []
        var named: [Recipient] = []
        var indent: Substring = "  "
        for line in lines.dropFirst() {
            let item = content(line)
            guard item.hasPrefix("-") else {
                above.append(line)
                continue
            }
            let word = item.dropFirst().drop { $0.isWhitespace || $0 == "\"" || $0 == "'" }.prefix {
                $0.isLetter || $0.isNumber
            }
            guard let recipient = Recipient(String(word)) else { return nil }
            indent = line.prefix { $0.isWhitespace }
            if recipients.contains(recipient) {
                list += above + [line]
                named.append(recipient)
            }
            above = []
        }
        let new = recipients.filter { !named.contains($0) }
        return list + new.map { "\(indent)- \($0)" + end } + above
    }

    private func lines(of component: Component, kind: (any Driver.Type)?) -> [String] {
        var lines = ["    driver: \(scalar(component.driver))"]
        let order = (kind?.settings ?? []).map(\.name)
        let others = component.settings.keys.filter { !order.contains($0) }.sorted()
        for key in order + others {
            guard let value = component.settings[key] else { continue }
            if let help = kind?.settings.first(where: { $0.name == key })?.help, !help.isEmpty {
                lines.append("    # \(printable(help.utf8))")
            }
            switch value {
            case .text(let text):
                lines.append("    \(scalar(key)): \(scalar(text))")
            case .list(let texts):
                lines.append("    \(scalar(key)):\(texts.isEmpty ? " []" : "")")
                lines += texts.map { "      - \(scalar($0))" }
            case .map(let texts):
                lines.append("    \(scalar(key)):\(texts.isEmpty ? " {}" : "")")
                lines += texts.sorted { $0.key < $1.key }.map {
                    "      \(scalar($0.key)): \(scalar($0.value))"
                }
            }
        }
        if !component.after.isEmpty {
            lines.append("    after: [\(component.after.map { scalar($0) }.joined(separator: ", "))]")
        }
        return lines
    }
}

/// A path cannot be written into a system file.
package struct TextFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which path, and why.
    package var description: String
    /// What to do.
    package var hint: String { "give a path whose name is UTF-8: rename the directory, or use a link to it" }
}

/// The path as text, refused when it is none.
func pathText(_ path: FilePath, as what: String) throws(TextFailure) -> String {
    let bytes = path.byteArray
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TextFailure(
            description: "the path of \(what), \(printable(bytes)), is not UTF-8, and a system file is text")
    }
    return text
}

/// A YAML scalar for a text: bare where every reader takes it for that text, else in double quotes.
func scalar(_ text: String) -> String {
    let isBare = text.unicodeScalars.enumerated().allSatisfy { index, scalar in
        let isWord =
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        return isWord || "/._".unicodeScalars.contains(scalar)
            || index > 0 && "-+@%=:~".unicodeScalars.contains(scalar)
    }
    guard text.isEmpty || !isBare || text.hasSuffix(":") || isOtherScalar(text) else { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\t": quoted += "\\t"
        default: quoted += isShown(scalar) ? String(scalar) : escape(scalar)
        }
    }
    return quoted + "\""
}

/// Whether some YAML reader takes the bare text for something else than a text.
private func isOtherScalar(_ text: String) -> Bool {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "~", "y", "n", ".nan", ".inf"]
    guard let first = text.utf8.first, !words.contains(text.lowercased()) else { return true }
    // Numbers, dates and times of all kinds, and some texts that only look like them.
    return "+-.0123456789".utf8.contains(first)
        && text.utf8.allSatisfy { "0123456789+-._:xoabcdefABCDEFTZtz".utf8.contains($0) }
}

/// Whether the scalar may stand in quotes as it is: printable, and no line break for any reader.
private func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
    default: true
    }
}

private func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    return "\\\(letter)" + String(repeating: "0", count: width - digits.count) + digits
}
