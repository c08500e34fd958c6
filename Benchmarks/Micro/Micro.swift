import Cryptography
import FileTree
import Git
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The steps of a snapshot and a restore one by one, on one thread: where whoever tunes next looks first.
///
/// `microbenchmarks DIRECTORY` works below a directory that it makes and removes; each line is the best of five runs.
@main struct Micro {
    static let runs = 5

    static func main() throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: microbenchmarks DIRECTORY\nDIRECTORY must not be there; it is removed in the end.")
            exit(64)
        }
        let directory = FilePath(CommandLine.arguments[1])
        try Files.makeDirectory(directory)
        defer { try? Files.removeTree(directory) }
        print("| step | of | each | rate |\n| --- | --- | --- | --- |")
        try hashing()
        try objects(directory)
        try reading(directory)
        try trees()
        try files(directory)
    }

    private static func hashing() throws {
        let bytes = randomBytes(64 << 20)
        measure("SHA-1", of: "64 MiB", bytes: bytes.count) {
            var hash = SHA1()
            hash.update(bytes)
            return hash.finish()
        }
        measure("SHA-256", of: "64 MiB", bytes: bytes.count) { SHA256.digest(bytes) }
        measure("SHA-1 and SHA-256 in one pass", of: "64 MiB", bytes: bytes.count) {
            var (sha1, sha256) = (SHA1(), SHA256())
            unsafe bytes.withUnsafeBytes { unsafe update(&sha1, &sha256, $0) }
            return sha1.finish() + sha256.finish()
        }
        measure("SHA-256 of two texts at once", of: "32 MiB each", bytes: bytes.count) {
            var (one, other) = (SHA256(), SHA256())
            unsafe bytes.withUnsafeBytes { bytes in
                let (first, second) = unsafe (bytes[..<(32 << 20)], bytes[(32 << 20)...])
                unsafe update(
                    &one, UnsafeRawBufferPointer(rebasing: first), &other,
                    UnsafeRawBufferPointer(rebasing: second))
            }
            return one.finish() + other.finish()
        }
    }

    private static func objects(_ directory: FilePath) throws {
        let repository = directory.appending("repository")
        _ = try Repository(creatingBareAt: repository)
        let noise = randomBytes(1 << 20)
        let line = Array("<hudson.model.StringParameterDefinition><name>VERSION</name>\n".utf8)
        let text = Array(repeatElement(line, count: 40).joined())
        try measure("hash, deflate, write an object", of: "2.4 kB of text", count: 20_000, bytes: text.count)
        { number in
            try pack(repository, number) { index in text + Array("\(number) \(index)".utf8) }
        }
        try measure("hash, store, write an object", of: "1 MiB of noise", count: 100, bytes: noise.count) {
            number in
            try pack(repository, number) { index in Array("\(number) \(index)".utf8) + noise.dropFirst(32) }
        }
    }

    private static func reading(_ directory: FilePath) throws {
        let repository = directory.appending("read")
        _ = try Repository(creatingBareAt: repository)
        let words = [
            "<name>", "</name>", "VERSION", "true", " <hudson.model.", "Parameter", ">\n", "0", "timer",
        ]
        let texts = (0..<20_000).map { _ in
            Array((0..<800).map { _ in words.randomElement() ?? "" }.joined().utf8.prefix(2400))
        }
        let writer = try PackWriter(ObjectReader(repository))
        let writerLane = writer.lane()
        let ids = try texts.map { try writerLane.add(.blob, $0) }
        try writerLane.flush()
        _ = try writer.finish()
        let lane = try ReaderLane(ObjectReader(repository))
        try measure("find, inflate an object", of: "2.4 kB of text", count: ids.count, bytes: 2400) { _ in
            for id in ids {
                try unsafe lane.read(id, .blob, checks: false) {
                    precondition($0.count == 2400, "as written")
                }
            }
        }
    }

    /// Writes a pack of 20,000 small or 100 large objects, without the sync of ``PackWriter/finish()``.
    private static func pack(_ repository: FilePath, _ count: Int, _ contents: (Int) -> [UInt8]) throws {
        let writer = try PackWriter(ObjectReader(repository))
        let lane = writer.lane()
        for index in 0..<count { _ = try lane.add(.blob, contents(index)) }
        try lane.flush()
        try writer.abandon()
    }

    private static func trees() throws {
        let id = ObjectID.of(.blob, [])
        let entries = (0..<1000).map { TreeEntry("build-\($0).xml", .file, id) }
        let contents = Tree.contents(entries)
        try measure("make a tree", of: "1000 entries", count: 100, bytes: contents.count) { count in
            for _ in 0..<count { _ = Tree.contents(entries) }
        }
        try measure("read a tree", of: "1000 entries", count: 100, bytes: contents.count) { count in
            for _ in 0..<count { _ = try Tree.entries(contents, of: id) }
        }
    }

    private static func files(_ directory: FilePath) throws {
        let contents = randomBytes(1000)
        var round = 0
        try measure("create, write, close a file", of: "1 kB", count: 10_000, bytes: contents.count) {
            count in
            round += 1
            try Files.makeDirectory(directory.appending("files-\(round)"))
            let open = try OpenDirectory(directory.appending("files-\(round)"))
            for index in 0..<count {
                let file = try open.createFile(Array("file-\(index)".utf8))
                try unsafe contents.withUnsafeBytes { try unsafe file.write($0) }
            }
        }
        let names = NameList()
        try measure("list and look at a file", of: "10,000 in a directory", count: 10_000, bytes: 0) {
            count in
            let open = try OpenDirectory(directory.appending("files-1"))
            var path = ZeroTerminatedPath()
            try open.read(into: names)
            precondition(names.count == count, "all files are listed")
            for index in 0..<count {
                names.setName(index, of: &path)
                _ = try open.look(at: path)
            }
        }
        let open = try OpenDirectory(directory.appending("files-1"))
        var buffer = [UInt8](repeating: 0, count: 4096)
        try measure("open, read, close a file", of: "1 kB", count: 10_000, bytes: contents.count) { count in
            for index in 0..<count {
                let file = try open.file(Array("file-\(index)".utf8))
                _ = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
            }
        }
    }

    // MARK: - Measuring

    private static func measure(_ step: String, of amount: String, bytes: Int, _ body: () -> [UInt8]) {
        // Whoever looks at the result cannot be optimized away.
        var last: [UInt8] = []
        let best = (0..<runs).map { _ in seconds { last = body() } }.min() ?? 0
        precondition(!last.isEmpty, "the step has a result")
        report(step, amount, best, count: 1, bytes: bytes)
    }

    private static func measure(
        _ step: String, of amount: String, count: Int, bytes: Int, _ body: (Int) throws -> Void
    ) throws {
        let best = try (0..<runs).map { _ in try seconds { try body(count) } }.min() ?? 0
        report(step, amount, best, count: count, bytes: bytes)
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let taken = try clock.measure(body)
        return Double(taken.components.seconds) + Double(taken.components.attoseconds) / 1e18
    }

    private static func report(_ step: String, _ amount: String, _ seconds: Double, count: Int, bytes: Int) {
        func rounded(_ number: Double) -> String { "\((number * 100).rounded() / 100)" }
        let each = seconds / Double(count) * 1e6
        let rate = Double(bytes) * Double(count) / seconds / 1e6
        print("| \(step) | \(amount) | \(rounded(each)) µs | \(bytes == 0 ? "" : "\(Int(rate)) MB/s") |")
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            unsafe withUnsafeBytes(of: generator.next()) { unsafe bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
