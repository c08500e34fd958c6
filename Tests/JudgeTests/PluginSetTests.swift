import Foundation
import Testing

@testable import Judge

/// Which plugins were to be at work, and which are.
@Suite struct PluginSetTests {
    private let planned = PluginSet(kind: "plugin", versions: ["git": "5.5.2", "mailer": "1.1", "scm": "2"])

    @Test func whatIsMissingIdleOrOfAnotherVersionIsNamed() {
        let seen = PluginSet(
            kind: "plugin", versions: ["git": "5.2.1", "extra": "1"], idle: ["mailer": "1.1 is switched off"])
        let differences = planned.differences(in: seen)
        #expect(
            differences.map { "\($0.kind) \($0.object): \($0.detail)" } == [
                "plugin-missing plugin mailer: 1.1 was to be at work, and it is not: 1.1 is switched off",
                "plugin-missing plugin scm: 2 was to be at work, and it is not there",
                "plugin-unplanned plugin extra: 1 is at work, and nothing said that it would be",
                "plugin-version plugin git: 5.5.2 was to be at work, and 5.2.1 is",
            ])
        #expect(differences.allSatisfy { !$0.lines.isEmpty })
        #expect(planned.lacks(in: seen).map(\.object.name) == ["mailer", "scm", "git"])
        #expect(planned.differences(in: planned).isEmpty)
    }

    @Test func onlyWhatEveryBootHadInOneVersionIsExpected() {
        var other = planned
        other.versions["git"] = "5.2.1"
        other.versions["scm"] = nil
        #expect(PluginSet.common(to: [planned, other])?.versions == ["mailer": "1.1"])
        #expect(PluginSet.common(to: [planned]) == planned)
        #expect(PluginSet.common(to: []) == nil)
    }

    /// The candidate's plan is the baseline's with git in another version; `loaded` is what every boot of the candidate has.
    private func rehearsal(
        plan before: String = "5.2.1", loads loadedBefore: String = "5.2.1", candidate loaded: PluginSet?
    ) throws -> Rehearsal {
        var rehearsal = try Rehearsal()
        for index in rehearsal.evidence.boots.indices {
            var plan = planned
            guard rehearsal.evidence.boots[index].arm == .baseline else {
                rehearsal.evidence.boots[index].planned = plan
                rehearsal.evidence.boots[index].plugins = loaded
                continue
            }
            plan.versions["git"] = before
            rehearsal.evidence.boots[index].planned = plan
            plan.versions["git"] = loadedBefore
            rehearsal.evidence.boots[index].plugins = plan
        }
        return rehearsal
    }

    @Test func aPluginInAnotherVersionThanPlannedStopsTheChange() throws {
        var loaded = planned
        #expect(try rehearsal(candidate: loaded).verdict.result == .pass)
        loaded.versions["git"] = "5.2.1"
        let stopped = try rehearsal(candidate: loaded)
        #expect(stopped.verdict.result == .fail)
        let finding = try #require(try stopped.stage(.boot).findings.first)
        #expect(finding.kind == "plugin-version" && finding.severity == .critical)
        #expect(finding.object == ObjectName("plugin", "git"))
        #expect(
            finding.evidence == ["git: planned 5.5.2; 5.5.2 was to be at work, and 5.2.1 is"])
        loaded.versions["git"] = nil
        #expect(try rehearsal(candidate: loaded).verdict.result == .fail)
    }

    /// A copy that was in the way before the change, and is in the way of what the change brings.
    @Test func aCopyThatWasAlwaysInTheWayHidesNoUpgrade() throws {
        var loaded = planned
        loaded.versions["git"] = "4.0"
        #expect(try rehearsal(loads: "4.0", candidate: loaded).verdict.result == .fail)
        // What the change leaves alone is no fault of the change.
        #expect(try rehearsal(plan: "5.5.2", loads: "4.0", candidate: loaded).verdict.result == .pass)
    }

    @Test func moreThanWasPlannedIsANoteAndWhatNobodySawIsNothing() throws {
        var loaded = planned
        loaded.versions["extra"] = "1"
        let more = try rehearsal(candidate: loaded)
        #expect(more.verdict.result == .pass)
        #expect(
            try more.stage(.boot).findings.contains { $0.kind == "plugin-unplanned" && $0.severity == .note })
        #expect(try rehearsal(candidate: nil).verdict.result == .pass)
    }

    @Test func evidenceOfBeforeIsStillRead() throws {
        let text = try #require(String(data: bytes(try Rehearsal().evidence), encoding: .utf8))
        #expect(!text.contains("\"plugins\""))
        #expect(try JSONDecoder().decode(Evidence.self, from: Data(text.utf8)).boots.count == 4)
    }
}
