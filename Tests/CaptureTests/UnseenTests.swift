import SnapshotModel
import Testing

@testable import Capture

/// What one of two states could not look at is neither gone nor new.
@Suite struct UnseenTests {
    @Test(arguments: ["srv/.", "srv/sub", "srv/sub/a"])
    func whatLiesBelowWhatCouldNotBeReadIsNotGone(_ path: String) {
        let root = CapturedComponent.CapturedRoot(name: "srv", path: "/srv", kind: .directory)
        let whole = CapturedComponent(name: "proxy", driver: "files", version: nil, roots: [root])
        var blind = whole
        blind.unreadable = [.init(path: path, reason: "an I/O error")]
        let file = FileChange(
            root: "srv", path: EntryPath("sub/a"), change: .removed, detail: "", entryClass: .config)
        #expect(Unseen(whole, blind).hides(file))
        #expect(!Unseen(blind, whole).hides(file))
        #expect(!Unseen(whole, whole).hides(file))
    }
}
