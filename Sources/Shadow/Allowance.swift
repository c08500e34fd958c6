internal import Dispatch
internal import FileTree
internal import Glibc
package import Judge
internal import Synchronization
internal import SystemPackage

/// The file system that shadows write to: whoever else is on it must not run out of it for them.
struct Disk: Hashable, Sendable {
    /// A place on it.
    var place: FilePath
    /// The most that must stay free, in bytes.
    var most: Int64 = 1 << 30
    /// Which part of what is free when a shadow begins must stay so, where that is less.
    var part = 0.25

    /// What must stay free for a shadow that begins now, whose copies are made, and fitted.
    func reserve() throws -> Int64 { min(most, Int64(Double(try Files.freeSpace(place)) * part)) }

    /// Says that the shadows have to end; nil as long as enough is free.
    func breach(below reserve: Int64) throws -> Breach? {
        let free = try Files.freeSpace(place)
        return free < reserve ? Breach(kind: .disk(place, free: free, reserve: reserve)) : nil
    }
}

/// What all processes of one shadow together may use, in however many sandboxes they are, and what holds them to it.
///
/// A shadow that goes beyond it is ended at once: by the kernel where it has a control group, else by ourselves, who look at
/// it again and again.
package final class Allowance: Sendable {
    /// What it comes to.
    package let limits: ShadowLimits
    private let group: ControlGroup?
    private let disk: Disk?
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "allowance")

    /// How often we look.
    static let milliseconds = 100
    /// To see what processes share takes long: it is done this many times more seldom, but where the limit is in question.
    private static let seldom = 10

    private struct State {
        var members: [Member] = []
        /// Whether a look is to come.
        var isWatched = false
        var looks = 0
        var breach: Breach?
        /// What must stay free of the disk, from when the shadow first began.
        var reserve: Int64?
        var peak: Int64?
        var largest: ProcessUse?
        /// What the kernel had counted when the shadow began.
        var events: ControlGroup.Events?
    }

    /// A sandbox of the shadow.
    struct Member: Sendable {
        /// What it uses.
        var view: OutsideView
        /// Whether it is still there.
        var isRunning: @Sendable () -> Bool
        /// Ends it.
        var end: @Sendable () -> Void
    }

    /// An allowance that the kernel keeps, or without a group we ourselves; the disk is looked at by us alone.
    init(_ limits: ShadowLimits, group: ControlGroup?, disk: Disk?) {
        self.limits = limits
        self.group = group
        self.disk = disk
    }

    /// The command that starts a sandbox of the shadow, and is held to it from its beginning.
    ///
    /// When nothing else of the shadow runs it begins anew, and what it did before is over.
    func begin(_ command: [String]) throws -> [String] {
        let events = try group?.events()
        let reserve = try disk?.reserve()
        state.withLock { state in
            state.reserve = state.reserve ?? reserve
            state.members.removeAll { !$0.isRunning() }
            guard state.members.isEmpty else { return }
            state.breach = nil
            state.largest = nil
            state.events = events
        }
        return group?.entering(command) ?? command
    }

    /// Watches a sandbox that has begun, before anything of the program runs in it.
    func watch(_ member: Member) {
        let isUnwatched = state.withLock { state in
            state.members.append(member)
            defer { state.isWatched = true }
            return !state.isWatched
        }
        if isUnwatched { lookLater() }
    }

    /// How the shadow went beyond what it may use since it began; nil when it did not.
    package var breach: Breach? {
        get throws {
            let now = try group?.events()
            return state.withLock { state in
                guard state.breach == nil, let now, let before = state.events else { return state.breach }
                state.breach = Breach(from: before, to: now, limits: limits, largest: state.largest)
                return state.breach
            }
        }
    }

    /// The most memory that was seen in use at once, in bytes; nil when nobody knows.
    package var peak: Int64? {
        get throws { if let group { try group.peak() } else { state.withLock(\.peak) } }
    }

    // MARK: - Our own watch

    private func lookLater() {
        queue.asyncAfter(deadline: .now() + .milliseconds(Self.milliseconds)) { self.look() }
    }

    /// Looks at all sandboxes, and again later as long as one runs; ends all when they use too much.
    private func look() {
        let (members, looks) = state.withLock { state in
            state.members.removeAll { !$0.isRunning() }
            state.looks += 1
            state.isWatched = !state.members.isEmpty
            return (state.members, state.looks)
        }
        guard !members.isEmpty else { return }
        // Armed before anything can fail.
        lookLater()
        do {
            try look(at: members, precisely: looks.isMultiple(of: Self.seldom))
        } catch {
            // What has ended meanwhile cannot be seen and need not be.
            guard members.allSatisfy({ $0.isRunning() }) else { return }
            end(members, for: Breach(kind: .unseen("\(error)")))
        }
    }

    private func look(at members: [Member], precisely: Bool) throws {
        if let disk, let reserve = state.withLock(\.reserve), let breach = try disk.breach(below: reserve) {
            return end(members, for: breach)
        }
        var all: [(view: OutsideView, process: ProcessUse)] = []
        var files: Int64 = 0
        for member in members {
            all += try member.view.look().map { (member.view, $0) }
            files += try member.view.temporarySpace()
        }
        guard let largest = all.max(by: { $0.process.memory < $1.process.memory })?.process else { return }
        state.withLock { $0.largest = largest }
        guard group == nil else { return }
        let threads = all.reduce(0) { $0 + $1.process.threads }
        if threads > limits.processes {
            return end(members, for: Breach(kind: .processes(used: threads, limit: limits.processes)))
        }
        // Each has what it shares in its own sum: within the limit this way is within it for certain.
        let most = all.reduce(files) { $0 + $1.process.memory }
        guard precisely || most > limits.memory else { return }
        let used = try all.reduce(files) { try $0 + $1.view.share(of: $1.process) }
        state.withLock { $0.peak = max($0.peak ?? 0, used) }
        guard used > limits.memory else { return }
        end(
            members,
            for: Breach(kind: .memory(used: used, files: files, limit: limits.memory, largest: largest)))
    }

    private func end(_ members: [Member], for breach: Breach) {
        // First, so that who sees it ended also sees why.
        state.withLock { $0.breach = $0.breach ?? breach }
        for member in members { member.end() }
    }
}
