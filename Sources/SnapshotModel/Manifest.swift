internal import Glibc

/// Manifest lines: `mtree(5)`, full paths, one line an entry.
///
/// A line holds what `mtree -f` checks (type, mode, owners, size, time in nanoseconds, link target, SHA-256) and, as
/// `tags`, what mtree has no keyword for: the class, hard links, holes and extended attributes. Readers of mtree pass
/// over tags that they do not know. A sealed file has no SHA-256 of its contents, from which a short secret could be
/// guessed, but the tag `sealed` with that of the age file and the keyed name of the contents.
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
            digest: entry.digest.span, sealedDigest: entry.sealedDigest, target: target,
            hardLink: entry.hardLink?.bytes ?? [],
            attributes: entry.attributes, to: &text)
    }

    /// Adds a line to `text`.
    ///
    /// `path` is the ``word(ofPath:)`` of the directory that holds the entry, `name` its name there, empty for the root;
    /// `sealedDigest` is a sealed file's, `target` a link's, `hardLink` the first path of a file that is linked; each is
    /// empty for others.
    package static func append(
        _ line: Line, path: [UInt8], name: Span<UInt8>, digest: Span<UInt8>, sealedDigest: [UInt8],
        target: [UInt8],
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
        if line.kind == .file, sealedDigest.isEmpty {
            text.append(contentsOf: " sha256digest=".utf8)
            appendHex(digest, to: &text)
        }
        text.append(contentsOf: " tags=".utf8)
        text.append(contentsOf: line.entryClass.rawValue.utf8)
        if line.isSparse { text.append(contentsOf: ",sparse".utf8) }
        if !sealedDigest.isEmpty {
            text.append(contentsOf: ",sealed:".utf8)
            appendHex(sealedDigest.span, to: &text)
            text.append(UInt8(ascii: ":"))
            appendHex(digest, to: &text)
        }
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
        let lines = try lines(text)
        var parser = LineParser(text)
        var entries: [Entry] = []
        entries.reserveCapacity(lines.count)
        for (index, line) in lines.enumerated() { entries.append(try parser.entry(line, number: index + 1)) }
        return entries
    }

    /// No line is shorter: a list of them takes sixteen bytes each, and a store may have been made by a stranger.
    private static let shortest = 16

    /// Where the lines of a part are, without their newlines.
    package static func lines(_ text: [UInt8]) throws(ManifestFailure) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        while start < text.count {
            guard let end = index(of: newline, in: text, from: start) else {
                throw ManifestFailure(line: lines.count + 1, text: "no newline at the end")
            }
            guard end - start >= shortest else {
                throw ManifestFailure(line: lines.count + 1, text: "it is too short for a line")
            }
            lines.append(start..<end)
            start = end + 1
        }
        return lines
    }

    private static func index(of byte: UInt8, in text: [UInt8], from start: Int) -> Int? {
        unsafe text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let found = unsafe memchr(base + start, CInt(byte), bytes.count - start)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    /// The entry of one line, which is the `number`th of its part.
    package static func entry(
        _ text: [UInt8], _ line: Range<Int>, number: Int
    ) throws(ManifestFailure) -> Entry {
        var parser = LineParser(text)
        return try parser.entry(line, number: number)
    }

    /// What differs between two lists of parts, line by line: lines that both have are not taken apart.
    ///
    /// Every path of one text is in it once, in the order of a walk (``EntryPath/isBeforeInWalk(_:)``).
    package static func differences(
        _ old: [UInt8], _ new: [UInt8], _ body: (_ old: Entry?, _ new: Entry?) -> Void
    ) throws(ManifestFailure) {
        let oldLines = try lines(old)
        let newLines = try lines(new)
        var (left, right) = (0, 0)
        while left < oldLines.count || right < newLines.count {
            if left < oldLines.count, right < newLines.count,
                areEqual(old, oldLines[left], new, newLines[right])
            {
                left += 1
                right += 1
                continue
            }
            let before = left < oldLines.count ? try entry(old, oldLines[left], number: left + 1) : nil
            let after = right < newLines.count ? try entry(new, newLines[right], number: right + 1) : nil
            guard let before, let after else {
                body(before, after)
                if before != nil { left += 1 } else { right += 1 }
                continue
            }
            if before.path == after.path {
                body(before, after)
                left += 1
                right += 1
            } else if before.path.isBeforeInWalk(after.path) {
                body(before, nil)
                left += 1
            } else {
                body(nil, after)
                right += 1
            }
        }
    }

    private static func areEqual(
        _ one: [UInt8], _ line: Range<Int>, _ other: [UInt8], _ otherLine: Range<Int>
    )
        -> Bool
    {
        guard line.count == otherLine.count else { return false }
        return unsafe one.withUnsafeBytes { one in
            unsafe other.withUnsafeBytes { other in
                guard let one = one.baseAddress, let other = other.baseAddress else { return false }
                return unsafe memcmp(one + line.lowerBound, other + otherLine.lowerBound, line.count) == 0
            }
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
