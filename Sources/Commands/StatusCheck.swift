internal import Capture
internal import Configuration
internal import Git
internal import GitStore
internal import Nightly
internal import Restore
internal import SnapshotModel

/// What a monitor asks: is anything older than the policy allows, or in a state that somebody must look at.
struct StatusCheck: Encodable {
    /// Of when the state is that the last snapshot of each kind holds.
    var last = Freshness.Times()
    /// The last drill, nil when none was held.
    var lastDrill: DrillRun?
    /// The last green drill.
    var lastGreenDrill: DrillRun?
    /// What is wrong.
    var problems: [NightReport.Problem] = []
    /// Who changes production just now: what is there is no state that can be judged; nil when nobody does.
    var running: String?
    /// What the store holds and nobody can read; one of the problems.
    var lost: [StoreSurvey.Loss] = []

    /// Looks at the store and at what its remotes were last seen to hold, and at nothing of the live system.
    init(_ session: Session, _ policy: NotifyPolicy) async throws {
        let store = try session.store()
        let reader = try store.reader()
        var survey = StoreSurvey(store, system: session.system.name, with: reader)
        let proven = try survey.provenSnapshots()
        let remotes = Remotes(store)
        let views = try await remotes.list().map { try remotes.view($0.name) }
        let now = Clock.now.seconds
        let snapshots = try store.snapshots(of: session.system.name)
        let ahead = try snapshots.last {
            try survey.commit($0).map { $0.time - now > Freshness.clockTolerance } ?? false
        }
        for reference in snapshots.reversed() {
            guard last.complete == nil || last.proven == nil || last.pushed == nil else { break }
            guard try survey.isSafety(reference) == false, let stored = try survey.read(reference) else {
                continue
            }
            // A snapshot of the future would never be too old.
            guard stored.commit.time - now <= Freshness.clockTolerance else { continue }
            let isComplete = stored.snapshot.status == .complete
            if last.complete == nil, isComplete { last.complete = stored.stateTime }
            if last.proven == nil, proven.contains(reference.id) { last.proven = stored.stateTime }
            let isEverywhere = views.allSatisfy { $0?.lacks(of: [reference]).isEmpty ?? false }
            if last.pushed == nil, isComplete, isEverywhere, !views.isEmpty {
                last.pushed = stored.stateTime
            }
        }
        problems = Freshness.problems(
            last,
            limits: .init(
                complete: policy.maxCompleteAge ?? policy.targetRPO
                    ?? session.policy.warnAfter.components.seconds,
                pushed: policy.maxPushedAge, proven: policy.maxProvenAge),
            now: now)
        if let ahead {
            let seconds = try store.commit(ahead.commit, with: reader).time - now
            problems.append(
                Freshness.ahead(
                    ahead.id.description, by: seconds, system: session.system.name, store: store.path))
        }
        let drills = try DrillHistory(&survey)
        lastDrill = drills.last
        lastGreenDrill = drills.lastGreen
        problems += DrillRun.problems(last: lastDrill, lastGreen: lastGreenDrill, target: policy.targetRTO)
        running = try Recovery.running(store)
        if let found = try Recovery.lookFromOutside(store) {
            problems.append(.init("restore", found.words, hint: found.hint))
        }
        try survey.addKnownDamage()
        lost = survey.losses
        if let first = lost.first {
            let more =
                lost.count > 1
                ? "; and \(lost.count - 1) more: \(lost.dropFirst().map(\.what).joined(separator: ", "))" : ""
            problems.append(.init("lost", first.words + more, hint: StoreSurvey.advice(on: lost)))
        }
    }

    /// Adds what the last night found and nobody fixed since.
    mutating func addLastNight(_ session: Session) throws {
        let local = try session.store().localDirectory
        if let problem = try NightMark.look(local) { problems.append(problem) }
        guard let night = try NightReport.read(local) else { return }
        // Ages, the clock, drills and interrupted restores were looked at just now.
        problems += night.problems.filter {
            !["age", "proof", "red", "target", "restore", "lost"].contains($0.kind)
                && $0.cause != Freshness.future
        }
    }

    /// For people.
    var words: String {
        let found =
            problems.isEmpty ? ["ok"] : problems.map { "PROBLEM: \($0.message)\n         \($0.hint)" }
        return (found + (running.map { ["running: \($0)"] } ?? [])).joined(separator: "\n")
    }
}
