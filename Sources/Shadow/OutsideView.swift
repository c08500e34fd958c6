internal import FileTree
internal import Glibc
internal import SystemPackage

/// What a sandbox uses, seen from outside: its processes, by the `/proc` of its own, and its temporary files.
///
/// Both are held open from before anything runs in it, so nothing that runs can put something else in their place.
struct OutsideView: Sendable {
    private let processes: OpenDirectory
    private let temporary: [OpenDirectory]

    /// A view of the sandbox whose first process has this number for us.
    init(firstProcess: Int32) throws {
        let root = FilePath("/proc/\(firstProcess)/root")
        processes = try OpenDirectory(root.appending("proc"))
        let text = { (process: String) throws -> String in
            String(
                decoding: try Files.read(FilePath("/proc/\(process)/mountinfo"), limit: 16 << 20),
                as: UTF8.self)
        }
        temporary = try Self.temporaryPlaces(inside: text("\(firstProcess)"), outside: text("self")).map {
            try OpenDirectory(FilePath(root.string + $0 + "/."))
        }
    }

    /// Where file systems in memory are mounted that only a sandbox has, each once, by both texts of `mountinfo`.
    static func temporaryPlaces(inside: String, outside: String) -> [String] {
        let lines = { (text: String) in text.split(separator: "\n").map { $0.split(separator: " ") } }
        // The third word is the device, the fifth the place, and behind a dash the type.
        var known = Set(lines(outside).compactMap { $0.count > 2 ? $0[2] : nil })
        return lines(inside).compactMap { words in
            guard let dash = words.firstIndex(of: "-"), words.count > dash + 1, dash > 4,
                words[dash + 1] == "tmpfs", known.insert(words[2]).inserted
            else { return nil }
            return words[4] == "/" ? "" : String(words[4])
        }
    }

    /// The processes that are there now.
    func look() throws -> [ProcessUse] {
        let names = NameList()
        // Opened anew each time: an open directory is read only once.
        try processes.directory(Array(".".utf8)).read(into: names)
        return try (0..<names.count).compactMap { index in
            let name = Array(names.name(index))
            guard let first = name.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
                return nil
            }
            return try text("status", of: name).map { ProcessUse(status: $0, number: name) }
        }
    }

    /// The part of memory that a process would give back by its end: what it shares with others is divided among them.
    func share(of process: ProcessUse) throws -> Int64 {
        try text("smaps_rollup", of: process.number).map { ProcessUse.share(rollup: $0) } ?? 0
    }

    /// What temporary files take, in bytes.
    func temporarySpace() throws -> Int64 { try temporary.reduce(0) { try $0 + $1.usedSpace() } }

    /// What the kernel says of a process; nil when it has ended.
    private func text(_ name: String, of process: [UInt8]) throws -> String? {
        do {
            let file = try processes.directory(process).file(Array(name.utf8))
            var bytes = [UInt8](repeating: 0, count: 1 << 14)
            let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        } catch let failure as FileFailure
            where failure.reason == .noSuchFileOrDirectory || failure.reason == .noSuchProcess
        {
            return nil
        }
    }
}

/// What one process uses.
struct ProcessUse: Hashable, Sendable {
    /// What it is called.
    var name: String
    /// Its number in its sandbox, as digits.
    var number: [UInt8]
    /// Its threads.
    var threads: Int
    /// Memory in bytes, what it shares with others and what was swapped out with it.
    var memory: Int64

    /// By `/proc/PID/status`; a process that has ended and was not yet waited for has no memory.
    init(status: String, number: [UInt8]) {
        let fields = Self.fields(status)
        name = fields["Name"] ?? ""
        self.number = number
        threads = fields["Threads"].flatMap { Int($0) } ?? 0
        memory = Self.bytes(fields["VmRSS"]) + Self.bytes(fields["VmSwap"])
    }

    /// The process's part of what it uses, in bytes, by `/proc/PID/smaps_rollup`.
    static func share(rollup: String) -> Int64 {
        let fields = fields(rollup)
        return bytes(fields["Pss"]) + bytes(fields["SwapPss"])
    }

    /// Lines of a name, a colon and a value.
    private static func fields(_ text: String) -> [Substring: String] {
        var fields: [Substring: String] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields[line[..<colon]] = String(value)
        }
        return fields
    }

    /// `1234 kB` in bytes; nothing is none.
    private static func bytes(_ field: String?) -> Int64 {
        field.flatMap { Int64($0.prefix(while: \.isNumber)) }.map { $0 << 10 } ?? 0
    }
}
