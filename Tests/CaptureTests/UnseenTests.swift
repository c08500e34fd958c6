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

    /// Of a root that is not there nothing is gone, and of one beside it all that is.
    @Test func whatARootHeldThatIsNotThereIsNotGone() {
        func root(_ name: String) -> CapturedComponent.CapturedRoot {
            .init(name: name, path: "/\(name)", kind: .directory)
        }
        let whole = CapturedComponent(
            name: "sources", driver: "git-repositories", version: nil, roots: [root("srv/a"), root("srv/b")])
        var blind = whole
        blind.roots.removeLast()
        blind.unreadable = [.init(path: "srv/b/.", reason: "/srv/b is not there")]
        let before = Inventory(
            items: ["srv/a/x.git", "srv/b", "srv/b/y.git"].map { .init(kind: "repository", name: $0) })
        let changes = before.items.map {
            Change(component: "sources", kind: $0.kind, name: $0.name, change: .removed)
        }
        let told = Unseen(whole, blind).told(changes, from: before, to: Inventory())
        #expect(told.map(\.name) == ["srv/a/x.git"])
        #expect(Unseen(whole, blind).words == ["srv/b could not be read: /srv/b is not there"])
    }
}
