/// How a name is spelled in a git tree.
///
/// Git refuses some names, among them every disguise of `.git` that some file system would take for it; and `.chunks` and
/// `.age` at the end of a name are ours. Such names are percent-escaped in the tree and true in the manifest. The spelling is
/// one-to-one, so that two entries of a directory never meet under one name.
package enum StoredName {
    /// What the directory of a large file's chunks is called: the file's stored name and this.
    package static let chunksSuffix = Array(".chunks".utf8)

    /// What a sealed file is called: the file's stored name and this; a large one's chunks follow.
    package static let sealedSuffix = Array(".age".utf8)

    /// The name of a file or directory in a tree, without what is ours at its end.
    ///
    /// In a component where nothing is sealed (`hasSealed`), `.age` is the file's own.
    package static func withoutSuffixes(_ stored: [UInt8], isTree: Bool, hasSealed: Bool)
        -> (name: [UInt8], isSealed: Bool, isChunked: Bool)
    {
        let isChunked = isTree && stored.count > chunksSuffix.count && stored.hasSuffix(chunksSuffix)
        let name = isChunked ? Array(stored.dropLast(chunksSuffix.count)) : stored
        guard hasSealed, isChunked || !isTree, name.count > sealedSuffix.count, name.hasSuffix(sealedSuffix)
        else {
            return (name, false, isChunked)
        }
        return (Array(name.dropLast(sealedSuffix.count)), true, isChunked)
    }

    /// The spelling of a name in a tree.
    package static func escaped(_ name: [UInt8]) -> [UInt8] {
        var escapes: [Int] = []
        for index in name.indices where mustEscape(index, in: name) {
            escapes.append(index)
        }
        guard !escapes.isEmpty else { return name }
        var stored: [UInt8] = []
        for index in name.indices {
            if escapes.contains(index) {
                stored.append(contentsOf: percentEscape(name[index]))
            } else {
                stored.append(name[index])
            }
        }
        return stored
    }

    /// The name that a spelling in a tree stands for.
    package static func decoded(_ stored: [UInt8]) -> [UInt8] {
        guard stored.contains(UInt8(ascii: "%")) else { return stored }
        var name: [UInt8] = []
        var index = 0
        while index < stored.count {
            let isEscape =
                stored[index] == UInt8(ascii: "%") && index + 2 < stored.count
                && isHexDigit(stored[index + 1])
                && isHexDigit(stored[index + 2])
            if isEscape,
                let byte = UInt8(
                    String(decoding: stored[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                name.append(byte)
                index += 3
            } else {
                name.append(stored[index])
                index += 1
            }
        }
        return name
    }

    private static func mustEscape(_ index: Int, in name: [UInt8]) -> Bool {
        switch name[index] {
        case UInt8(ascii: "%"):
            // Only what would read as one of our own escapes.
            return index + 2 < name.count && isHexDigit(name[index + 1]) && isHexDigit(name[index + 2])
        case UInt8(ascii: "."):
            return (index == name.count - chunksSuffix.count && name.hasSuffix(chunksSuffix))
                || (index == name.count - sealedSuffix.count && name.hasSuffix(sealedSuffix))
                || (index == 0 && looksLikeGit(name[...]))
        case UInt8(ascii: "\\"):
            return looksLikeGit(name[(index + 1)...])
        default:
            return index == 0 && looksLikeGit(name[...])
        }
    }

    /// Whether a name is one that git guards: `.git` and its relatives, in any case, with ignorable characters of
    /// HFS+ between the letters, or as a short name of NTFS (`git~1`, `gi7eba~1`).
    private static func looksLikeGit(_ name: ArraySlice<UInt8>) -> Bool {
        let plain = name.lazy.filter { $0 < 0x80 }.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
        return plain.starts(with: ".git".utf8)
            || (plain.starts(with: "gi".utf8) && plain.contains(UInt8(ascii: "~")))
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    private static func percentEscape(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ suffix: [UInt8]) -> Bool {
        count >= suffix.count && self[(count - suffix.count)...].elementsEqual(suffix)
    }
}
