package import SystemPackage

/// Entries of zip archives, read one at a time without unpacking the rest.
///
/// libarchive goes through the central directory at the end of the file, so a wanted entry near the front of a large
/// archive costs two seeks. A file that is cut off has no central directory and is refused.
package enum ZipArchive {
    /// The contents of the first entry of a name, nil when the archive has none.
    ///
    /// The name is ASCII: what libarchive makes of others depends on the locale. Throws an ``ArchiveError`` when the file is no zip archive, when the entry is damaged, or when it holds more
    /// than `limit` bytes, whatever its header claims.
    package static func contents(
        of name: String, in path: FilePath, limit: Int = 1 << 20
    ) throws(ArchiveError) -> [UInt8]? {
        var reader = try ZipReader.open(path)
        return try contents(of: name, from: &reader, limit: limit)
    }

    /// The same for an archive that is itself an entry of another: a jar within a war.
    ///
    /// `name` stands for the archive in errors.
    package static func contents(
        of entry: String, in bytes: [UInt8], called name: FilePath, limit: Int = 1 << 20
    ) throws(ArchiveError) -> [UInt8]? {
        var reader = try ZipReader.open(bytes, called: name)
        return try contents(of: entry, from: &reader, limit: limit)
    }

    private static func contents(
        of name: String, from reader: inout ZipReader, limit: Int
    ) throws(ArchiveError) -> [UInt8]? {
        while let entry = try reader.next() {
            if entry == name { return try reader.contents(limit: limit) }
        }
        return nil
    }
}
