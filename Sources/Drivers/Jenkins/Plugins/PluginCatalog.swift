internal import Cryptography
internal import FileTree
package import SystemPackage

/// The plugins that can be had, by what update centres, directories of archives and the store know of them.
package struct PluginCatalog: Hashable, Sendable {
    /// The releases of each plugin, in no order that counts, one for each version.
    package private(set) var releases: [String: [PluginRelease]] = [:]
    /// The version of each plugin that an update centre offers.
    package var latest: [String: String] = [:]
    /// What is known to be wrong with some versions.
    package var warnings: [SecurityWarning] = []
    /// Plugins that nobody should use any more, and where that is explained.
    package var deprecations: [String: String] = [:]

    /// Nothing.
    package init() {}

    /// The archives of a directory; what is in it and no plugin is passed over.
    package init(directory: FilePath) throws {
        for name in try Files.names(directory)
        where name.suffix(4).elementsEqual(".jpi".utf8) || name.suffix(4).elementsEqual(".hpi".utf8) {
            try add(archive: FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name))
        }
    }

    /// Adds an archive, with its digest; one that is no plugin is passed over.
    package mutating func add(archive path: FilePath) throws {
        let file = try PluginFile.read(path)
        guard file.fault == nil, let manifest = file.manifest else { return }
        let digest = hex(SHA256.digest(try Files.read(path)))
        add(PluginRelease(manifest, id: file.id, origin: path.string, digest: digest))
    }

    /// Adds a release; of two of one version the one whose archive is at hand stays, with what the other says of its digest.
    package mutating func add(_ release: PluginRelease) {
        guard let place = releases[release.id]?.firstIndex(where: { $0.version == release.version }),
            let known = releases[release.id]?[place]
        else {
            releases[release.id, default: []].append(release)
            return
        }
        var kept = known.digest == nil && release.digest != nil ? release : known
        kept.expectedDigest = known.expectedDigest ?? release.expectedDigest
        releases[release.id]?[place] = kept
    }

    /// Adds everything that another catalog knows.
    package mutating func add(_ other: PluginCatalog) {
        for release in other.releases.values.joined() { add(release) }
        latest.merge(other.latest) { first, _ in first }
        warnings += other.warnings.filter { !warnings.contains($0) }
        deprecations.merge(other.deprecations) { first, _ in first }
    }

    /// The release of exactly this version, or one that Jenkins holds for equal.
    package func release(_ id: String, _ version: String) -> PluginRelease? {
        let all = releases[id] ?? []
        return all.first { $0.version == version }
            ?? all.first { VersionNumber($0.version).compared(to: VersionNumber(version)) == 0 }
    }

    /// What an update centre offers; where none has the plugin, the release that no other is newer than.
    ///
    /// Versions have no total order, so that each is compared with each, and ties go by text.
    package func newest(_ id: String) -> PluginRelease? {
        if let version = latest[id] { return release(id, version) }
        let all = (releases[id] ?? []).sorted { $0.version < $1.version }
        return all.first { candidate in
            let version = VersionNumber(candidate.version)
            return all.allSatisfy { version.compared(to: VersionNumber($0.version)) >= 0 }
        }
    }

    /// The warnings about a version of a plugin, or of the core.
    package func warnings(about plugin: String?, _ version: String) -> [SecurityWarning] {
        warnings.filter { $0.plugin == plugin && $0.applies(to: version) }
    }
}
