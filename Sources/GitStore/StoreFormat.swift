internal import FileTree
internal import SystemPackage

/// The format that a store's own git configuration gives it.
enum StoreFormat {
    /// Where it stands in the configuration.
    static let key = "understudy.format"

    /// What a repository may have otherwise than a store, with what a store has: git-config(1).
    static let extensions = [("extensions.refstorage", "files"), ("extensions.objectformat", "sha1")]

    /// The format of a repository whose configuration says it plainly, as we write it; nil when git must be asked: where the
    /// configuration includes others, names extensions or says it in another way, or where something of a repository is
    /// missing.
    static func plain(_ path: FilePath) throws -> String? {
        for name in ["HEAD", "objects", "refs"] {
            guard try Files.exists(path.appending(name)) else { return nil }
        }
        guard let bytes = try Files.readIfPresent(path.appending("config"), limit: 1 << 20) else {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.lowercased()
        return words.contains("include") || words.contains("extensions") ? nil : value(in: text)
    }

    /// The last value of the key, nil when a line of its section is not one of ours.
    static func value(in text: String) -> String? {
        var isOurs = false
        var value: String?
        for line in text.split(separator: "\n").map({ $0.drop { $0 == " " || $0 == "\t" } }) {
            if line.hasPrefix("[") {
                isOurs = line == "[understudy]"
            } else if isOurs {
                guard line.hasPrefix("format = ") else { return nil }
                value = String(line.dropFirst("format = ".count))
            }
        }
        return value.flatMap { value in value.allSatisfy(\.isNumber) && !value.isEmpty ? value : nil }
    }
}
