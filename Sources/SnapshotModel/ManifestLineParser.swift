internal import Glibc

/// Takes lines of a manifest apart, word by word in the order in which ``Manifest/append(_:to:)`` writes them.
struct LineParser {
    private let text: [UInt8]
    private var next = 0
    private var end = 0
    /// The owner and the group of the line before, which mostly have the next one too.
    private var ownerBefore = Name()
    private var groupBefore = Name()

    /// A name and where it is spelled.
    private struct Name {
        var place = 0..<0
        var text = ""
    }

    init(_ text: [UInt8]) {
        self.text = text
    }

    /// The entry of a line, which is the `number`th of its part; throws when it is not one of ours.
    mutating func entry(_ line: Range<Int>, number: Int) throws(ManifestFailure) -> Entry {
        begin(line)
        guard let entry = entry() else { throw failure(line, number: number) }
        return entry
    }

    /// What a line says of its entry's owners and size; no more of it is read.
    mutating func head(_ line: Range<Int>, number: Int) throws(ManifestFailure) -> Head {
        begin(line)
        // The path, which is of no account here.
        while next < end, text[next] != UInt8(ascii: " ") { next += 1 }
        guard let head = head() else { throw failure(line, number: number) }
        return head
    }

    private mutating func begin(_ line: Range<Int>) {
        next = line.lowerBound
        end = line.upperBound
    }

    private func failure(_ line: Range<Int>, number: Int) -> ManifestFailure {
        ManifestFailure(line: number, text: printable(text[line].prefix(200)))
    }

    /// What comes before the time in a line.
    struct Head {
        /// Whether it is a regular file.
        var isFile: Bool
        /// Whether it is a link.
        var isLink: Bool
        /// The low 12 bits of the mode.
        var mode: UInt16
        /// The owner's number.
        var owner: UInt32
        /// The group's number.
        var group: UInt32
        /// The owner's name, empty when there is none.
        var ownerName = ""
        /// The group's name, empty when there is none.
        var groupName = ""
        /// Bytes of a file.
        var size: Int64 = 0
    }

    private mutating func head() -> Head? {
        guard take(" type=") else { return nil }
        let isFile = take("file")
        let isLink = !isFile && take("link")
        guard isFile || isLink || take("dir"), take(" mode=0"), let mode = number(radix: 8), mode <= 0o7777,
            take(" uid="), let owner = number(), owner <= UInt32.max, take(" gid="), let group = number(),
            group <= UInt32.max
        else { return nil }
        var head = Head(
            isFile: isFile, isLink: isLink, mode: UInt16(mode), owner: UInt32(owner), group: UInt32(group))
        if take(" uname=") {
            guard let name = name(after: ownerBefore) else { return nil }
            ownerBefore = name
            head.ownerName = name.text
        }
        if take(" gname=") {
            guard let name = name(after: groupBefore) else { return nil }
            groupBefore = name
            head.groupName = name.text
        }
        if isFile {
            guard take(" size="), let count = number(), let size = Int64(exactly: count) else { return nil }
            head.size = size
        }
        return head
    }

    private mutating func entry() -> Entry? {
        guard let path = path(), let head = head() else { return nil }
        guard take(" time="), let time = time() else { return nil }
        var kind = head.isFile ? Entry.Kind.file : .directory
        if head.isLink {
            guard take(" link="), let target = word(), !target.isEmpty, !target.contains(0) else {
                return nil
            }
            kind = .link(target: target)
        }
        var digest: [UInt8] = []
        if head.isFile, take(" sha256digest=") {
            guard let bytes = hexBytes(), bytes.count == 32 else { return nil }
            digest = bytes
        }
        guard take(" tags="), let entryClass = entryClass() else { return nil }
        var entry = Entry(
            path: path, kind: kind, mode: head.mode, owner: head.owner, group: head.group,
            ownerName: head.ownerName, groupName: head.groupName, modified: time, size: head.size,
            digest: digest, entryClass: entryClass)
        while next < end {
            guard takeTag(of: &entry) else { return nil }
        }
        guard !head.isFile || !entry.digest.isEmpty else { return nil }
        return entry
    }

    private mutating func name(after before: Name) -> Name? {
        let count = before.place.count
        if count > 0, next + count < end, text[next + count] == UInt8(ascii: " "),
            text[before.place] == text[next..<(next + count)]
        {
            next += count
            return before
        }
        let start = next
        guard let name = word().flatMap({ String(validating: $0, as: UTF8.self) }) else { return nil }
        return Name(place: start..<next, text: name)
    }

