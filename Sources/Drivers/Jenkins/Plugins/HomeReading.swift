internal import FileTree
internal import SnapshotModel
package import SystemPackage
internal import XML

/// What the configurations of a home say of plugins: all that a prediction needs of them.
///
/// Read before a copy is neutralised, since its realm, rights and triggers are not production's afterwards.
package struct HomeReading: Codable, Hashable, Sendable {
    /// A class of a plugin that wrote a part of a file.
    struct Mention: Codable, Hashable, Sendable {
        var plugin: String
        var version: String
        var element: String
    }

    /// One configuration.
    struct File: Codable, Hashable, Sendable {
        /// The bytes of its path below the home.
        var path: [UInt8]
        var mentions: [Mention]
        /// Why it cannot be read as XML, nil when it can.
        var fault: String?
    }

    /// A part of the root configuration without which Jenkins does not start.
    struct Login: Codable, Hashable, Sendable {
        /// `securityRealm` or `authorizationStrategy`.
        var element: String
        /// Its class.
        var kind: String
        var plugin: String
    }

    private(set) var files: [File] = []
    private(set) var logins: [Login] = []

    /// Reads every configuration of a home; builds are not looked at, for Jenkins does not report them either.
    package init(home: FilePath) throws {
        var files: [File] = []
        try HomeFiles(home: home).walk { found in
            guard found.isConfiguration else {
                return !found.isBuilds && found.entryClass != .derived && found.entryClass != .bulk
            }
            var file = File(path: found.path.bytes, mentions: [], fault: nil)
            do {
                let reader = Mentions()
                try XMLReader.read(try Files.read(found.place, limit: 64 << 20), handler: reader)
                file.mentions = reader.mentions
            } catch let error as XMLError {
                file.fault = error.description
            }
            if file.fault != nil || !file.mentions.isEmpty { files.append(file) }
            return false
        }
        self.files = files
        guard let bytes = try Files.readIfPresent(home.appending("config.xml"), limit: 64 << 20),
            // One that is no XML is among the files with a fault.
            let root = NormalXML.read(bytes).element
        else { return }
        logins = ["authorizationStrategy", "securityRealm"].compactMap { name in
            guard let element = root.child(name),
                let plugin = element.attribute("plugin")?.split(separator: "@").first
            else { return nil }
            return Login(element: name, kind: element.attribute("class") ?? name, plugin: String(plugin))
        }
    }
}

/// The plugins that a document names.
private final class Mentions: XMLHandler {
    private(set) var mentions: [HomeReading.Mention] = []

    func start(_ name: String, _ attributes: [XMLAttribute]) {
        guard let value = attributes.first(where: { $0.name == "plugin" })?.value else { return }
        // One @ between two texts; anything else is somebody else's attribute.
        let parts = value.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return }
        let written = attributes.first { $0.name == "class" }?.value ?? name
        mentions.append(
            .init(plugin: String(parts[0]), version: String(parts[1]), element: Self.className(written)))
    }

    func end(_ name: String) {}
    func text(_ text: String) {}

    /// The class that XStream writes with `_-` for `$` and `__` for `_`.
    private static func className(_ text: String) -> String {
        text.split(separator: "__", omittingEmptySubsequences: false)
            .map { $0.replacing("_-", with: "$") }.joined(separator: "_")
    }
}
