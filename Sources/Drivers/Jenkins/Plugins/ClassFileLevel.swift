package import Archive
package import SystemPackage

/// The Java that the classes of a plugin were compiled for.
///
/// Jenkins does not look at `Minimum-Java-Version` (since 2022), so that a plugin for a newer Java loads and fails at its
/// first class.
package struct ClassFileLevel: Hashable, Sendable {
    /// The highest major version of a class file, nil when the plugin has no classes.
    package var major: Int?
    /// Where that class is: `WEB-INF/lib/git.jar!/hudson/plugins/git/GitSCM.class`.
    package var place: String
    /// Jars that could not be read, and why: their classes are not in it.
    package var unreadable: [String]

    /// The Java version that runs it: 8 for classes of version 52.
    package var java: Int? { major.map { $0 - 44 } }

    /// How large a jar inside an archive may be.
    private static let innerLimit = 256 << 20

    /// Looks into all classes of a plugin archive; throws an `ArchiveError` when it cannot be read.
    package init(archive: FilePath) throws(ArchiveError) {
        major = nil
        place = ""
        unreadable = []
        var reader = try ZipReader.open(archive)
        while let name = try reader.next() {
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            if parts.count == 3, parts[..<2] == ["WEB-INF", "lib"], name.hasSuffix(".jar") {
                let jar = try reader.contents(limit: Self.innerLimit)
                do throws(ArchiveError) {
                    var inner = try ZipReader.open(jar, called: archive.appending(name))
                    try add(&inner, below: "\(name)!/")
                } catch {
                    unreadable.append("\(name): \(error.reason)")
                }
            } else if parts.count > 2, parts[..<2] == ["WEB-INF", "classes"], Self.isRead(name) {
                add(try reader.start(8), name)
            }
        }
    }

    private mutating func add(_ reader: inout ZipReader, below place: String) throws(ArchiveError) {
        while let name = try reader.next() {
            if Self.isRead(name) { add(try reader.start(8), place + name) }
        }
    }

    /// Whether every Java reads the class: not the ones for newer versions alone, nor what describes a module.
    private static func isRead(_ name: String) -> Bool {
        name.hasSuffix(".class") && !name.contains("META-INF/versions/")
            && name.split(separator: "/").last != "module-info.class"
    }

    private mutating func add(_ start: [UInt8], _ name: String) {
        guard start.count == 8, start[..<4] == [0xca, 0xfe, 0xba, 0xbe] else { return }
        let version = Int(start[6]) << 8 | Int(start[7])
        guard version > major ?? 0 else { return }
        major = version
        place = name
    }
}
