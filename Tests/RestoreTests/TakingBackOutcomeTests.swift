import Drivers
import Testing

@testable import Restore

/// What a taking back that did not go well says.
@Suite struct TakingBackOutcomeTests {
    @Test func whatIsKeptAndWhatIsNotTakenUpIsToldBesideWhatFailed() {
        var outcome = TakingBack.Outcome()
        outcome.kept = ["what was written to /a since is kept as /b"]
        outcome.untaken = [DriverFailure("ci does not read its files", hint: "restart it")]
        outcome.down = [(component: "database", message: "no room")]
        let failure = outcome.failure(of: DriverFailure("it broke", hint: "mend it"), again: "run it again")
        for words in [
            "it broke", "is kept as /b", "database is down: no room",
            "not taken up: ci does not read its files (restart it)",
        ] {
            #expect(failure.description.contains(words), "\(failure)")
        }
    }
}
