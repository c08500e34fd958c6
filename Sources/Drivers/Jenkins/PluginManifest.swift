/// The main section of a plugin archive's `META-INF/MANIFEST.MF`.
struct PluginManifest {
    private var values: [String: String] = [:]

    /// Where it is in the archive.
    static let path = "META-INF/MANIFEST.MF"

    /// Reads the main section: `Name: value`, a line that begins with a space goes on with the one before.
    init(_ bytes: [UInt8]) {
        var key: String?
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for var line in lines {
            if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
            if line.isEmpty {
                if values.isEmpty { continue }
                break
            }
            if line.first == UInt8(ascii: " ") {
                if let key { values[key]? += String(decoding: line.dropFirst(), as: UTF8.self) }
                continue
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            var value = line[(colon + 1)...]
            if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
            values[name] = String(decoding: value, as: UTF8.self)
            key = name
        }
    }

    /// `Short-Name`, else `Extension-Name`; nil when there is neither, and the file's name counts.
    var shortName: String? { values["short-name"] ?? values["extension-name"] }

    /// `Plugin-Version`, else `Implementation-Version`, else what Jenkins shows: `???`.
    var version: String { values["plugin-version"] ?? values["implementation-version"] ?? "???" }

    /// The version of the core, in a war.
    var coreVersion: String? {
        values["jenkins-version"] ?? values["hudson-version"] ?? values["implementation-version"]
    }
}
