internal import Cryptography
internal import FoundationEssentials

extension PluginCatalog {
    /// Why a file is no catalog.
    package struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong with it.
        package var description: String
    }

    /// An `update-center.json`, with or without its wrapper of JavaScript.
    package init(updateCenter bytes: [UInt8]) throws(Unreadable) {
        self.init()
        let file: UpdateCenterFile = try Self.decoded(bytes)
        guard file.updateCenterVersion == 1 else {
            throw Unreadable(
                description: "updateCenterVersion is \(file.updateCenterVersion), and only 1 is known")
        }
        for (id, plugin) in file.plugins {
            guard let version = plugin.version else { continue }
            add(try plugin.release(id, version))
            latest[id] = version
        }
        for warning in file.warnings ?? [] {
            // Other types are not about what runs on this controller.
            guard warning.type == "core" || warning.type == "plugin" else { continue }
            warnings.append(
                SecurityWarning(
                    id: warning.id, plugin: warning.type == "plugin" ? warning.name : nil,
                    message: warning.message, address: warning.url ?? "",
                    patterns: (warning.versions ?? []).map { VersionPattern($0.pattern) }))
        }
        deprecations = (file.deprecations ?? [:]).mapValues { $0.url ?? "" }
    }

    /// A `plugin-versions.json`: every version that was ever published.
    package init(pluginVersions bytes: [UInt8]) throws(Unreadable) {
        self.init()
        let file: PluginVersionsFile = try Self.decoded(bytes)
        for (id, versions) in file.plugins {
            for (version, plugin) in versions { add(try plugin.release(id, version)) }
        }
    }

    /// A file without its wrapper of JavaScript, where it has one.
    static func unwrapped(_ bytes: [UInt8]) throws(Unreadable) -> ArraySlice<UInt8> {
        guard let start = bytes.firstIndex(where: { $0 > 0x20 }), bytes[start] != UInt8(ascii: "{") else {
            return bytes[...]
        }
        let call = Array("updateCenter.post(".utf8)
        guard bytes[start...].starts(with: call), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else {
            throw Unreadable(description: "it begins neither with { nor with updateCenter.post(")
        }
        return bytes[(start + call.count)..<max(end, start + call.count)]
    }

    private static func decoded<Value: Decodable>(_ bytes: [UInt8]) throws(Unreadable) -> Value {
        let text = try unwrapped(bytes)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text))
        } catch {
            throw Unreadable(description: "it is not what an update centre writes: \(error)")
        }
    }
}

private struct UpdateCenterFile: Decodable {
    struct Warning: Decodable {
        struct Range: Decodable {
            var pattern: String
        }

        var id: String
        var type: String
        var name: String
        var message: String
        var url: String?
        var versions: [Range]?
    }

    struct Deprecation: Decodable {
        var url: String?
    }

    var updateCenterVersion: Int
    var plugins: [String: PublishedPlugin]
    var warnings: [Warning]?
    var deprecations: [String: Deprecation]?
}

private struct PluginVersionsFile: Decodable {
    var plugins: [String: [String: PublishedPlugin]]
}

private struct PublishedPlugin: Decodable {
    struct Dependency: Decodable {
        var name: String
        var version: String
        var optional: Bool?
    }

    var version: String?
    var url: String?
    var requiredCore: String?
    var compatibleSinceVersion: String?
    var minimumJavaVersion: String?
    var dependencies: [Dependency]?
    var sha256: String?

    func release(_ id: String, _ version: String) throws(PluginCatalog.Unreadable) -> PluginRelease {
        var values = ["Short-Name": id, "Plugin-Version": version]
        values["Jenkins-Version"] = requiredCore
        values["Compatible-Since-Version"] = compatibleSinceVersion
        values["Minimum-Java-Version"] = minimumJavaVersion
        let needs = (dependencies ?? []).map {
            "\($0.name):\($0.version)\($0.optional == true ? ";resolution:=optional" : "")"
        }
        if !needs.isEmpty { values["Plugin-Dependencies"] = needs.joined(separator: ",") }
        var digest: String?
        if let sha256 {
            guard let bytes = Data(base64Encoded: sha256), bytes.count == 32 else {
                throw PluginCatalog.Unreadable(
                    description: "the sha256 of \(id) \(version) is no digest in base 64")
            }
            digest = hex(bytes)
        }
        return PluginRelease(
            PluginManifest(values: values), id: id, origin: url ?? "\(id) \(version) of the update centre",
            expectedDigest: digest)
    }
}
