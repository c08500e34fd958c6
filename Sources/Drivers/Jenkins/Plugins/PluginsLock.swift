internal import FileTree
internal import Archive
internal import Cryptography
internal import SnapshotModel
internal import SystemPackage

/// `plugins.lock`: a line for each plugin and one for the core, sorted: name, version, SHA-256, origin, flags.
struct PluginsLock {
    static let name = "plugins.lock"
    /// What the core is called in the lock.
    static let core = "jenkins-core"

    struct Row: Hashable {
        var name: String
        var version: String
        var digest: String
        var origin: String
        /// `disabled`, `not-loaded` (a twin that Jenkins passes over), `unreadable`, `link`.
        var flags: [String]
    }

    private(set) var rows: [Row] = []

    /// The rows of a lock; lines that no version writes are passed over, since it is only asked for what it knows.
    init(_ contents: [UInt8]) {
        for line in String(decoding: contents, as: UTF8.self).split(separator: "\n")
        where !line.hasPrefix("#") {
            let words = line.split(separator: " ").map { Self.unescaped(String($0)) }
            guard words.count >= 4 else { continue }
            rows.append(
                Row(
                    name: words[0], version: words[1], digest: words[2], origin: words[3],
                    flags: Array(words[4...])))
        }
    }

    /// The lock of captured plugin files; archives that `known` has by digest and origin are not opened.
    init(plugins: [Entry], home: FilePath, known: PluginsLock) throws {
        let before = Dictionary(known.rows.map { ($0.origin, $0) }) { first, _ in first }
        let disabled = Set(
            plugins.filter { $0.path.bytes.suffix(9).elementsEqual(".disabled".utf8) }.map {
                EntryPath(Array($0.path.bytes.dropLast(9)))
            })
        for entry in plugins {
            let suffix = entry.path.bytes.suffix(4)
            guard suffix.elementsEqual(".jpi".utf8) || suffix.elementsEqual(".hpi".utf8) else { continue }
            let origin = printable(entry.path.bytes)
            var row: Row
            if case .link(let target) = entry.kind {
                row = Row(
                    name: baseName(entry), version: "???", digest: "-", origin: origin,
                    flags: ["link:\(printable(target))"])
            } else if let old = before[origin], old.digest == hex(entry.digest) {
                row = old
                row.flags = old.flags.filter { $0 == "unreadable" }
            } else {
                row = try read(
                    entry, at: FilePath(bytes: home.byteArray + [UInt8(ascii: "/")] + entry.path.bytes),
                    origin)
            }
            if disabled.contains(entry.path) { row.flags.append("disabled") }
            rows.append(row)
        }
        markTwins()
    }

    private func read(_ entry: Entry, at path: FilePath, _ origin: String) throws -> Row {
        // Jenkins passes over an archive that it cannot open; the lock says so, and the file is captured as it is.
        let file = try PluginFile.read(path)
        return Row(
            name: file.id, version: file.version, digest: hex(entry.digest), origin: origin,
            flags: file.fault == nil ? [] : ["unreadable"])
    }

    /// Adds the core, which `known` has already where it did not change.
    ///
    /// Its origin is the root and not the path: a restored war that is verified, or that goes elsewhere, is the same one.
    mutating func addCore(_ entry: Entry, _ war: FilePath, known: PluginsLock) {
        let old = known.rows.first { $0.name == Self.core && $0.digest == hex(entry.digest) }
        if let old, old.flags.isEmpty { return rows.append(old) }
        var row = Row(
            name: Self.core, version: "???", digest: hex(entry.digest), origin: "war", flags: [])
        do {
            let manifest = try ZipArchive.contents(of: PluginManifest.path, in: war)
            if let version = manifest.flatMap({ PluginManifest($0).coreVersion }) { row.version = version }
        } catch {
            // As with a plugin: it is captured as it is, and the lock says so.
            row.flags = ["unreadable"]
        }
        rows.append(row)
    }

    /// `.jpi` wins over `.hpi`, then the first by name; the others are there and not loaded.
    private mutating func markTwins() {
        rows.sort {
            ($0.name, $0.origin.hasSuffix(".jpi") ? 0 : 1, $0.origin) < (
                $1.name, $1.origin.hasSuffix(".jpi") ? 0 : 1, $1.origin
            )
        }
        for index in rows.indices.dropFirst() where rows[index].name == rows[index - 1].name {
            rows[index].flags.append("not-loaded")
        }
    }

    /// The bytes.
    var contents: [UInt8] {
        let lines = rows.sorted { ($0.name, $0.origin) < ($1.name, $1.origin) }.map { row in
            ([row.name, row.version, row.digest, row.origin] + row.flags).map(Self.escaped).joined(
                separator: " ")
        }
        return Array(lines.map { $0 + "\n" }.joined().utf8)
    }

    private func baseName(_ entry: Entry) -> String {
        printable(entry.path.name.dropLast(4))
    }

    /// A word without what separates words and lines.
    private static func escaped(_ word: String) -> String {
        guard !word.isEmpty else { return "%" }
        return word.unicodeScalars.map { scalar in
            scalar == "%" || scalar.value <= 0x20 || scalar.value == 0x7f
                ? "%" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16) : String(scalar)
        }
        .joined()
    }

    private static func unescaped(_ word: String) -> String {
        guard word != "%" else { return "" }
        var text = ""
        var rest = word[...]
        while let first = rest.first {
            if first == "%", let code = UInt8(rest.dropFirst().prefix(2), radix: 16) {
                text.unicodeScalars.append(Unicode.Scalar(code))
                rest = rest.dropFirst(3)
            } else {
                text.append(first)
                rest = rest.dropFirst()
            }
        }
        return text
    }
}
