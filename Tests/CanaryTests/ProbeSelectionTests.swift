import Judge
import Testing

@testable import Canary

@Suite struct ProbeSelectionTests {
    @Test func whatTheChangeRemovesOnPurposeIsNoProbe() {
        let jobs = ["deploy-a", "deploy-b", "nightly", "verify"].map { ObjectName("builder", $0) }
        let selection = ProbeSelection(
            .init(names: ["deploy-*"], usingChange: false, mostUsed: 2, atMost: 4))
        #expect(selection.choose(jobs).map(\.name) == ["deploy-a", "deploy-b"])
        #expect(selection.choose(jobs, without: [jobs[0]]).map(\.name) == ["deploy-b", "nightly"])
    }
}
