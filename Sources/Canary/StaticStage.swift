internal import Cryptography
internal import Drivers
internal import Judge
internal import Shadow
internal import SnapshotModel

/// What is done before anything boots.
extension CanaryRun {
    /// Makes the packages of the change part of the candidate, whichever stages the policy asks for.
    ///
    /// Throws when that fails and no stage is there to say so: an arm without the change would be judged for it.
    func apply(
        in candidate: Room, beside baseline: ShadowCopy, of restored: ShadowCopy
    ) async throws -> AppliedChange {
        progress("S0: applying the change to the candidate")
        let alike = try filesAlike(baseline, candidate.copy, restored)
        var applied = try await driver.apply(request.contents.change, in: candidate)
        let told = Set(applied.findings.filter { $0.kind == Finding.notRehearsed }.map(\.object))
        applied.findings += alike.map {
            .notRehearsed(
                $0,
                "what is changed in this file is taken out of every shadow, so that nothing of it can be tried",
                whenStarted: "the server")
        }.filter { !told.contains($0.object) }
        if !rules.stages.contains(.static),
            let first = Self.blocking(applied.findings, under: policy, rules).first
                ?? Self.hindrance(applied.findings)
        {
            throw CanaryFailure(
                .failed,
                "the change cannot be made, and the policy has no static stage that would judge that: "
                    + first.message, hint: first.advice)
        }
        evidence.change.parts =
            applied.parts
            + request.contents.change.files.map {
                .init(
                    ObjectName("file", "\($0.root)/\($0.path)"),
                    detail: $0.blob == nil ? "removed" : "changed")
            }
        evidence.digests = request.contents.archives.mapValues { hex(SHA256.digest($0)) }
        return applied
    }

    /// The changed files that are the same in both arms once they are harmless: what the change does to them was taken out again.
    private func filesAlike(
        _ baseline: ShadowCopy, _ candidate: ShadowCopy, _ restored: ShadowCopy
    ) throws -> [ComponentChange.File] {
        try request.contents.change.files.filter { file in
            let before = try restored.contents(root: file.root, path: file.path)
            // One that is given as it is already is no change.
            guard before != file.blob.flatMap({ request.contents.blobs[$0] }) else { return false }
            return try baseline.contents(root: file.root, path: file.path)
                == candidate.contents(root: file.root, path: file.path)
        }
    }

    /// The static stage: what can be told without a boot.
    func check(
        _ applied: AppliedChange, _ baseline: Room, _ candidate: Room
    ) async throws -> StageRun {
        evidence.findings += applied.findings
        var run = StageRun(.static, checks: ["every package of the change resolved and installed, offline"])
        let critical = applied.findings.filter { $0.severity == .critical }
        guard Self.blocking(critical, under: policy, rules).isEmpty else { return run }
        if let hindrance = Self.hindrance(critical) {
            // Whatever the policy calls it: all that follows would be seen in a candidate that is none.
            run.state = .broken
            run.reason = "the change could not be made part of the candidate: \(hindrance.message)"
            return run
        }
        progress("S0: checking both arms")
        let driver = driver
        async let left = driver.check(in: baseline)
        async let right = Self.check(candidate, driver)
        // What the baseline cannot do is not held against the candidate.
        let before = try await left
        let after: StaticCheck
        do {
            after = try await right.get()
        } catch let failure as ShadowFailure where failure.code == .timedOut {
            // The baseline's ended in time.
            evidence.findings.append(
                Finding(
                    stage: .static, kind: "hang", severity: .critical, object: ObjectName("shadow", "checks"),
                    message: "with the change a check of the configuration does not end: \(failure)",
                    advice: failure.hint))
            return run
        }
        run.checks += after.checks
        if let own = before.observations.first(where: { $0.kind == "configuration" }) {
            run.state = .broken
            run.reason = "production's own configuration does not load in a shadow: \(own.detail)"
            return run
        }
        let known = Set(before.observations.map { [$0.kind, $0.object.description, $0.detail] })
        for complaint in after.observations
        where !known.contains([complaint.kind, complaint.object.description, complaint.detail]) {
            evidence.findings.append(
                Finding(
                    stage: .static, kind: complaint.kind, severity: severity(complaint.kind),
                    object: complaint.object, message: complaint.detail, evidence: complaint.lines,
                    advice: advice(complaint.kind)))
        }
        return run
    }

    /// What kept a change from becoming part of the candidate, whatever that is worth under a policy; a file that is in no shadow
    /// keeps the rest of the change from nothing.
    static func hindrance(_ findings: [Finding]) -> Finding? {
        findings.first { $0.severity == .critical && $0.kind != Finding.notRehearsed }
    }

    /// What is complained of in an arm, or why that cannot be determined.
    private static func check(
        _ room: Room, _ driver: any ShadowDriver
    ) async -> Result<StaticCheck, any Error> {
        do {
            return .success(try await driver.check(in: room))
        } catch {
            return .failure(error)
        }
    }

    private func severity(_ kind: String) -> Severity {
        switch kind {
        case "configuration": .critical
        // A server may well read it: what it does read is seen in its round trip.
        case "newer-data": .minor
        default: .major
        }
    }

    private func advice(_ kind: String) -> String {
        switch kind {
        case "configuration":
            "production would not start with this: fix the configuration, or choose another version"
        case "requirement": "change the other package too, or choose a version that fits it"
        default: "choose another version, or ask its makers"
        }
    }
}
