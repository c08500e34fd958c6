/// Manifest lines: `mtree(5)`, full paths, one line an entry.
///
/// A line holds what `mtree -f` checks (type, mode, owners, size, time in nanoseconds, link target, SHA-256) and, as
/// `tags`, what mtree has no keyword for: the class, hard links, holes and extended attributes. Readers of mtree pass
/// over tags that they do not know.
package enum Manifest {
    /// Adds the line of an entry to `text`.
    package static func append(_ entry: Entry, to text: inout [UInt8]) {
        appendPath(entry.path, to: &text)
        switch entry.kind {
        case .directory: text.append(contentsOf: " type=dir mode=0".utf8)
        case .file: text.append(contentsOf: " type=file mode=0".utf8)
        case .link: text.append(contentsOf: " type=link mode=0".utf8)
        }
        appendNumber(entry.mode, radix: 8, to: &text)
        text.append(contentsOf: " uid=".utf8)
        appendNumber(entry.owner, to: &text)
        text.append(contentsOf: " gid=".utf8)
        appendNumber(entry.group, to: &text)
        if !entry.ownerName.isEmpty {
            text.append(contentsOf: " uname=".utf8)
            appendVisible(Array(entry.ownerName.utf8), to: &text)
        }
        if !entry.groupName.isEmpty {
            text.append(contentsOf: " gname=".utf8)
            appendVisible(Array(entry.groupName.utf8), to: &text)
        }
        if entry.kind == .file {
            text.append(contentsOf: " size=".utf8)
            appendNumber(entry.size, to: &text)
        }
        text.append(contentsOf: " time=".utf8)
        appendTime(entry.modified, to: &text)
        if case .link(let target) = entry.kind {
            text.append(contentsOf: " link=".utf8)
            appendVisible(target, to: &text)
        }
        if entry.kind == .file {
            text.append(contentsOf: " sha256digest=".utf8)
            appendHex(entry.digest, to: &text)
        }
        text.append(contentsOf: " tags=".utf8)
        text.append(contentsOf: entry.entryClass.rawValue.utf8)
        if entry.isSparse { text.append(contentsOf: ",sparse".utf8) }
        if let first = entry.hardLink {
            text.append(contentsOf: ",hardlink:".utf8)
            appendHex(first.bytes, to: &text)
        }
        for attribute in entry.attributes {
            text.append(contentsOf: ",xattr:".utf8)
            appendHex(attribute.name, to: &text)
            text.append(UInt8(ascii: ":"))
            appendHex(attribute.value, to: &text)
        }
        text.append(newline)
    }

    /// The entries of a manifest part.
    ///
    /// Throws a ``ManifestFailure`` that names the line for anything that ``append(_:to:)`` does not write: manifests
    /// come from stores, and a store may have been tampered with.
    package static func entries(_ text: [UInt8]) throws(ManifestFailure) -> [Entry] {
        var entries: [Entry] = []
        var number = 0
        for line in text.split(separator: newline, omittingEmptySubsequences: false).dropLast() {
            number += 1
            guard let entry = entry(line) else {
                throw ManifestFailure(line: number, text: printable(line.prefix(200)))
            }
            entries.append(entry)
        }
        guard text.isEmpty || text.last == newline else {
            throw ManifestFailure(line: number + 1, text: "no newline at the end")
        }
        return entries
    }

    private static func entry(_ line: ArraySlice<UInt8>) -> Entry? {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let first = words.first, let path = path(first) else { return nil }
        var values: [String: ArraySlice<UInt8>] = [:]
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let key = String(decoding: word[..<equals], as: UTF8.self)
            guard values.updateValue(word[(equals + 1)...], forKey: key) == nil else { return nil }
        }
        guard let kind = kind(values), let mode: UInt16 = number(values["mode"], radix: 8), mode <= 0o7777,
            let owner: UInt32 = number(values["uid"]), let group: UInt32 = number(values["gid"]),
            let time = values["time"].flatMap(time), let tags = values["tags"]
        else { return nil }
        let labels = tags.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard let label = labels.first,
            let entryClass = EntryClass(rawValue: String(decoding: label, as: UTF8.self))
        else { return nil }
        var size: Int64 = 0
        var digest: [UInt8] = []
        if kind == .file {
            guard let count: Int64 = number(values["size"]), count >= 0,
                let sum = values["sha256digest"].flatMap(bytes), sum.count == 32
            else { return nil }
            size = count
            digest = sum
        }
        guard let ownerName = text(values["uname"]), let groupName = text(values["gname"]) else { return nil }
        var entry = Entry(
            path: path, kind: kind, mode: mode, owner: owner, group: group, ownerName: ownerName,
            groupName: groupName, modified: time, size: size, digest: digest, entryClass: entryClass)
        for label in labels.dropFirst() {
            guard addTag(label, to: &entry) else { return nil }
        }
        return entry
    }

    private static func addTag(_ label: ArraySlice<UInt8>, to entry: inout Entry) -> Bool {
        let parts = label.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        switch (String(decoding: parts[0], as: UTF8.self), parts.count) {
        case ("sparse", 1):
            entry.isSparse = true
        case ("hardlink", 2):
            guard let path = bytes(parts[1]), isSafe(path), !path.isEmpty else { return false }
            entry.hardLink = EntryPath(path)
        case ("xattr", 3):
            guard let name = bytes(parts[1]), let value = bytes(parts[2]), !name.contains(0) else {
                return false
            }
            entry.attributes.append(.init(name: name, value: value))
        default:
            return false
        }
        return true
    }

    private static func kind(_ values: [String: ArraySlice<UInt8>]) -> Entry.Kind? {
        switch values["type"].map({ String(decoding: $0, as: UTF8.self) }) {
        case "dir": .directory
        case "file": .file
        case "link":
            values["link"].flatMap(unvisible).flatMap {
                $0.contains(0) || $0.isEmpty ? nil : .link(target: $0)
            }
        default: nil
        }
    }

    private static func text(_ value: ArraySlice<UInt8>?) -> String? {
        guard let value else { return "" }
        return unvisible(value).flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func number<Number: FixedWidthInteger>(_ value: ArraySlice<UInt8>?, radix: Int = 10)
        -> Number?
    {
        value.flatMap { Number(String(decoding: $0, as: UTF8.self), radix: radix) }
    }

    private static func time(_ value: ArraySlice<UInt8>) -> Entry.Time? {
        let parts = value.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 9, let seconds: Int64 = number(parts[0]),
            let nanoseconds: Int64 = number(parts[1]), nanoseconds >= 0
        else { return nil }
        return Entry.Time(seconds: seconds, nanoseconds: nanoseconds)
    }

    private static func path(_ word: ArraySlice<UInt8>) -> EntryPath? {
        if word.elementsEqual(".".utf8) { return .root }
        guard word.starts(with: "./".utf8), let path = unvisible(word.dropFirst(2)), !path.isEmpty,
            isSafe(path)
        else {
            return nil
        }
        return EntryPath(path)
    }

    /// Whether a path stays below the root, name by name.
    private static func isSafe(_ path: [UInt8]) -> Bool {
        guard !path.contains(0) else { return false }
        return path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) && $0.count <= 255
        }
    }

    private static func appendPath(_ path: EntryPath, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "."))
        guard !path.isRoot else { return }
        text.append(UInt8(ascii: "/"))
        appendVisible(path.bytes, to: &text)
    }

    /// Adds bytes in the octal spelling of `strsvis(3)` that every reader of mtree undoes.
    private static func appendVisible(_ bytes: [UInt8], to text: inout [UInt8]) {
        for byte in bytes {
            if isPlain[Int(byte)] {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "\\"))
                text.append(UInt8(ascii: "0") + byte >> 6)
                text.append(UInt8(ascii: "0") + byte >> 3 & 7)
                text.append(UInt8(ascii: "0") + byte & 7)
            }
        }
    }

    private static let isPlain: [Bool] = (0..<256).map { byte in
        byte > 0x20 && byte < 0x7f && !Array("\\#*?[=".utf8).contains(UInt8(byte))
    }

    private static func unvisible(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == UInt8(ascii: "\\") else {
                bytes.append(text[index])
                index += 1
                continue
            }
            guard index + 3 < text.endIndex,
                let value = Int(String(decoding: text[(index + 1)...(index + 3)], as: UTF8.self), radix: 8),
                let byte = UInt8(exactly: value)
            else { return nil }
            bytes.append(byte)
            index += 4
        }
        return bytes
    }

    private static func appendTime(_ time: Entry.Time, to text: inout [UInt8]) {
        appendNumber(time.seconds, to: &text)
        text.append(UInt8(ascii: "."))
        var divisor: Int64 = 100_000_000
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(time.nanoseconds / divisor % 10))
            divisor /= 10
        }
    }

    private static func appendNumber<Number: FixedWidthInteger>(
        _ number: Number, radix: Number = 10, to text: inout [UInt8]
    ) {
        if number < 0 { text.append(UInt8(ascii: "-")) }
        var digits: (Int, [20 of UInt8]) = (0, .init(repeating: 0))
        var rest = number.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: radix.magnitude)
            digits.1[digits.0] = UInt8(ascii: "0") + UInt8(digit)
            digits.0 += 1
            rest = quotient
        } while rest > 0
        for index in (0..<digits.0).reversed() {
            text.append(digits.1[index])
        }
    }

    private static func appendHex(_ bytes: [UInt8], to text: inout [UInt8]) {
        for byte in bytes {
            text.append(hexDigit(byte >> 4))
            text.append(hexDigit(byte & 15))
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    private static func bytes(_ hex: ArraySlice<UInt8>) -> [UInt8]? {
        guard hex.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hex.count / 2)
        var index = hex.startIndex
        while index < hex.endIndex {
            guard let high = value(hex[index]), let low = value(hex[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
            index += 2
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

private let newline = UInt8(ascii: "\n")

/// A manifest holds a line that no version of Understudy writes.
package struct ManifestFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line's number, from 1.
    package var line: Int
    /// The line, shortened and made printable.
    package var text: String

    /// One sentence.
    package var description: String { "line \(line) of the manifest cannot be read: \(text)" }
}
