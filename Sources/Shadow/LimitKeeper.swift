internal import FileTree
package import Judge
internal import SystemPackage

/// What holds shadows to what they may use: the kernel, by a control group that we may make, or else our own watch.
package struct LimitKeeper: Sendable {
    /// The group with a group for each shadow; nil where we watch.
    private let group: ControlGroup?
    /// Why there is no group.
    private let reason: String
    /// Where shadows write; nil for what writes nothing.
    private let disk: Disk?

    /// Our own watch, and why.
    package init(watchingBecause reason: String) {
        self.init(group: nil, reason: reason, disk: nil)
    }

    init(group: ControlGroup?, reason: String, disk: Disk?) {
        self.group = group
        self.reason = reason
        self.disk = disk
    }

    /// Makes a group of that name where we may, for shadows that write to `disk`.
    ///
    /// `record` is given its path before it is made, for whoever comes after a kill.
    init(_ name: String, disk: Disk? = nil, record: (FilePath) throws -> Void) throws {
        do {
            let path = try Self.vacatedPlace().appending(name)
            try record(path)
            self.init(group: try Self.answer { try ControlGroup.make(path) }, reason: "", disk: disk)
        } catch let refusal as ControlGroupPlace.Refusal {
            self.init(group: nil, reason: refusal.reason, disk: disk)
        }
    }

    /// What holds shadows to their limits on this host, for people; changes nothing.
    package static func outlook() throws -> String {
        do {
            return "\(kernelWords), below \(try answer { try ControlGroupPlace.find() }.base)"
        } catch let refusal as ControlGroupPlace.Refusal {
            return LimitKeeper(watchingBecause: refusal.reason).words
        }
    }

    /// A group without processes of its own.
    private static func vacatedPlace() throws -> FilePath {
        try answer {
            var place = try ControlGroupPlace.find()
            // What was started meanwhile was not among those that were moved.
            for _ in 0..<100 where !place.occupants.isEmpty {
                try place.vacate()
                place = try ControlGroupPlace.find()
            }
            return place.base
        }
    }

    /// Whatever the kernel answers to the wish for a group is a reason to do without.
    private static func answer<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let failure as FileFailure {
            throw ControlGroupPlace.Refusal(reason: "\(failure)")
        }
    }

    /// What one shadow may use, under a name that no other one has.
    package func allowance(_ name: String, _ limits: ShadowLimits) throws -> Allowance {
        Allowance(limits, group: try group?.child(name, limits), disk: disk)
    }

    /// Who it is, for people.
    package var words: String {
        group == nil
            ? "by Understudy's own watch, every \(Allowance.milliseconds) ms, because \(reason)"
            : Self.kernelWords
    }

    private static let kernelWords = "by cgroup v2"
}
