/// Takes one line of a manifest apart, word by word in the order in which ``Manifest/append(_:to:)`` writes them.
struct LineParser {
    private let text: [UInt8]
    private var next: Int
    private let end: Int

    init(_ text: [UInt8], _ line: Range<Int>) {
        self.text = text
        next = line.lowerBound
        end = line.upperBound
    }

    /// The entry, nil when the line is not one of ours.
    mutating func entry() -> Entry? {
        guard let path = path(), take(" type=") else { return nil }
        let isFile = take("file")
        let isLink = !isFile && take("link")
        guard isFile || isLink || take("dir"), take(" mode=0"), let mode = number(radix: 8), mode <= 0o7777,
            take(" uid="), let owner = number(), owner <= UInt32.max, take(" gid="), let group = number(),
            group <= UInt32.max
        else { return nil }
        var ownerName = ""
        var groupName = ""
        if take(" uname=") {
            guard let name = word().flatMap({ String(validating: $0, as: UTF8.self) }) else { return nil }
            ownerName = name
        }
        if take(" gname=") {
            guard let name = word().flatMap({ String(validating: $0, as: UTF8.self) }) else { return nil }
            groupName = name
        }
        var size: UInt64 = 0
        if isFile {
            guard take(" size="), let count = number(), count <= Int64.max else { return nil }
            size = count
        }
        guard take(" time="), let time = time() else { return nil }
        var kind = isFile ? Entry.Kind.file : .directory
        if isLink {
            guard take(" link="), let target = word(), !target.isEmpty, !target.contains(0) else {
                return nil
            }
            kind = .link(target: target)
        }
        var digest: [UInt8] = []
        if isFile, take(" sha256digest=") {
            guard let bytes = hexBytes(), bytes.count == 32 else { return nil }
            digest = bytes
        }
        guard take(" tags="), let entryClass = entryClass() else { return nil }
        var entry = Entry(
            path: path, kind: kind, mode: UInt16(mode), owner: UInt32(owner), group: UInt32(group),
            ownerName: ownerName, groupName: groupName, modified: time, size: Int64(size), digest: digest,
            entryClass: entryClass)
        while next < end {
            guard takeTag(of: &entry) else { return nil }
        }
        guard !isFile || !entry.digest.isEmpty else { return nil }
        return entry
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
            for index in 0..<count where unsafe text[next + index] != word.utf8Start[index] { return false }
            return true
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
        while next < end, Self.value(text[next]) != nil { next += 1 }
        guard (next - start).isMultiple(of: 2) else { return nil }
        return unsafe [UInt8](unsafeUninitializedCapacity: (next - start) / 2) { bytes, count in
            var index = start
            while index < next {
                guard let high = Self.value(text[index]), let low = Self.value(text[index + 1]) else {
                    return
                }
                unsafe bytes[count] = high << 4 | low
                count += 1
                index += 2
            }
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
