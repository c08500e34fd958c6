internal import FileTree
internal import Glibc
internal import Judge
internal import SystemPackage

/// A control group of version 2 that we made: what is in it shares its limits, and ends with it.
///
/// Source: Documentation/admin-guide/cgroup-v2.rst of Linux.
struct ControlGroup: Hashable, Sendable {
    /// Its directory.
    let directory: FilePath

    /// The controllers that limit a shadow.
    private static let controllers = ["memory", "cpu", "pids"]
    /// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
    private static let fileSystem: UInt32 = 0x6367_7270
    /// Microseconds over which the time of processors is counted; the kernel's own choice.
    private static let period = 100_000

    /// The group in a directory.
    private init(_ directory: FilePath) { self.directory = directory }

    /// Makes a group in which there can be groups with limits; it is `path`, whose name begins with the prefix of our groups.
    static func make(_ path: FilePath) throws -> ControlGroup {
        try enable(in: path.removingLastComponent())
        try Files.makeDirectory(path)
        let group = ControlGroup(path)
        guard try group.has("cgroup.kill") else {
            try remove(path)
            throw ControlGroupPlace.Refusal(
                reason: "this kernel has no cgroup.kill, which came with Linux 5.14")
        }
        try enable(in: path)
        return group
    }

    /// Makes the group of one shadow in this one.
    func child(_ name: String, _ limits: ShadowLimits) throws -> ControlGroup {
        let group = ControlGroup(directory.appending(name))
        try Files.makeDirectory(group.directory)
        try group.set("memory.max", to: "\(limits.memory)")
        // Where the kernel counts no swap there is nothing to limit.
        if try group.has("memory.swap.max") { try group.set("memory.swap.max", to: "0") }
        // A shadow that lacks one of its processes is none: all of them end.
        try group.set("memory.oom.group", to: "1")
        if try group.has("cpu.max") {
            try group.set("cpu.max", to: "\(limits.processors * Self.period) \(Self.period)")
        }
        if try group.has("pids.max") { try group.set("pids.max", to: "\(limits.processes)") }
        return group
    }

    /// A command that first joins the group, and so has in it all that it starts.
    func entering(_ command: [String]) -> [String] {
        ["sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", directory.appending("cgroup.procs").string] + command
    }

    /// What the kernel did because of limits since the group was made.
    func events() throws -> Events {
        Events(
            memory: try text("memory.events"), processes: try has("pids.events") ? text("pids.events") : "")
    }

    /// The most memory that was in use at once, in bytes; nil where the kernel does not say (before Linux 5.19).
    func peak() throws -> Int64? {
        try has("memory.peak") ? Int64(text("memory.peak").prefix(while: \.isNumber)) : nil
    }

    /// Ends everything in a group and removes it, and the groups in it; one that is gone is removed.
    static func remove(_ path: FilePath) throws {
        guard try Files.exists(path) else { return }
        guard path.lastComponent?.string.hasPrefix(ControlGroupPlace.prefix) == true,
            try Files.fileSystemKind(path) == fileSystem
        else {
            throw ShadowFailure(
                "\(path) is no control group of a shadow",
                hint: "look at what it is, and remove the file that names it")
        }
        let group = ControlGroup(path)
        if try group.has("cgroup.kill") { try group.set("cgroup.kill", to: "1") }
        // What was killed is in it until its memory is given back.
        for _ in 0..<1000 {
            if try group.removeWithoutProcesses() { return }
            usleep(10_000)
        }
        throw ShadowFailure(
            "processes in the control group \(path) do not end",
            hint: "look at what they wait for; cgroup.procs there, and in the groups in it, names them")
    }

    /// Removes the group and the groups in it; false when a process is left in one.
    private func removeWithoutProcesses() throws(FileFailure) -> Bool {
        do {
            for name in try Files.names(directory) {
                let child = directory.appending(String(decoding: name, as: UTF8.self))
                if try Files.isDirectory(child) { try Files.removeDirectoryIfEmpty(child) }
            }
            try Files.removeDirectoryIfEmpty(directory)
            return true
        } catch  where error.reason == .resourceBusy {
            return false
        }
    }

    /// Lets groups in a group be limited.
    private static func enable(in directory: FilePath) throws {
        let group = ControlGroup(directory)
        let there = Set(
            try group.text("cgroup.controllers").split(whereSeparator: \.isWhitespace).map(String.init))
        let wanted = controllers.filter(there.contains).map { "+\($0)" }.joined(separator: " ")
        try group.set("cgroup.subtree_control", to: wanted)
    }

    private func has(_ name: String) throws -> Bool { try Files.exists(directory.appending(name)) }

    private func text(_ name: String) throws -> String {
        String(decoding: try Files.read(directory.appending(name), limit: 1 << 20), as: UTF8.self)
    }

    private func set(_ name: String, to text: String) throws {
        try Files.set(directory.appending(name), to: text)
    }
}

extension ControlGroup {
    /// What the kernel counts in a group: `memory.events` and `pids.events`.
    struct Events: Hashable, Sendable {
        /// How often there was no memory within the group's own limit, whatever was taken back.
        var exhausted: Int64
        /// How many processes were killed because memory was short, in the group or around it.
        var killed: Int64
        /// How often a process could not be made.
        var refused: Int64

        /// The counts in both texts; what the kernel does not count is 0.
        init(memory: String, processes: String) {
            let counts = Self.counts(memory)
            exhausted = counts["oom"] ?? 0
            killed = counts["oom_kill"] ?? 0
            refused = Self.counts(processes)["max"] ?? 0
        }

        /// Lines of a name and a number.
        private static func counts(_ text: String) -> [Substring: Int64] {
            var counts: [Substring: Int64] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count == 2 { counts[words[0]] = Int64(words[1]) }
            }
            return counts
        }
    }
}
