internal import FileTree
internal import Glibc
internal import SystemPackage

/// Where this process may make control groups of version 2, as far as it can be known without making one.
///
/// Sources: Documentation/admin-guide/cgroup-v2.rst of Linux, proc(5), and for what systemd allows
/// https://systemd.io/CGROUP_DELEGATION.
struct ControlGroupPlace: Hashable, Sendable {
    /// The group in which groups of shadows can be made.
    let base: FilePath
    /// The processes in it, which must move into a group below first: one with processes of its own can limit none.
    let occupants: [Int32]

    /// What names of groups that we make begin with.
    static let prefix = "understudy-"
    /// The group into which we, and those who started us, move.
    private static let leaf = prefix + "main"

    /// Why no group can be made.
    struct Refusal: Error, Hashable, Sendable {
        /// One sentence without its end.
        var reason: String
    }

    /// What a group shows of itself.
    struct View: Hashable, Sendable {
        /// What can be limited in it.
        var controllers: Set<String>
        /// Whether it is the root of all groups, which may have processes of its own.
        var isTop: Bool
        /// Whether systemd says that whoever is in it may make groups there.
        var isDelegated: Bool
        /// Whose directory it is.
        var owner: UInt32
        /// The processes in it.
        var processes: [Int32]
    }

    /// The group of a process, by `/proc/self/mountinfo` and `/proc/self/cgroup`.
    static func own(mounts: String, membership: String) throws(Refusal) -> FilePath {
        let lines = mounts.split(separator: "\n").map { $0.split(separator: " ") }
        // … root place options … - type source options; the first is where everybody looks.
        guard
            let mount = lines.first(where: { words in
                words.firstIndex(of: "-").map { words.count > $0 + 1 && words[$0 + 1] == "cgroup2" } ?? false
            }), mount.count > 4
        else { throw Refusal(reason: "no cgroup v2 is mounted here") }
        guard let line = membership.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else {
            throw Refusal(reason: "this process is in no group of cgroup v2")
        }
        let (root, place) = (unescaped(mount[3]), unescaped(mount[4]))
        let group = String(line.dropFirst(3))
        guard !group.hasPrefix("/.."), root == "/" || group == root || group.hasPrefix(root + "/") else {
            throw Refusal(reason: "this process's group of cgroup v2, \(group), cannot be seen from here")
        }
        let rest = root == "/" ? group : String(group.dropFirst(root.count))
        return FilePath(place).appending(rest.split(separator: "/").joined(separator: "/"))
    }

    /// The group in which groups are made by a process that is in `own`: that one, or the one that it was moved out of.
    static func base(of own: FilePath) -> FilePath {
        own.lastComponent?.string == leaf ? own.removingLastComponent() : own
    }

    /// Whether groups can be made in `base`.
    ///
    /// `ours` are the processes in it that may be moved; `hasSystemd`, whether systemd runs this host: it then has to say so, for
    /// it takes limits away from groups in its own that it knows nothing of.
    init(
        _ base: FilePath, _ view: View, ours: Set<Int32>, user: UInt32, hasSystemd: Bool
    ) throws(Refusal) {
        guard view.controllers.contains("memory") else {
            throw Refusal(reason: "cgroup v2 has no memory controller in \(base)")
        }
        // What systemd gives to a unit's user it chowns; in a user's own session that user's systemd is the one to ask.
        let isGiven =
            user != 0 && view.owner == user
            && !base.components.contains { $0.string.hasPrefix("user@") }
        guard !hasSystemd || view.isDelegated || isGiven else {
            throw Refusal(
                reason: "systemd does not delegate \(base); "
                    + "'systemd-run --scope -p Delegate=yes understudy …' would, as does 'understudy schedule'"
            )
        }
        let strangers = view.isTop ? [] : view.processes.filter { !ours.contains($0) }
        guard strangers.isEmpty else {
            throw Refusal(reason: "\(base) also holds \(strangers.count) processes that are not ours")
        }
        self.base = base
        occupants = view.isTop ? [] : view.processes
    }

