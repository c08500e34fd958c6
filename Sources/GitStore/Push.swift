package import Git
internal import Programs
package import SnapshotModel

/// What a push would bring to a remote, before it does anything.
package struct PushPlan: Sendable {
    /// The remote.
    package var remote: Remote
    /// What it holds.
    package var view: RemoteView
    /// The history commit that it gets, nil when it has it already.
    package var history: ObjectID?
    /// The snapshots that it gets, oldest first.
    package var snapshots: [SnapshotReference]
    /// What it lacks and cannot get, since it is lost here or stands on what is, and why.
    package var unsendable: [String]
    /// The last records of each kind of evidence that it gets.
    package var evidence: [(kind: String, commit: ObjectID)]
    /// What is there and is not ours: nothing is pushed over it.
    package var conflicts: [String]
    /// Snapshots that are there and not here.
    package var onlyThere: [SnapshotID]
    /// What was there when it was looked at last, and is not there now.
    package var lost: [String]

    /// Whether there is nothing to do.
    package var isEmpty: Bool { history == nil && snapshots.isEmpty && evidence.isEmpty }
}

/// Brings a system's history, snapshots and evidence to the store's git remotes, and never over what somebody else put there.
///
/// History goes first, as far as the oldest snapshots that follow need it, then these, and evidence last: so nothing is
/// seen there before what it stands on. Snapshots go oldest first and few at a time: what has arrived stays when a line is
/// cut, and the next push goes on behind it.
package struct Push: Sendable {
    private let store: SnapshotStore
    private let system: String
    /// Snapshots in one go, after a first one that usually brings most of the weight.
    private static let batch = 8

    /// A push of a system's part of a store.
    package init(_ store: SnapshotStore, system: String) {
        self.store = store
        self.system = system
    }

    /// Looks at a remote and says what it lacks.
    package func plan(_ remote: Remote, now: Int64) async throws -> PushPlan {
        let remotes = Remotes(store)
        let view = try await remotes.look(at: remote, system: system, now: now)
        let own = try store.snapshots(of: system)
        var plan = PushPlan(
            remote: remote, view: view, history: nil, snapshots: [], unsendable: [], evidence: [],
            conflicts: [], onlyThere: [],
            lost: try remotes.lost(view, of: remote.name))
        for snapshot in own {
            switch view.snapshots[snapshot.id.description] {
            case nil: plan.snapshots.append(snapshot)
            case snapshot.commit.description: break
            case .some(let other):
                plan.conflicts.append(
                    "the snapshot \(snapshot.id) is \(snapshot.commit) here and \(other) there")
            }
        }
        let ids = Set(own.map(\.id.description))
        plan.onlyThere = view.snapshots.keys.filter { !ids.contains($0) }.compactMap { SnapshotID($0) }
            .sorted()
        try leaveOutWhatIsLost(&plan)
        for (kind, commit) in try evidence() {
            let what = "the evidence of \(kind)"
            switch try standing(of: commit, to: view.evidence[kind]) {
            case .goesOn: plan.evidence.append((kind, commit))
            case .isThere: break
            case .apart: plan.conflicts.append(conflict(what, view.evidence[kind]))
            case .unknown(let line): plan.unsendable.append(words(what, cutOff: line))
            }
        }
        return plan
    }

    /// Decides how far history goes, and takes the snapshots out that cannot be read or stand on history that is lost.
    private func leaveOutWhatIsLost(_ plan: inout PushPlan) throws {
        let reader = try store.reader()
        var parents: [SnapshotID: ObjectID] = [:]
        plan.snapshots = try plan.snapshots.filter { snapshot in
            do {
                parents[snapshot.id] = try store.read(snapshot, with: reader).commit.parents.first
                return true
            } catch {
                plan.unsendable.append(
                    "the snapshot \(snapshot.id) is lost: \(try StoreSurvey.reason(error))")
                return false
            }
        }
        guard let tip = try store.reference("refs/heads/\(system)") else { return }
        let what = "the history refs/heads/\(system)"
        // What cannot be brought, for it is lost or what it stands on is.
        var cutOff: Set<ObjectID> = []
        // Where the whole of it cannot be brought, it goes as far as a snapshot needs it that can be.
        for commit in [tip] + plan.snapshots.reversed().compactMap({ parents[$0.id] })
        where plan.history == nil && !cutOff.contains(commit) {
            switch try standing(of: commit, to: plan.view.history) {
            case .goesOn: plan.history = commit
            case .isThere: break
            case .apart where commit == tip: plan.conflicts.append(conflict(what, plan.view.history))
            case .apart: cutOff.insert(commit)
            case .unknown(let line):
                cutOff.formUnion(line.commits)
                if commit == tip { plan.unsendable.append(words(what, cutOff: line)) }
            }
            guard commit != tip || !cutOff.isEmpty else { break }
        }
        plan.snapshots.removeAll { snapshot in
            guard let parent = parents[snapshot.id], cutOff.contains(parent) else { return false }
            plan.unsendable.append(Self.words(cutOff: snapshot))
            return true
        }
    }

    /// Refuses to hand on what holds secrets in clear: a snapshot or a piece of history whose system file named nobody to
    /// seal to.
    ///
    /// `isSealing` says of the text of a system file whether it names recipients.
    package func refuseWhatIsInClear(_ plan: PushPlan, isSealing: ([UInt8]) -> Bool) throws {
        try store.refuseWhatIsInClear(plan.snapshots, purpose: "pushed")
        guard let tip = plan.history else { return }
        try store.refuseHistoryInClear(
            tip, downTo: plan.view.history.flatMap { ObjectID(hex: $0.utf8) }, purpose: "pushed",
            isSealing: isSealing)
    }

    /// Does what a plan without conflicts says; `progress` is told how far it came.
    ///
    /// Returns what the remote holds afterwards, and why it did not get snapshots of which something is lost. Throws a
    /// ``StoreFailure`` when git could not bring something else; what arrived before stays, and is remembered.
    package func run(
        _ plan: PushPlan, progress: @Sendable (String) -> Void
    ) async throws -> (view: RemoteView, unsendable: [String]) {
        precondition(plan.conflicts.isEmpty, "what is not ours is not pushed over")
        var view = plan.view
        let unsendable: [String]
        do {
            unsendable = try await run(plan, &view, progress)
        } catch {
            try Remotes(store).keep(view, of: plan.remote.name)
            throw error
        }
        try Remotes(store).keep(view, of: plan.remote.name)
        return (view, unsendable)
    }

    private func run(
        _ plan: PushPlan, _ view: inout RemoteView, _ progress: @Sendable (String) -> Void
    ) async throws -> [String] {
        let remote = plan.remote
        // Where in history each commit stands, newest first: it only ever moves forward there.
        let line =
            plan.history == nil
            ? []
            : try store.chain(
                plan.history, downTo: view.history.flatMap { ObjectID(hex: $0.utf8) })
        let reader = try store.readerWithoutDamage()
        var unsendable: [String] = []
        // Those before it in the line cannot be brought: one of them is lost in part, and the others stand on it.
        var whole = 0
        // False where the commit is one of those.
        func moveHistory(to commit: ObjectID) async throws -> Bool {
            guard let new = line.firstIndex(of: commit) else { return true }
            guard new >= whole else { return false }
            let current =
                view.history.flatMap { id in line.firstIndex { $0.description == id } } ?? line.count
            guard new < current else { return true }
            do {
                try await push(["\(commit):refs/heads/\(system)"], to: remote)
            } catch let failure as StoreFailure {
                guard let lost = try firstLoss(in: line, new..<current, reader) else { throw failure }
                whole = lost.place + 1
                unsendable.append("the history refs/heads/\(system) is lost in part: \(lost.error)")
                return false
            }
            view.history = commit.description
            return true
        }
        var left = plan.snapshots[...]
        // Those before it go alone: one of them failed with all that went with it.
        var aloneUntil = 1
        while !left.isEmpty {
            var batch = Array(left.prefix(left.startIndex < aloneUntil ? 1 : Self.batch))
            let end = left.startIndex + batch.count
            let last = batch[batch.count - 1]
            progress(
                "pushing to \(remote.name): \(last.id), \(end) of \(counted(plan.snapshots.count, "snapshot"))"
            )
            for snapshot in batch {
                guard let parent = try store.commit(snapshot.commit, with: reader).parents.first,
                    try await !moveHistory(to: parent)
                else { continue }
                // One that failed with others is met again alone.
                let words = Self.words(cutOff: snapshot)
                if !unsendable.contains(words) { unsendable.append(words) }
                batch.removeAll { $0 == snapshot }
            }
            guard !batch.isEmpty else {
                left = left[end...]
                continue
            }
            // Made only where nothing of the name is.
            let leases = batch.map { "--force-with-lease=\(name($0)):" }
            do {
                try await push(leases + [remote.name], batch.map { "\($0.commit):\(name($0))" }, to: remote)
                for snapshot in batch {
                    view.snapshots[snapshot.id.description] = snapshot.commit.description
                }
            } catch let failure as StoreFailure {
                let losses = try batch.compactMap { try loss(of: $0, reader) }
                let isForgotten = try batch.contains { try store.reference(name($0)) == nil }
                guard !losses.isEmpty || isForgotten else { throw failure }
                guard batch.count == 1 else {
                    aloneUntil = end
                    continue
                }
                // A prune took it meanwhile.
                if !isForgotten { unsendable += losses }
            }
            left = left[end...]
        }
        if let history = plan.history, try await !moveHistory(to: history), whole < line.count {
            // As far as it is whole.
            _ = try await moveHistory(to: line[whole])
        }
        for (kind, commit) in plan.evidence {
            progress("pushing to \(remote.name): evidence of \(kind)")
            try await push(["\(commit):refs/evidence/\(system)/\(kind)"], to: remote)
            view.evidence[kind] = commit.description
        }
        return unsendable
    }

    /// The oldest of some commits of history that is lost in part, and why, nil when all are whole.
    private func firstLoss(
        in line: [ObjectID], _ places: Range<Int>, _ reader: ObjectReader
    ) throws -> (place: Int, error: GitError)? {
        let met = ObjectSet()
        for place in places.reversed() {
            do {
                try reader.reach(from: [store.commit(line[place], with: reader).tree], into: met)
            } catch let error as GitError where error.isLoss {
                return (place, error)
            }
        }
        return nil
    }

    private static func words(cutOff snapshot: SnapshotReference) -> String {
        "the snapshot \(snapshot.id) stands on history that is lost"
    }

    /// What a snapshot lacks, nil when all that it holds is there.
    private func loss(of snapshot: SnapshotReference, _ reader: ObjectReader) throws -> String? {
        do {
            let tree = try store.commit(snapshot.commit, with: reader).tree
            try reader.reach(from: [tree], into: ObjectSet())
            return nil
        } catch let error as GitError where error.isLoss {
            return "the snapshot \(snapshot.id) is damaged: \(error)"
        }
    }

    private func name(_ snapshot: SnapshotReference) -> String { "refs/snapshots/\(system)/\(snapshot.id)" }

    private func push(_ specifications: [String], to remote: Remote) async throws {
        try await push([remote.name], specifications, to: remote)
    }

    private func push(_ arguments: [String], _ specifications: [String], to remote: Remote) async throws {
        let outcome = try await RemoteGit.program(
            store.path, ["push", "--quiet", "--no-thin"] + arguments + specifications
        ).run()
        guard outcome.status == 0 else { throw RemoteGit.failure("push to the remote", remote, outcome) }
    }

    /// The last record of each kind of evidence.
    private func evidence() throws -> [(kind: String, commit: ObjectID)] {
        let prefix = "refs/evidence/\(system)/"
        return try store.references(prefix).map { (String($0.name.dropFirst(prefix.count)), $0.target) }
    }

    /// How a commit of ours stands to the last one that a remote holds of its chain.
    private enum Standing {
        /// It goes on from there, or there is nothing there.
        case goesOn
        /// It is there already.
        case isThere
        /// Neither: it is of somebody else.
        case apart
        /// Commits between the two are lost, or before the one that is to begin there.
        case unknown(SnapshotStore.Line)
    }

    private func standing(of own: ObjectID, to theirs: String?) throws -> Standing {
        guard theirs != own.description else { return .isThere }
        let end = theirs.flatMap { ObjectID(hex: $0.utf8) }
        let reader = try store.reader()
        var line = try store.line(own, downTo: end)
        if line.meetsEnd, let end {
            do {
                // git goes on from what is there only where it has it.
                _ = try store.commit(end, with: reader)
                return .goesOn
            } catch let error as GitError where error.isLoss {
                line.commits.append(end)
                line.loss = error
                return .unknown(line)
            }
        }
        if end == nil, line.loss == nil { return .goesOn }
        // It may be ahead of us, where we have seen it: nothing to bring.
        if let end, reader.contains(end), try store.line(end, downTo: own).meetsEnd { return .isThere }
        return line.loss == nil ? .apart : .unknown(line)
    }

    private func conflict(_ what: String, _ theirs: String?) -> String {
        "\(what) goes on there with \(theirs ?? "nothing"), which is no part of what is here"
    }

    private func words(_ what: String, cutOff line: SnapshotStore.Line) -> String {
        "\(what) is lost in part: \(line.loss?.description ?? "it ends")"
    }
}
