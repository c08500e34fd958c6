package import SystemPackage

/// Writes a zip archive whose bytes depend on nothing but what is put in.
///
/// Entries are stored, not compressed, in the order they are added, all dated 1980-01-01: no clock, time zone, user or
/// library version shows in the file, and equal parts stay equal for whoever stores the archives of many nights.
package struct ZipWriter: ~Copyable {
    private let path: FilePath
    private let descriptor: FileDescriptor
    private var directory: [UInt8] = []
    private var names: Set<String> = []
    private var offset = 0
    private var isClosed = false

    /// Makes the file at `path`, or empties the one that is there.
    package init(_ path: FilePath) throws(ArchiveError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [
                    .ownerReadWrite, .groupRead, .otherRead,
                ])
        } catch {
            throw ArchiveError(.inaccessible, path, "cannot make the archive: \(error)")
        }
    }

    deinit {
        // Only without finish(): the archive is thrown away then, and so is the reason.
        if !isClosed { try? descriptor.close() }
    }

    /// Adds a regular file.
    ///
    /// The name is relative, its parts joined by `/`. Throws an ``ArchiveError`` when the name is taken or cannot be
    /// one, or when the archive would need the zip64 format.
    package mutating func add(name: String, contents: [UInt8], mode: UInt16 = 0o644) throws(ArchiveError) {
        let bytes = Array(name.utf8)
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }), bytes.count < 1 << 16,
            !bytes.contains(0)
        else {
            throw ArchiveError(.unsupported, path, "'\(name)' is no name for an entry")
        }
        guard names.insert(name).inserted else {
            throw ArchiveError(.unsupported, path, "there is an entry '\(name)' already")
        }
        guard contents.count < fieldLimit, offset + contents.count + bytes.count + 30 < fieldLimit,
            names.count < 1 << 16
        else {
            throw ArchiveError(.unsupported, path, "more than 4 GiB or 65,535 entries need zip64")
        }
        let header = header(name: bytes, contents: contents)
        directory += number(0x0201_4b50, 4) + number(0x0314, 2) + header
        // No comment, first disk, no internal attributes; the mode in the upper half of the external ones.
        directory += number(0, 2) + number(0, 2) + number(0, 2)
        directory += number(Int(0o100000 | (mode & 0o7777)) << 16, 4) + number(offset, 4) + bytes
        try write(number(0x0403_4b50, 4) + header + bytes)
        try write(contents)
    }

    /// Writes the central directory and closes the file.
    package consuming func finish() throws(ArchiveError) {
        let start = offset
        let count = number(names.count, 2)
        let size = directory.count
        guard start + size < fieldLimit else {
            throw ArchiveError(.unsupported, path, "more than 4 GiB or 65,535 entries need zip64")
        }
        try write(directory)
        try write(
            number(0x0605_4b50, 4) + number(0, 2) + number(0, 2) + count + count + number(size, 4)
                + number(start, 4) + number(0, 2))
        isClosed = true
        do {
            try descriptor.close()
        } catch {
            throw ArchiveError(.inaccessible, path, "cannot close the archive: \(error)")
        }
    }

    /// What the local header and the central directory say alike.
    private func header(name: [UInt8], contents: [UInt8]) -> [UInt8] {
        let isASCII = name.allSatisfy { $0 < 0x80 }
        var header = number(20, 2) + number(isASCII ? 0 : 1 << 11, 2) + number(0, 2)
        header += number(0, 2) + number(0x0021, 2)
        header +=
            number(Int(Checksum.of(contents)), 4) + number(contents.count, 4) + number(contents.count, 4)
        return header + number(name.count, 2) + number(0, 2)
    }

    private mutating func write(_ bytes: [UInt8]) throws(ArchiveError) {
        do {
            try descriptor.writeAll(bytes)
        } catch {
            throw ArchiveError(.inaccessible, path, "cannot write the archive: \(error)")
        }
        offset += bytes.count
    }
}

private let fieldLimit = Int(UInt32.max)

/// The low `count` bytes of a number, lowest first.
private func number(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
