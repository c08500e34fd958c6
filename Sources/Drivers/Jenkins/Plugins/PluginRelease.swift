/// One version of a plugin that can be had.
package struct PluginRelease: Hashable, Sendable {
    /// Its manifest; put together from what an update centre says when the archive itself is not at hand.
    package var manifest: PluginManifest
    /// What the plugin is called.
    package var id: String
    /// Where it is: a path or an address.
    package var origin: String
    /// SHA-256 of the archive in hexadecimal digits, as it was computed; nil when nobody has read the archive yet.
    package var digest: String?
    /// SHA-256 that the archive has to have, as whoever published it says; nil when nobody says.
    package var expectedDigest: String?

    /// A release of a known manifest.
    package init(
        _ manifest: PluginManifest, id: String, origin: String, digest: String? = nil,
        expectedDigest: String? = nil
    ) {
        self.manifest = manifest
        self.id = id
        self.origin = origin
        self.digest = digest
        self.expectedDigest = expectedDigest
    }

    /// The version.
    package var version: String { manifest.version }

    /// Whether the archive is known to be another one than was published.
    package var isForged: Bool {
        guard let digest, let expectedDigest else { return false }
        return digest != expectedDigest
    }

    /// Whether a core is new enough for it.
    func runs(on core: String) -> Bool {
        guard let required = manifest.requiredCore else { return true }
        return !VersionNumber(core).isOlder(than: VersionNumber(required))
    }

    /// Whether it is at least of a version.
    func satisfies(_ version: String) -> Bool {
        !VersionNumber(self.version).isOlder(than: VersionNumber(version))
    }
}

/// What is known to be wrong with some versions of a plugin or of the core.
package struct SecurityWarning: Hashable, Sendable {
    /// The number of the advisory: `SECURITY-3744`.
    package var id: String
    /// The plugin, nil for the core.
    package var plugin: String?
    /// One sentence.
    package var message: String
    /// Where more is said.
    package var address: String
    /// The versions it is about: any of these; with none, all.
    package var patterns: [VersionPattern]

    /// A warning.
    package init(
        id: String, plugin: String?, message: String, address: String, patterns: [VersionPattern]
    ) {
        self.id = id
        self.plugin = plugin
        self.message = message
        self.address = address
        self.patterns = patterns
    }

    /// Whether it is about a version.
    package func applies(to version: String) -> Bool {
        patterns.isEmpty || patterns.contains { $0.matches(version) }
    }
}
