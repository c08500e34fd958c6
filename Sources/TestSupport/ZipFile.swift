internal import Archive
package import SystemPackage

/// Writes a zip archive of some entries, in their order.
package func writeZip(_ path: FilePath, _ entries: [(String, [UInt8])]) throws {
    var writer = try ZipWriter(path)
    for (name, contents) in entries { try writer.add(name: name, contents: contents) }
    try writer.finish()
}
