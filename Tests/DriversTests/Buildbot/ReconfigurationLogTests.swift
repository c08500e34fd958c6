import Testing

@testable import Drivers

/// How a reconfiguration came out, read from a master's log.
@Suite struct ReconfigurationLogTests {
    private static let start = "2026-11-26 07:00:00+0000 [-] beginning configuration update\n"

    @Test(arguments: [
        (
            "2026-11-26 07:00:01+0000 [-] configuration update complete (took 0.1 seconds)\n",
            ReconfigurationLog.Outcome.complete
        ),
        (
            "2026-11-26 07:00:01+0000 [-] error while parsing config file: invalid syntax\n"
                + "2026-11-26 07:00:01+0000 [-] configuration update aborted without making any changes (took 0.0 seconds)\n",
            .aborted("error while parsing config file: invalid syntax")
        ),
        (
            "2026-11-26 07:00:01+0000 [-] during reconfig:\n\tTraceback (most recent call last):\n\t  File \"x\", line 1, in y\n"
                + "\tbuiltins.RuntimeError: no\n"
                + "2026-11-26 07:00:01+0000 [-] WARNING: configuration update partially applied; master may malfunction (took 1 seconds)\n",
            .partial("during reconfig:; builtins.RuntimeError: no")
        ),
    ])
    func itsLastWordCounts(text: String, outcome: ReconfigurationLog.Outcome) {
        #expect(ReconfigurationLog(Self.start + text).outcome == outcome)
        #expect(
            ReconfigurationLog(Self.start + text + Self.start).outcome == nil, "one that is still going on")
    }

    @Test func nothingIsSaidOfAReconfigurationThatHasNotEnded() {
        #expect(ReconfigurationLog("").outcome == nil)
        #expect(
            ReconfigurationLog(Self.start + "2026-11-26 [-] reconfig is ongoing for 10.000 s\n").outcome
                == nil)
    }
}