    /// The processes of a group that belong to the one of `process`: what the outermost of those who started it has started.
    ///
    /// `parent` gives nil for a process that is not to be seen.
    static func family(of process: Int32, among processes: [Int32], parent: (Int32) -> Int32?) -> Set<Int32> {
        let members = Set(processes)
        guard let head = line(of: process, parent).last(where: members.contains) else { return [] }
        var family: Set<Int32> = []
        for member in members where line(of: member, parent).contains(head) { family.insert(member) }
        return family
    }

    /// A process, who started it, who started that one, and so on.
    private static func line(of process: Int32, _ parent: (Int32) -> Int32?) -> [Int32] {
        var line = [process]
        while let last = line.last, let next = parent(last), next > 0, !line.contains(next) {
            line.append(next)
        }
        return line
    }

    /// Looks where groups can be made; changes nothing.
    static func find() throws -> ControlGroupPlace {
        let own = try own(mounts: text("/proc/self/mountinfo"), membership: text("/proc/self/cgroup"))
        let directory = base(of: own)
        guard let status = try Files.status(directory) else {
            throw Refusal(reason: "\(directory) cannot be seen from here")
        }
        let there = try processes(in: directory)
        let leaf = directory.appending(Self.leaf)
        let moved = try Files.exists(leaf) ? processes(in: leaf) : []
        // Asked once of each: one that ends in between would be nobody's, and a stranger.
        let parents = Dictionary(
            Set(there + moved).compactMap { process in parent(of: process).map { (process, $0) } },
            uniquingKeysWith: { first, _ in first })
        // One that ended meanwhile is in nobody's way; one without a number is out of sight.
        let occupants = there.filter { $0 == 0 || parents[$0] != nil }
        let controllers = try text(directory.appending("cgroup.controllers")).split(
            whereSeparator: \.isWhitespace)
        let marks = try ["user.delegate", "trusted.delegate"].map { try Files.attribute($0, of: directory) }
        let view = View(
            controllers: Set(controllers.map { String($0) }),
            isTop: try !Files.exists(directory.appending("cgroup.type")),
            isDelegated: marks.contains(Array("1".utf8)), owner: status.owner, processes: occupants)
        return try ControlGroupPlace(
            directory, view,
            ours: family(of: getpid(), among: occupants + moved) { parents[$0] ?? parent(of: $0) },
            user: Accounts.ownNumbers.user, hasSystemd: Files.exists("/run/systemd/system"))
    }

    private static func processes(in group: FilePath) throws(FileFailure) -> [Int32] {
        try text(group.appending("cgroup.procs")).split(separator: "\n").compactMap { Int32($0) }
    }

    /// Who started a process; nil for one that is not to be seen, or not any more.
    private static func parent(of process: Int32) -> Int32? {
        guard let status = try? text(FilePath("/proc/\(process)/status")),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("PPid:") })
        else { return nil }
        return Int32(line.dropFirst("PPid:".count).drop { $0 == "\t" })
    }

    private static func text(_ path: FilePath) throws(FileFailure) -> String {
        String(decoding: try Files.read(path, limit: 16 << 20), as: UTF8.self)
    }

    /// Moves us and ours out of the way; they stay there, for going back would need the limits gone.
    func vacate() throws {
        guard !occupants.isEmpty else { return }
        let leaf = base.appending(Self.leaf)
        if try !Files.exists(leaf) { try Files.makeDirectory(leaf) }
        for process in occupants { try Self.move(process, to: leaf) }
    }

    private static func move(_ process: Int32, to group: FilePath) throws(FileFailure) {
        do {
            try Files.set(group.appending("cgroup.procs"), to: String(process))
        } catch  where error.reason == .noSuchProcess {
            // It has ended, and is nowhere in the way.
        }
    }

    /// A word of `mountinfo`, in which blanks are `\040`.
    private static func unescaped(_ word: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(word.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
