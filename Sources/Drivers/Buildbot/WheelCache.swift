internal import Archive
internal import Cryptography
internal import FileTree
internal import SystemPackage

/// Wheels made again from what is installed, kept from night to night.
///
/// A wheel's name in the cache holds a fingerprint of the status of every file in it, and the wheel's own SHA-256: an
/// unchanged distribution is not read again, and a damaged wheel is not used.
struct WheelCache {
    /// A wheel.
    struct Wheel {
        /// The file in the cache.
        var file: FilePath
        /// Its SHA-256 in hex.
        var digest: String
        /// Recorded files that are no longer there.
        var missing: [String]
    }

    /// The directory of the wheels.
    let directory: FilePath
    private var used: Set<String> = []

    /// A cache in this directory.
    init(_ directory: FilePath) throws {
        self.directory = directory
        try Files.makeDirectories(directory, mode: 0o700)
    }

    /// The wheel of a distribution.
    mutating func wheel(
        of distribution: PythonDistribution, in environment: PythonEnvironment,
        listing: PythonEnvironment.Listing
    ) throws -> Wheel {
        let missing = distribution.members.filter { listing.files[$0.file] == nil }.map(\.file)
        let present = distribution.members.filter { listing.files[$0.file] != nil }
        let fingerprint = fingerprint(of: present, listing, distribution, environment)
        for name in try Files.names(directory).map({ String(decoding: $0, as: UTF8.self) })
        where name.hasPrefix(fingerprint + "-") && name.hasSuffix(".whl") {
            let file = directory.appending(name)
            let digest = String(name.dropFirst(fingerprint.count + 1).dropLast(".whl".count))
            guard try hex(SHA256.digest(Files.read(file))) == digest else { continue }
            used.insert(name)
            return Wheel(file: file, digest: digest, missing: missing)
        }
        let temporary = directory.appending("\(fingerprint).tmp")
        try Files.remove(temporary)
        try write(present, of: distribution, in: environment, listing, to: temporary)
        let digest = hex(SHA256.digest(try Files.read(temporary)))
        let name = "\(fingerprint)-\(digest).whl"
        try Files.rename(temporary, to: directory.appending(name))
        used.insert(name)
        return Wheel(file: directory.appending(name), digest: digest, missing: missing)
    }

    /// Removes what no wheel of this night needs.
    func removeUnused() throws {
        for name in try Files.names(directory) where !used.contains(String(decoding: name, as: UTF8.self)) {
            try Files.remove(directory.appending(String(decoding: name, as: UTF8.self)))
        }
    }

    private func fingerprint(
        of members: [PythonDistribution.Member], _ listing: PythonEnvironment.Listing,
        _ distribution: PythonDistribution, _ environment: PythonEnvironment
    ) -> String {
        var hash = SHA256()
        hash.update(Array("wheel 1 \(environment.path) \(distribution.information)\n".utf8))
        for member in members {
            guard let status = listing.files[member.file] else { continue }
            let line =
                "\(member.name)\0\(status.size) \(status.mode) \(status.device) \(status.inode)"
                + " \(status.modified) \(status.changed)\n"
            hash.update(Array(line.utf8))
        }
        return hex(hash.finish().prefix(16))
    }

    private func write(
        _ members: [PythonDistribution.Member], of distribution: PythonDistribution,
        in environment: PythonEnvironment, _ listing: PythonEnvironment.Listing, to file: FilePath
    ) throws {
        var archive = try ZipWriter(file)
        var record = ""
        for member in members {
            var contents = try Files.read(environment.path.appending(member.file))
            if member.isScript { contents = withoutInterpreter(contents, environment.path) }
            let isExecutable = (listing.files[member.file]?.mode ?? 0) & 0o111 != 0
            try archive.add(name: member.name, contents: contents, mode: isExecutable ? 0o755 : 0o644)
            let digest = URLBase64.text(SHA256.digest(contents))
            record += "\(recordField(member.name)),sha256=\(digest),\(contents.count)\n"
        }
        let name = "\(distribution.information)/RECORD"
        record += "\(recordField(name)),,\n"
        try archive.add(name: name, contents: Array(record.utf8))
        try archive.finish()
    }
}

/// A script whose first line names the environment's own interpreter, as wheels spell that: `#!python`.
private func withoutInterpreter(_ script: [UInt8], _ environment: FilePath) -> [UInt8] {
    let start = Array("#!\(environment)/bin/python".utf8)
    guard script.starts(with: start) else { return script }
    let rest = script[start.count...]
    let version = rest.prefix {
        $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    return Array("#!python".utf8) + rest.dropFirst(version.count)
}

/// A field of `RECORD`, quoted where commas would split it.
private func recordField(_ text: String) -> String {
    guard text.contains(where: { ",\"\n".contains($0) }) else { return text }
    return "\"\(text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
}
