import Testing

@testable import Judge

@Suite struct BootComparisonTests {
    @Test func itemsAreNewOrGoneStableOrFlaky() {
        let comparison = BootComparison(
            baseline: [["noise", "kept", "lost", "wavering"], ["kept", "lost", "wavering"]],
            candidate: [["kept", "new", "sometimes", "noise"], ["kept", "new", "wavering"]])
        #expect(comparison.newStable == ["new"])
        #expect(comparison.newFlaky == ["sometimes"])
        #expect(comparison.goneStable == ["lost"])
        #expect(comparison.goneFlaky == ["wavering"])
        #expect(comparison.preexisting == ["kept", "lost", "noise", "wavering"])
    }

    @Test func whatTheBaselineEverShowsIsNotHeldAgainstTheCandidate() {
        let comparison = BootComparison(baseline: [["noise"], []], candidate: [["noise"], ["noise"]])
        #expect(comparison.newStable.isEmpty && comparison.newFlaky.isEmpty)
    }

    @Test func swappedArmsSwapNewAndGone() {
        let (left, right) = ([Set(["a", "b"]), ["b"]], [Set(["b", "c"]), ["c"]])
        let there = BootComparison(baseline: left, candidate: right)
        let back = BootComparison(baseline: right, candidate: left)
        #expect(there.newStable == back.goneStable && there.goneStable == back.newStable)
    }

    @Test func noBootsShowNothing() {
        let comparison = BootComparison<String>(baseline: [], candidate: [])
        #expect(comparison.newStable.isEmpty && comparison.goneStable.isEmpty)
    }
}
