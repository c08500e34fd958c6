/// Manifest lines: `mtree(5)`, full paths, one line an entry.
///
/// A line holds what `mtree -f` checks (type, mode, owners, size, time in nanoseconds, link target, SHA-256) and, as
/// `tags`, what mtree has no keyword for: the class, hard links, holes and extended attributes. Readers of mtree pass
/// over tags that they do not know.
package enum Manifest {
    /// What every line says, with names of owners already spelled by ``word(_:_:)``.
    package struct Line {
        /// What kind of file it is.
        package enum Kind {
            case directory, file, link
        }

        var kind: Kind
        var mode: UInt16
        var owner: UInt32
        var group: UInt32
        var ownerWord: [UInt8]
        var groupWord: [UInt8]
        var modified: Entry.Time
        var size: Int64
        var entryClass: EntryClass
        var isSparse: Bool

        /// A line; see ``Entry`` for what the fields mean.
        package init(
            kind: Kind, mode: UInt16, owner: UInt32, group: UInt32, ownerWord: [UInt8], groupWord: [UInt8],
            modified: Entry.Time, size: Int64, entryClass: EntryClass, isSparse: Bool
        ) {
            self.kind = kind
            self.mode = mode
            self.owner = owner
            self.group = group
            self.ownerWord = ownerWord
            self.groupWord = groupWord
            self.modified = modified
            self.size = size
            self.entryClass = entryClass
            self.isSparse = isSparse
        }
    }

    /// A word of a line with a blank before it: ` uname=jenkins`; nothing for an empty value.
    package static func word(_ keyword: String, _ value: String) -> [UInt8] {
        guard !value.isEmpty else { return [] }
        var word = Array(" \(keyword)=".utf8)
        appendVisible(Array(value.utf8).span, to: &word)
        return word
    }

    /// How a line spells a path below the root: `.` or `./jobs/a`.
    package static func word(ofPath path: [UInt8]) -> [UInt8] {
        var word = [UInt8(ascii: ".")]
        guard !path.isEmpty else { return word }
        word.append(UInt8(ascii: "/"))
        appendVisible(path.span, to: &word)
        return word
    }

    /// Adds the line of an entry to `text`.
    package static func append(_ entry: Entry, to text: inout [UInt8]) {
        var target: [UInt8] = []
        var kind = Line.Kind.file
        switch entry.kind {
        case .directory: kind = .directory
        case .file: break
        case .link(let path):
            kind = .link
            target = path
        }
        let line = Line(
            kind: kind, mode: entry.mode, owner: entry.owner, group: entry.group,
            ownerWord: word("uname", entry.ownerName), groupWord: word("gname", entry.groupName),
            modified: entry.modified, size: entry.size, entryClass: entry.entryClass,
            isSparse: entry.isSparse)
        append(
            line, path: word(ofPath: entry.path.parent.bytes), name: Array(entry.path.name).span,
            digest: entry.digest.span, target: target, hardLink: entry.hardLink?.bytes ?? [],
            attributes: entry.attributes, to: &text)
    }

    /// Adds a line to `text`.
    ///
    /// `path` is the ``word(ofPath:)`` of the directory that holds the entry, `name` its name there, empty for the root;
    /// `target` is a link's, `hardLink` the first path of a file that is linked, empty for others.
    package static func append(
        _ line: Line, path: [UInt8], name: Span<UInt8>, digest: Span<UInt8>, target: [UInt8],
        hardLink: [UInt8], attributes: [Entry.Attribute], to text: inout [UInt8]
    ) {
        text.append(contentsOf: path)
        if !name.isEmpty {
            text.append(UInt8(ascii: "/"))
            appendVisible(name, to: &text)
        }
        switch line.kind {
        case .directory: text.append(contentsOf: " type=dir mode=0".utf8)
        case .file: text.append(contentsOf: " type=file mode=0".utf8)
        case .link: text.append(contentsOf: " type=link mode=0".utf8)
        }
        appendNumber(UInt64(line.mode), radix: 8, to: &text)
        text.append(contentsOf: " uid=".utf8)
        appendNumber(UInt64(line.owner), to: &text)
        text.append(contentsOf: " gid=".utf8)
        appendNumber(UInt64(line.group), to: &text)
        text.append(contentsOf: line.ownerWord)
        text.append(contentsOf: line.groupWord)
        if line.kind == .file {
            text.append(contentsOf: " size=".utf8)
            appendNumber(line.size.magnitude, to: &text)
        }
        text.append(contentsOf: " time=".utf8)
        appendTime(line.modified, to: &text)
        if line.kind == .link {
            text.append(contentsOf: " link=".utf8)
            appendVisible(target.span, to: &text)
        }
        if line.kind == .file {
            text.append(contentsOf: " sha256digest=".utf8)
            appendHex(digest, to: &text)
        }
        text.append(contentsOf: " tags=".utf8)
        text.append(contentsOf: line.entryClass.rawValue.utf8)
        if line.isSparse { text.append(contentsOf: ",sparse".utf8) }
        if !hardLink.isEmpty {
            text.append(contentsOf: ",hardlink:".utf8)
            appendHex(hardLink.span, to: &text)
        }
        for attribute in attributes {
            text.append(contentsOf: ",xattr:".utf8)
            appendHex(attribute.name.span, to: &text)
            text.append(UInt8(ascii: ":"))
            appendHex(attribute.value.span, to: &text)
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

    /// Adds bytes in the octal spelling of `strsvis(3)` that every reader of mtree undoes.
    private static func appendVisible(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        for index in bytes.indices {
            let byte = bytes[index]
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
        if time.seconds < 0 { text.append(UInt8(ascii: "-")) }
        appendNumber(time.seconds.magnitude, to: &text)
        text.append(UInt8(ascii: "."))
        var divisor: Int64 = 100_000_000
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(time.nanoseconds / divisor % 10))
            divisor /= 10
        }
    }

    private static func appendNumber(_ number: UInt64, radix: UInt64 = 10, to text: inout [UInt8]) {
        var digits = [22 of UInt8](repeating: 0)
        var start = 22
        var rest = number
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(rest % radix)
            rest /= radix
        } while rest > 0
        for index in start..<22 { text.append(digits[index]) }
    }

    private static func appendHex(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        for index in bytes.indices {
            text.append(hexDigit(bytes[index] >> 4))
            text.append(hexDigit(bytes[index] & 15))
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