    private mutating func takeTag(of entry: inout Entry) -> Bool {
        if take(",sparse") {
            entry.isSparse = true
        } else if take(",sealed:") {
            guard entry.kind == .file, entry.digest.isEmpty, let sealed = hexBytes(), sealed.count == 32,
                take(":"),
                let digest = hexBytes(), digest.count == 32
            else { return false }
            entry.sealedDigest = sealed
            entry.digest = digest
        } else if take(",hardlink:") {
            guard let path = hexBytes(), !path.isEmpty, Self.isSafe(path[...]) else { return false }
            entry.hardLink = EntryPath(path)
        } else if take(",xattr:") {
            guard let name = hexBytes(), !name.isEmpty, !name.contains(0), take(":"), let value = hexBytes()
            else { return false }
            entry.attributes.append(.init(name: name, value: value))
        } else {
            return false
        }
        return true
    }

    /// Goes on behind a word when it stands here.
    private mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard end - next >= count else { return false }
        let isHere = unsafe text.withUnsafeBytes { text in
            guard let base = text.baseAddress else { return false }
            return unsafe memcmp(base + next, word.utf8Start, count) == 0
        }
        if isHere { next += count }
        return isHere
    }

    private mutating func number(radix: UInt64 = 10) -> UInt64? {
        let start = next
        var number: UInt64 = 0
        while next < end, text[next] >= UInt8(ascii: "0"), UInt64(text[next] - UInt8(ascii: "0")) < radix {
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: radix)
            let (sum, isOver) = product.addingReportingOverflow(UInt64(text[next] - UInt8(ascii: "0")))
            guard !isTooLarge, !isOver else { return nil }
            number = sum
            next += 1
        }
        return next > start ? number : nil
    }

    private mutating func time() -> Entry.Time? {
        let isBefore = take("-")
        guard let seconds = number(), seconds < UInt64(Int64.max), take(".") else { return nil }
        let start = next
        guard let nanoseconds = number(), next - start == 9 else { return nil }
        return Entry.Time(
            seconds: isBefore ? -Int64(seconds) : Int64(seconds), nanoseconds: Int64(nanoseconds))
    }

    private mutating func entryClass() -> EntryClass? {
        let start = next
        while next < end, text[next] != UInt8(ascii: ",") { next += 1 }
        return EntryClass.allCases.first { $0.rawValue.utf8.elementsEqual(text[start..<next]) }
    }

    private mutating func path() -> EntryPath? {
        guard take(".") else { return nil }
        guard take("/") else { return .root }
        guard let path = word(), !path.isEmpty, Self.isSafe(path[...]) else { return nil }
        return EntryPath(path)
    }

    /// Whether a path stays below the root, name by name.
    private static func isSafe(_ path: ArraySlice<UInt8>) -> Bool {
        var start = path.startIndex
        for index in path.startIndex...path.endIndex {
            guard index == path.endIndex || path[index] == UInt8(ascii: "/") else {
                if path[index] == 0 { return false }
                continue
            }
            let count = index - start
            let isDots = (1...2).contains(count) && path[start..<index].allSatisfy { $0 == UInt8(ascii: ".") }
            guard count > 0, count <= 255, !isDots else { return false }
            start = index + 1
        }
        return true
    }

    /// The bytes up to the next blank, with the octal spelling of `strsvis(3)` undone; nil when that is broken.
    private mutating func word() -> [UInt8]? {
        let start = next
        var hasEscapes = false
        while next < end, text[next] != UInt8(ascii: " ") {
            if text[next] == UInt8(ascii: "\\") { hasEscapes = true }
            next += 1
        }
        guard hasEscapes else { return Array(text[start..<next]) }
        var bytes: [UInt8] = []
        var index = start
        while index < next {
            guard text[index] == UInt8(ascii: "\\") else {
                bytes.append(text[index])
                index += 1
                continue
            }
            guard index + 3 < next else { return nil }
            var value = 0
            for place in 1...3 {
                let digit = Int(text[index + place]) - Int(UInt8(ascii: "0"))
                guard (0...7).contains(digit) else { return nil }
                value = value << 3 | digit
            }
            guard let byte = UInt8(exactly: value) else { return nil }
            bytes.append(byte)
            index += 4
        }
        return bytes
    }

    /// The bytes that the hexadecimal digits here spell; nil when there is half of one.
    private mutating func hexBytes() -> [UInt8]? {
        let start = next
        let end = end
        return unsafe text.withUnsafeBytes { text in
            while next < end, unsafe Self.isHexDigit(text[next]) { next += 1 }
            guard (next - start).isMultiple(of: 2) else { return nil }
            let size = (next - start) / 2
            return unsafe [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
                count = size
                for index in 0..<size {
                    let high = unsafe Self.value(text[start + 2 * index])
                    let low = unsafe Self.value(text[start + 2 * index + 1])
                    unsafe bytes[index] = high << 4 | low
                }
            }
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 6
    }

    /// What a digit is worth: letters are nine behind their low bits.
    private static func value(_ digit: UInt8) -> UInt8 { (digit & 15) + (digit >> 6) * 9 }
}
