internal import Archive
package import SystemPackage

/// A core, as far as it decides which plugins load: read out of a war that nobody runs.
package struct JenkinsCore: Hashable, Sendable {
    /// The version.
    package var version: String
    /// What was split off from it.
    package var detached: DetachedPlugins
    /// Plugins that it installs at every start (`WEB-INF/plugins`); ordinary wars have none.
    package var bundled: [PluginFile]
    /// Plugins that it installs when they are needed (`WEB-INF/detached-plugins`).
    package var spare: [PluginFile]

    /// Why a file is no war of Jenkins.
    package struct NotJenkins: Error, Hashable, Sendable, CustomStringConvertible {
        /// The file.
        package var path: FilePath
        /// What is missing.
        package var reason: String

        /// One line.
        package var description: String { "\(path): \(reason)" }
    }

    /// A core of known parts.
    package init(
        _ version: String, detached: DetachedPlugins = DetachedPlugins(), bundled: [PluginFile] = [],
        spare: [PluginFile] = []
    ) {
        self.version = version
        self.detached = detached
        self.bundled = bundled
        self.spare = spare
    }

    /// How large an archive inside a war may be.
    private static let innerLimit = 256 << 20

    /// Reads a war; throws an `ArchiveError` or a ``NotJenkins``.
    package init(war: FilePath) throws {
        var version: String?
        var tables: (String, String)?
        var plugins: [String: [PluginFile]] = [:]
        var reader = try ZipReader.open(war)
        while let name = try reader.next() {
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            if name == PluginManifest.path {
                version = PluginManifest(try reader.contents(limit: 1 << 20)).coreVersion
            } else if parts.count == 3, parts[..<2] == ["WEB-INF", "lib"],
                parts[2].hasPrefix("jenkins-core-"),
                parts[2].hasSuffix(".jar")
            {
                let jar = try reader.contents(limit: Self.innerLimit)
                tables = try Self.tables(jar, called: war.appending(name))
            } else if parts.count == 3, parts[0] == "WEB-INF", let file = parts.last,
                file.hasSuffix(".hpi") || file.hasSuffix(".jpi")
            {
                let archive = try reader.contents(limit: Self.innerLimit)
                plugins[String(parts[1]), default: []].append(
                    Self.plugin(archive, String(file), called: war.appending(name)))
            }
        }
        guard let version else {
            throw NotJenkins(path: war, reason: "its manifest names no Jenkins-Version")
        }
        guard let tables else {
            throw NotJenkins(
                path: war, reason: "it has no jenkins/split-plugins.txt in a WEB-INF/lib/jenkins-core-*.jar")
        }
        self.init(
            version, detached: try DetachedPlugins(table: tables.0, exceptions: tables.1),
            bundled: plugins["plugins"] ?? [], spare: plugins["detached-plugins"] ?? [])
    }

    /// The two tables in the core's jar; cores before 2.163 have no second one.
    private static func tables(_ jar: [UInt8], called name: FilePath) throws -> (String, String)? {
        var found: [String: String] = [:]
        var reader = try ZipReader.open(jar, called: name)
        while let name = try reader.next() {
            guard name == "jenkins/split-plugins.txt" || name == "jenkins/split-plugin-cycles.txt" else {
                continue
            }
            found[name] = String(decoding: try reader.contents(limit: 1 << 20), as: UTF8.self)
        }
        guard let table = found["jenkins/split-plugins.txt"] else { return nil }
        return (table, found["jenkins/split-plugin-cycles.txt"] ?? "")
    }

    private static func plugin(_ archive: [UInt8], _ file: String, called name: FilePath) -> PluginFile {
        do throws(ArchiveError) {
            let bytes = try ZipArchive.contents(of: PluginManifest.path, in: archive, called: name)
            guard let bytes else { return PluginFile(file, fault: "it has no \(PluginManifest.path)") }
            return PluginFile(file, PluginManifest(bytes))
        } catch {
            return PluginFile(file, fault: error.reason)
        }
    }
}
