internal import Cfiles
internal import Cryptography
internal import Glibc
package import SystemPackage

/// What is in a tree, asked of the system without any code of the product: for comparing what went in with what came out.
package struct TreeListing: Hashable, Sendable {
    /// All that the system says of a path, but what nobody can choose: inode, change time, the size of a directory.
    package struct Entry: Hashable, Sendable {
        var mode: UInt32
        var owner: UInt32
        var group: UInt32
        var modifiedSeconds: Int
        var modifiedNanoseconds: Int
        var size: Int
        /// Whether fewer blocks are allocated than the size needs.
        var isSparse: Bool
        /// The first path of the file when it has several names.
        var firstPath: [UInt8]
        var target: [UInt8]
        var digest: [UInt8]
        var attributes: [[UInt8]: [UInt8]]
    }

    /// The entries by path below the top, whose own path is empty.
    package private(set) var entries: [[UInt8]: Entry] = [:]
    private var firstPaths: [UInt64: [UInt8]] = [:]

    /// Lists a directory.
    package init(_ directory: FilePath) throws {
        let descriptor = unsafe directory.withPlatformString {
            unsafe open($0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        guard descriptor >= 0 else { throw FixtureFailure("cannot list \(directory): errno \(errno)") }
        defer { close(descriptor) }
        try add(descriptor, [])
        firstPaths = [:]
    }

    /// The paths that differ between two trees, for people, with what differs; empty when the trees are the same.
    package func differences(from other: TreeListing) -> [String] {
        Set(entries.keys).union(other.entries.keys).filter { entries[$0] != other.entries[$0] }.map { path in
            let name = String(decoding: path, as: UTF8.self).debugDescription
            guard let ours = entries[path] else { return "\(name) is not here" }
            guard let theirs = other.entries[path] else { return "\(name) is only here" }
            let parts = zip(Mirror(reflecting: ours).children, Mirror(reflecting: theirs).children)
            let words = parts.filter { "\($0.value)" != "\($1.value)" }.map {
                "\($0.label ?? "") \("\($0.value)".prefix(60)) and \("\($1.value)".prefix(60))"
            }
            return "\(name): \(words.joined(separator: ", "))"
        }
        .sorted()
    }

    private mutating func add(_ directory: CInt, _ path: [UInt8]) throws {
        var status = stat()
        guard unsafe fstat(directory, &status) == 0 else { throw Self.failure("look at", path) }
        entries[path] = try entry(status, directory: directory, name: [UInt8(ascii: "."), 0], path)
        for name in try Self.names(directory, path) {
            let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            let terminated = name + [0]
            guard
                unsafe Self.withName(
                    terminated, { unsafe fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) })
                    == 0
            else { throw Self.failure("look at", child) }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                entries[child] = try entry(status, directory: directory, name: terminated, child)
                continue
            }
            let next = unsafe Self.withName(terminated) {
                unsafe openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            }
            guard next >= 0 else { throw Self.failure("open", child) }
            defer { close(next) }
            try add(next, child)
        }
    }

    private mutating func entry(
        _ status: stat, directory: CInt, name: [UInt8], _ path: [UInt8]
    ) throws -> Entry {
        let kind = status.st_mode & S_IFMT
        var entry = Entry(
            mode: status.st_mode, owner: status.st_uid, group: status.st_gid,
            modifiedSeconds: status.st_mtim.tv_sec, modifiedNanoseconds: status.st_mtim.tv_nsec,
            size: kind == S_IFDIR ? 0 : Int(status.st_size), isSparse: false, firstPath: [], target: [],
            digest: [], attributes: try Self.attributes(directory, name, path))
        if kind == S_IFREG {
            entry.isSparse = Int(status.st_blocks) * 512 < Int(status.st_size)
            if status.st_nlink > 1 {
                entry.firstPath = firstPaths[UInt64(status.st_ino)] ?? path
                firstPaths[UInt64(status.st_ino)] = entry.firstPath
            }
            entry.digest = try Self.digest(directory, name, path)
        }
        if kind == S_IFLNK {
            entry.target = try unsafe Self.filled("read the link", path) { buffer, size in
                unsafe Self.withName(name) { unsafe readlinkat(directory, $0, buffer, size) }
            }
        }
        return entry
    }

    private static func digest(_ directory: CInt, _ name: [UInt8], _ path: [UInt8]) throws -> [UInt8] {
        let file = unsafe withName(name) { unsafe openat(directory, $0, O_RDONLY | O_NOFOLLOW) }
        guard file >= 0 else { throw failure("open", path) }
        defer { close(file) }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw failure("read", path) }
            guard count > 0 else { return hash.finish() }
            hash.update(Array(buffer[..<count]))
        }
    }

    /// The extended attributes, of a link its own: the system has no call for that relative to a directory.
    private static func attributes(
        _ directory: CInt, _ name: [UInt8], _ path: [UInt8]
    ) throws -> [[UInt8]: [UInt8]] {
        let place = Array("/proc/self/fd/\(directory)/".utf8) + name
        let names = try unsafe filled("list the attributes of", path) { buffer, size in
            unsafe withName(place) { unsafe llistxattr($0, buffer, size) }
        }
        var attributes: [[UInt8]: [UInt8]] = [:]
        for attribute in names.split(separator: 0) {
            attributes[Array(attribute)] = try unsafe filled("read an attribute of", path) { buffer, size in
                unsafe withName(place) { place in
                    unsafe withName(Array(attribute) + [0]) { unsafe lgetxattr(place, $0, buffer, size) }
                }
            }
        }
        return attributes
    }

    private static func names(_ directory: CInt, _ path: [UInt8]) throws -> [[UInt8]] {
        let copy = unsafe openat(directory, ".", O_RDONLY | O_DIRECTORY)
        guard copy >= 0, let stream = unsafe fdopendir(copy) else { throw failure("list", path) }
        defer { unsafe closedir(stream) }
        var names: [[UInt8]] = []
        errno = 0
        while let entry = unsafe readdir(stream) {
            let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let start = unsafe UnsafeRawPointer(entry).advanced(by: offset)
            let count = unsafe strlen(start.assumingMemoryBound(to: CChar.self))
            let name = unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
            if name != Array(".".utf8) && name != Array("..".utf8) { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw failure("list", path) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    @unsafe private static func filled(
        _ operation: String, _ path: [UInt8], _ call: (UnsafeMutablePointer<CChar>, Int) -> Int
    ) throws -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        let count = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("a buffer of 64 KiB") }
            return unsafe call(base, buffer.count)
        }
        guard count >= 0 else { throw failure(operation, path) }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    @unsafe private static func withName<Result>(
        _ terminated: [UInt8], _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        unsafe terminated.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("a name ends in a zero byte") }
            return unsafe body(base)
        }
    }

    private static func failure(_ operation: String, _ path: [UInt8]) -> FixtureFailure {
        FixtureFailure("cannot \(operation) \(String(decoding: path, as: UTF8.self)): errno \(errno)")
    }
}
