package import Judge
internal import SystemPackage

/// That a shadow went beyond what it may use, and was ended for it.
package struct Breach: Error, Hashable, Sendable, CustomStringConvertible {
    /// How.
    enum Kind: Hashable, Sendable {
        /// Its processes, and its temporary files, used more memory; where the kernel ended it nobody knows how much. `largest` was
        /// the process with the most of it when it was last seen.
        case memory(used: Int64?, files: Int64, limit: Int64, largest: ProcessUse?)
        /// It had more processes and threads, or wanted to.
        case processes(used: Int?, limit: Int)
        /// A server of it wrote more than this into its log.
        case log(limit: Int)
        /// The file system of a place that it writes to had become too full, whoever filled it.
        case disk(FilePath, free: Int64, reserve: Int64)
        /// The kernel ended one of its processes though it was within its own limit: memory was short around it.
        case surroundings
        /// What it uses could not be seen.
        case unseen(String)
    }

    /// How.
    let kind: Kind
    /// In which arm; nil where there are none.
    package var arm: Arm?

    init(kind: Kind) { self.kind = kind }

    /// What the kernel's counts say; nil when it had nothing to do.
    init?(
        from before: ControlGroup.Events, to now: ControlGroup.Events, limits: ShadowLimits,
        largest: ProcessUse?
    ) {
        if now.killed > before.killed {
            kind =
                now.exhausted > before.exhausted
                ? .memory(used: nil, files: 0, limit: limits.memory, largest: largest) : .surroundings
        } else if now.refused > before.refused {
            kind = .processes(used: nil, limit: limits.processes)
        } else {
            return nil
        }
    }

    /// Whether it is the shadow's own doing, and not the host's.
    package var isItsOwn: Bool {
        switch kind {
        case .memory, .processes, .log: true
        case .disk, .surroundings, .unseen: false
        }
    }

    /// What was exceeded, by how much, and which process had the most of it.
    package var description: String {
        switch kind {
        case .memory(let used, let files, let limit, let largest):
            (used.map { "it used \(Self.size($0)) of memory, and may use \(Self.size(limit))" }
                ?? "it wanted more than the \(Self.size(limit)) of memory that it may use")
                + (largest.map { "; of its processes \($0.name) had the most, \(Self.size($0.memory))" } ?? "")
                + (files > limit / 8 ? ", and its temporary files \(Self.size(files))" : "")
        case .processes(let used, let limit):
            used.map { "it had \($0) processes and threads, and may have \(limit)" }
                ?? "it wanted more than the \(limit) processes and threads that it may have"
        case .log(let limit): "it wrote more than \(Self.size(Int64(limit))) of log"
        case .disk(let place, let free, let reserve):
            "only \(Self.size(free)) were free where it writes, \(place), and \(Self.size(reserve)) must stay free"
        case .surroundings:
            "the kernel ended one of its processes for want of memory, though it was within its own limit"
        case .unseen(let reason): "what it uses cannot be seen: \(reason)"
        }
    }

    /// What to do.
    package var hint: String {
        switch kind {
        case .memory: "if it may need that much, raise 'shadows: {memory: …}' in the canary policy"
        case .processes: "if it may need that many, raise 'shadows: {processes: …}' in the canary policy"
        case .log: "look for what its server says again and again"
        case .disk:
            "make room on that file system; if there is enough, look for what its server writes without end"
        case .surroundings: "run it on a host, or in a unit, with more memory"
        case .unseen: "this is a fault of the host or of Understudy"
        }
    }

    /// `512 MiB`.
    package static func size(_ bytes: Int64) -> String { "\((bytes + (1 << 19)) >> 20) MiB" }
}
