internal import Archive
internal import FileTree
internal import SnapshotModel
package import SystemPackage

/// One file of a directory of plugins, as far as loading it depends on it.
package struct PluginFile: Hashable, Sendable {
    /// The file's name: `git.jpi`.
    package var name: String
    /// Its manifest, nil when there is none to read.
    package var manifest: PluginManifest?
    /// Why Jenkins cannot make a plugin of the file, nil when it can.
    package var fault: String?
    /// Whether an empty file `NAME.disabled` stands beside it.
    package var isDisabled: Bool

    /// A file with a manifest; a manifest that Java refuses is a fault.
    package init(_ name: String, _ manifest: PluginManifest, isDisabled: Bool = false) {
        self.name = name
        self.manifest = manifest
        self.isDisabled = isDisabled
        fault = manifest.fault.map { "its manifest cannot be read: \($0)" }
    }

    /// A file that is no plugin, and why.
    package init(_ name: String, fault: String, isDisabled: Bool = false) {
        self.name = name
        self.fault = fault
        self.isDisabled = isDisabled
    }

    /// What the plugin is called: by its manifest, else by the file's name up to the last dot.
    package var id: String { manifest?.shortName ?? Self.baseName(name) }

    /// The version, `???` when nothing says one.
    package var version: String { manifest?.version ?? "???" }

    static func baseName(_ name: String) -> String {
        name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    }

    /// The name without `.jpi` and `.hpi`, as the core takes it.
    var plainName: String {
        var name = name
        for ending in [".jpi", ".hpi"] {
            while let range = name.firstRange(of: ending) { name.removeSubrange(range) }
        }
        return name
    }

    /// Endings of the files that Jenkins looks at, in the order in which one wins over another.
    static let endings = [".jpl", ".hpl", ".jpi", ".hpi"]

    /// The plugin files of a directory, in no order that counts; none when it is not there.
    ///
    /// A file that is no archive is there with its fault; throws when the directory itself cannot be read.
    package static func files(in directory: FilePath) throws -> [PluginFile] {
        guard try Files.isDirectory(directory) else { return [] }
        let names = try Files.names(directory)
        let all = Set(names)
        var files: [PluginFile] = []
        for name in names where endings.contains(where: { name.suffix(4).elementsEqual($0.utf8) }) {
            let path = FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name)
            var file = try read(path, called: printable(name))
            file.isDisabled = all.contains(name + ".disabled".utf8)
            files.append(file)
        }
        return files
    }

    /// One archive by its path, under the name that it has there.
    package static func read(_ path: FilePath) throws -> PluginFile {
        try read(path, called: printable((path.lastComponent?.string ?? "").utf8))
    }

    private static func read(_ path: FilePath, called name: String) throws -> PluginFile {
        // A linked plugin is a manifest in clear, or a path to one; only the first is anything on another host.
        if name.hasSuffix("pl") {
            guard let bytes = try Files.readIfPresent(path, limit: 1 << 20),
                bytes.starts(with: "Manifest-Version:".utf8)
            else {
                return PluginFile(name, fault: "it points to a plugin under development elsewhere")
            }
            return PluginFile(name, PluginManifest(bytes))
        }
        if try Files.isDirectory(path) {
            guard let bytes = try Files.readIfPresent(path.appending(PluginManifest.path), limit: 1 << 20)
            else {
                return PluginFile(name, fault: "it has no \(PluginManifest.path)")
            }
            return PluginFile(name, PluginManifest(bytes))
        }
        do throws(ArchiveError) {
            guard let bytes = try ZipArchive.contents(of: PluginManifest.path, in: path) else {
                return PluginFile(name, fault: "it has no \(PluginManifest.path)")
            }
            return PluginFile(name, PluginManifest(bytes))
        } catch {
            return PluginFile(name, fault: error.reason)
        }
    }
}
