/// A path below the root of a component, as the bytes that the file system holds.
///
/// Names on Linux are bytes, not text: a path that is not UTF-8, or that holds a newline, is as good as any other.
package struct EntryPath: Hashable, Comparable, Sendable {
    /// The bytes, components separated by `/`, without a leading or trailing one; empty for the root itself.
    package var bytes: [UInt8]

    /// The root itself.
    package static let root = EntryPath([])

    /// A path of these bytes, which must already be relative and without empty components.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A path of this text's UTF-8.
    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Whether this is the root itself.
    package var isRoot: Bool { bytes.isEmpty }

    /// The names on the way to the entry, in order.
    package var components: [ArraySlice<UInt8>] { bytes.split(separator: slash) }

    /// The last name, empty for the root.
    package var name: ArraySlice<UInt8> {
        guard let index = bytes.lastIndex(of: slash) else { return bytes[...] }
        return bytes[(index + 1)...]
    }

    /// The directory that holds the entry; the root's parent is the root.
    package var parent: EntryPath {
        guard let index = bytes.lastIndex(of: slash) else { return .root }
        return EntryPath(Array(bytes[..<index]))
    }

    /// The path of an entry called `name` in the directory at this path.
    package func appending(_ name: some Collection<UInt8>) -> EntryPath {
        guard !isRoot else { return EntryPath(Array(name)) }
        var joined: [UInt8] = []
        joined.reserveCapacity(bytes.count + 1 + name.count)
        joined.append(contentsOf: bytes)
        joined.append(slash)
        joined.append(contentsOf: name)
        return EntryPath(joined)
    }

    /// The path of an entry called `name` in the directory at this path.
    package func appending(_ name: String) -> EntryPath {
        appending(name.utf8)
    }

    /// Whether the entry lies below `other`, or is it.
    package func isAtOrBelow(_ other: EntryPath) -> Bool {
        guard !other.isRoot else { return true }
        guard bytes.starts(with: other.bytes) else { return false }
        return bytes.count == other.bytes.count || bytes[other.bytes.count] == slash
    }

    /// Whether the entry is one of those in the directory at `other`.
    package func isDirectly(in other: EntryPath) -> Bool {
        guard !isRoot else { return false }
        let start = other.isRoot ? 0 : other.bytes.count + 1
        return isAtOrBelow(other) && bytes.count > start && !bytes[start...].contains(slash)
    }

    /// Whether a walk, which takes names in the order of their bytes and goes down at once, comes by here first: bytes
    /// decide, and the slash comes before all others.
    package func isBeforeInWalk(_ other: EntryPath) -> Bool {
        for (left, right) in zip(bytes, other.bytes) where left != right {
            return left == slash || (right != slash && left < right)
        }
        return bytes.count < other.bytes.count
    }

    /// Hashes all bytes at once; an array's own hashing takes one after the other.
    package func hash(into hasher: inout Hasher) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Orders by bytes.
    package static func < (left: EntryPath, right: EntryPath) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

private let slash = UInt8(ascii: "/")

extension EntryPath: CustomStringConvertible {
    /// The path for people: safe on a terminal, whatever the bytes are.
    package var description: String { isRoot ? "." : printable(bytes) }
}

/// Text that shows `bytes` and can do nothing to a terminal: what is not printable UTF-8 becomes `\xNN`.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    guard let text = String(validating: bytes, as: UTF8.self) else {
        return bytes.map { $0 >= 0x20 && $0 < 0x7f ? String(UnicodeScalar($0)) : hexEscape($0) }.joined()
    }
    var shown = ""
    for scalar in text.unicodeScalars {
        if isHarmless(scalar) {
            shown.unicodeScalars.append(scalar)
        } else {
            shown += String(scalar).utf8.map(hexEscape).joined()
        }
    }
    return shown
}

/// Text as people may see it on a terminal, whoever wrote it: its line breaks and tabs stay, and all else is ``printable(_:)``.
package func printable(text: String) -> String {
    func parts(_ text: Substring.UnicodeScalarView, _ end: Unicode.Scalar) -> [Substring.UnicodeScalarView] {
        text.split(separator: end, omittingEmptySubsequences: false)
    }
    return parts(text[...].unicodeScalars, "\n").map { line in
        parts(line, "\t").map { printable(String($0).utf8) }.joined(separator: "\t")
    }
    .joined(separator: "\n")
}

/// Whether a terminal shows the scalar and does nothing else: no controls, no direction overrides.
private func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
    default: true
    }
}

private func hexEscape(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return "\\x" + (digits.count == 1 ? "0" + digits : digits)
}
