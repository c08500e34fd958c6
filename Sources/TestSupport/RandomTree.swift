internal import Cfiles
internal import Drivers
internal import FileTree
internal import Glibc
package import SystemPackage

/// Trees with everything that a file can be, the same for the same seed, and changes to them.
package struct RandomTree {
    private var random: SplitMix
    private let top: FilePath
    /// Directories below the top by their paths, the top's own path among them.
    private var directories: [FilePath]
    private var files: [FilePath] = []

    /// Names that a store must escape, that tools stumble over, or that are as long as a name can be.
    private static let names: [[UInt8]] =
        [
            ".git", ".GIT", ".gitmodules", ".gitattributes", "git~1", "GI7EB~1", ".git ", ".git.", "%41", "%",
            "a%zz",
            "x.chunks", ".chunks", "x.chunks.chunks", "new\nline", "tab\t", " ", "-rf", "$(touch x)", "\\",
            "snapshot.json", "root.mtree", ".understudy-x", "ü", "a\u{200c}.git", "CON", "*", "#", "a=b",
        ].map { Array($0.utf8) } + [
            [0xff, 0xfe], [0xc3], [1], [0x7f], [UInt8](repeating: 0xe4, count: 255),
            [UInt8](repeating: UInt8(ascii: "n"), count: 255),
        ]
    private static let sizes = [
        0, 1, 2, 399, 400, 401, 4095, 4096, 4097, 65_535, 65_536, 65_537, 300_000,
    ]
    private static let modes: [mode_t] = [
        0o644, 0o755, 0o600, 0o000, 0o4755, 0o2755, 0o1777, 0o6111, 0o7777, 0o444, 0o200,
    ]

    /// Makes a tree of about `count` entries at a path where nothing stands.
    package init(at path: FilePath, seed: UInt64, count: Int) throws {
        random = SplitMix(state: seed)
        top = path
        directories = [path]
        try Files.makeDirectory(path)
        for _ in 0..<count { try addOne() }
        try addDeepDirectory()
        try addLargeFile()
        try finish()
    }

    /// Changes some of what is there: contents, modes, times, kinds, names.
    package mutating func change(_ count: Int) throws {
        for _ in 0..<count {
            guard let file = files.randomElement(using: &random), try Files.exists(file) else {
                try addOne()
                continue
            }
            switch Int.random(in: 0..<8, using: &random) {
            case 0: try fill(file, bytes(Self.sizes.randomElement(using: &random) ?? 0))
            case 1: try setMode(file)
            case 2: try setTime(file)
            case 3: try setAttribute(file)
            case 4:
                try Files.remove(file)
                files.removeAll { $0 == file }
            case 5:
                // A directory where a file was.
                try Files.remove(file)
                files.removeAll { $0 == file }
                try Files.makeDirectory(file)
                directories.append(file)
            case 6:
                let other = try freePath()
                try Files.rename(file, to: other)
                files.removeAll { $0 == file }
                files.append(other)
            default: try addOne()
            }
        }
        try finish()
    }

    private mutating func addOne() throws {
        let path = try freePath()
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1:
            try Files.makeDirectory(path)
            directories.append(path)
        case 2:
            let targets = [
                Array("/nowhere/at/all".utf8), Array("..".utf8), [0xff],
                [UInt8](repeating: 0x61, count: 4000),
                Array(top.string.utf8),
            ]
            try Files.makeLink(path, to: targets.randomElement(using: &random) ?? [])
            try setTime(path)
        case 3:
            guard let file = files.randomElement(using: &random), try Files.exists(file) else { return }
            let linked = unsafe file.withPlatformString { file in
                unsafe path.withPlatformString { unsafe link(file, $0) }
            }
            guard linked == 0 else { throw FixtureFailure("cannot link \(path): errno \(errno)") }
        case 4: try makeSparse(path)
        default:
            try fill(path, bytes(Self.sizes.randomElement(using: &random) ?? 0))
            if Bool.random(using: &random) { try setMode(path) }
            if Bool.random(using: &random) { try setAttribute(path) }
        }
        if try Files.status(path)?.kind == .file {
            files.append(path)
            try setTime(path)
        }
    }

    /// Names one in another, as deep as paths may be long.
    private mutating func addDeepDirectory() throws {
        var path = top
        for depth in 0..<40 {
            path = path.appending("deep\(depth)")
            try Files.makeDirectory(path)
        }
        try fill(path.appending("end"), [1])
        files.append(path.appending("end"))
    }

    /// A file of several chunks, part of it repeating.
    private mutating func addLargeFile() throws {
        let path = top.appending("large")
        let part = bytes(1 << 20)
        try fill(path, Array(repeating: part, count: 8).joined() + bytes(100_001))
        files.append(path)
        // One byte less, as much, and one byte more than what is split.
        try fill(
            top.appending("threshold"),
            [UInt8](repeating: 5, count: (8 << 20) + Int.random(in: -1...1, using: &random)))
    }

    private mutating func makeSparse(_ path: FilePath) throws {
        let descriptor = try Files.createExclusively(path, mode: 0o644)
        defer { close(descriptor) }
        let hole = Int.random(in: 1...40, using: &random) * 4096
        for place in [hole, 3 * hole] {
            let piece = bytes(4096)
            let count = unsafe piece.withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress, $0.count, place)
            }
            guard count == piece.count else { throw FixtureFailure("cannot write \(path): errno \(errno)") }
        }
        guard ftruncate(descriptor, off_t(5 * hole)) == 0 else {
            throw FixtureFailure("cannot cut \(path): errno \(errno)")
        }
    }

    /// Gives directories their modes and times, the deepest first: work in them would change both.
    private mutating func finish() throws {
        for directory in directories.sorted(by: { $0.length > $1.length }) where directory != top {
            if Int.random(in: 0..<4, using: &random) == 0 { try setMode(directory) }
            if Int.random(in: 0..<4, using: &random) == 0 { try setAttribute(directory) }
            try setTime(directory)
        }
    }

    private mutating func freePath() throws -> FilePath {
        let directory = directories.randomElement(using: &random) ?? top
        while true {
            let name =
                Bool.random(using: &random)
                ? Self.names.randomElement(using: &random) ?? []
                : (0..<Int.random(in: 1...12, using: &random)).map { _ in
                    UInt8.random(in: 1...255, using: &random)
                }
            guard !name.contains(UInt8(ascii: "/")), name != [0x2e], name != [0x2e, 0x2e] else { continue }
            let path = FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + name)
            // FilePath takes dots and doubled separators away; what it changed is another name.
            guard path.byteArray.suffix(name.count).elementsEqual(name), path.length < 3900 else { continue }
            if try !Files.exists(path) { return path }
        }
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        if Bool.random(using: &random) {
            return [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: count)
        }
        var bytes = unsafe [UInt8](unsafeUninitializedCapacity: count + 8) { buffer, filled in
            var place = 0
            while place < count {
                unsafe UnsafeMutableRawBufferPointer(buffer).storeBytes(
                    of: random.next(), toByteOffset: place, as: UInt64.self)
                place += 8
            }
            filled = place
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private func fill(_ path: FilePath, _ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        let descriptor = unsafe path.withPlatformString {
            unsafe open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        }
        guard descriptor >= 0 else { throw FixtureFailure("cannot open \(path): errno \(errno)") }
        defer { close(descriptor) }
        let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw FixtureFailure("cannot write \(path): errno \(errno)") }
    }

    private mutating func setMode(_ path: FilePath) throws {
        let mode = UInt16(Self.modes.randomElement(using: &random) ?? 0o644)
        // Only root reads and changes what its mode keeps everybody from.
        let needed: UInt16 = Accounts.ownNumbers.user == 0 ? 0 : 0o700
        try Files.setMode(path, mode | needed)
    }

    /// An attribute, or an ACL.
    private mutating func setAttribute(_ path: FilePath) throws {
        let isList = Int.random(in: 0..<3, using: &random) == 0
        let name = isList ? "system.posix_acl_access" : "user.\(Int.random(in: 0..<3, using: &random))"
        // Version 2; owner, a named user, group, mask, others (linux/posix_acl_xattr.h).
        let value: [UInt8] =
            isList
            ? [2, 0, 0, 0]
                + [(1, 7, .max), (2, 7, 1234), (4, 4, .max), (0x10, 7, .max), (0x20, 4, UInt32.max)].flatMap {
                    [UInt8($0.0), 0, UInt8($0.1), 0] + Self.littleEndian($0.2)
                } : bytes(Int.random(in: 0...200, using: &random))
        let result = unsafe path.withPlatformString { path in
            unsafe value.withUnsafeBytes { unsafe lsetxattr(path, name, $0.baseAddress, $0.count, 0) }
        }
        // A file system without attributes has none to restore.
        guard result == 0 || errno == ENOTSUP else {
            throw FixtureFailure("cannot set \(name) of \(path): errno \(errno)")
        }
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private mutating func setTime(_ path: FilePath) throws {
        let seconds =
            [0, -1, -2_000_000_000, 1, 1_700_000_000, 4_200_000_000].randomElement(using: &random) ?? 0
        let nanoseconds = [0, 1, 999_999_999, 500_000_000].randomElement(using: &random) ?? 0
        let times = [
            timespec(tv_sec: seconds, tv_nsec: nanoseconds), timespec(tv_sec: seconds, tv_nsec: nanoseconds),
        ]
        let result = unsafe path.withPlatformString { path in
            unsafe times.withUnsafeBufferPointer {
                unsafe utimensat(AT_FDCWD, path, $0.baseAddress, AT_SYMLINK_NOFOLLOW)
            }
        }
        guard result == 0 else { throw FixtureFailure("cannot set the time of \(path): errno \(errno)") }
    }
}
