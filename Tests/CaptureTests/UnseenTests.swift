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
        #expect(Unseen(whole, blind).laterWords.map { $0.hasSuffix(": an I/O error") } == [true])
        #expect(Unseen(blind, whole).laterWords.isEmpty && Unseen(blind, blind).laterWords.isEmpty)
    }

    /// Whatever its name is spelled like as a path.
    @Test func whatIsThereAndCouldNotBeLookedAtIsOnlyUnknown() {
        let whole = CapturedComponent(name: "db", driver: "postgresql", version: nil, roots: [])
        var blind = whole
        blind.unreadable = [.init(path: "database/my%20shop", reason: "down")]
        let before = Inventory(items: [
            .init(kind: "database", name: "my shop", detail: "1 tables"),
            .init(kind: "table", name: "my shop public.a", detail: "1 rows"),
            .init(kind: "table", name: "other public.b", detail: "1 rows"),
        ])
        var shop = Inventory.Item(kind: "database", name: "my shop", detail: "not captured")
        shop.isUnknown = true
        let after = Inventory(items: [shop])
        func changes(from before: Inventory, to after: Inventory) -> [Change] {
            before.changes(to: after, component: "db") { $0 < $1 }
        }
        let now = Unseen(whole, blind).told(changes(from: before, to: after), from: before, to: after)
        #expect(now.map(\.name) == ["other public.b"])
        let then = Unseen(blind, whole).told(changes(from: after, to: before), from: after, to: before)
        #expect(then.map(\.name) == ["other public.b"])
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

    /// Builders are in the master, and packages in the environment; a worker's directory holds neither.
    @Test(arguments: [
        ("workers/w1", ["app", "buildbot"]), ("environment", ["app"]), ("master", [] as [String]),
    ])
    func whatLiesInNoMissingRootIsGone(_ missing: String, _ gone: [String]) {
        let roots = ["master", "workers/w1", "environment"].map { name in
            CapturedComponent.CapturedRoot(name: name, path: "/\(name)", kind: .directory)
        }
        let whole = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: roots)
        var blind = whole
        // Without its master nothing of a Buildbot is captured.
        blind.roots = missing == "master" ? [] : roots.filter { $0.name != missing }
        blind.unreadable = roots.filter { !blind.roots.contains($0) }
            .map { .init(path: "\($0.name)/.", reason: "\($0.path) is not there") }
        let before = Inventory(items: [
            .init(kind: "builder", name: "app"), .init(kind: "package", name: "buildbot", version: "4.0"),
        ])
        let removed = before.changes(to: Inventory(), component: "ci") { $0 < $1 }
        let told = Unseen(whole, blind).told(removed, from: before, to: Inventory())
        #expect(told.map(\.name).sorted() == gone)
        let added = Inventory().changes(to: before, component: "ci") { $0 < $1 }
        let then = Unseen(blind, whole).told(added, from: Inventory(), to: before)
        #expect(then.map(\.name).sorted() == gone)
    }

    /// Builders are listed in a database, and packages are not.
    @Test func withoutTheDatabaseBuildersAreUnknown() {
        let master = CapturedComponent.CapturedRoot(name: "master", path: "/master", kind: .directory)
        var whole = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: [master])
        whole.locks = ["inventory.lock": "1", "python.lock": "2"]
        var blind = whole
        blind.locks["inventory.lock"] = nil
        blind.unreadable = [.init(path: "master/state.sqlite", reason: "database is locked")]
        let before = Inventory(items: [
            .init(kind: "builder", name: "app"), .init(kind: "package", name: "buildbot", version: "4.0"),
        ])
        let removed = before.changes(to: Inventory(), component: "ci") { $0 < $1 }
        #expect(
            Unseen(whole, blind).told(removed, from: before, to: Inventory()).map(\.name) == ["buildbot"])
        let added = Inventory().changes(to: before, component: "ci") { $0 < $1 }
        #expect(Unseen(blind, whole).told(added, from: Inventory(), to: before).map(\.name) == ["buildbot"])
        // With a list of its own it is known what is gone.
        blind.locks = whole.locks
        #expect(Unseen(whole, blind).told(removed, from: before, to: Inventory()).count == 2)
    }

    /// A job is in the home, and the core is the war.
    @Test func withoutTheWarOnlyTheCoreIsUnknown() {
        let home = CapturedComponent.CapturedRoot(name: "home", path: "/home", kind: .directory)
        let war = CapturedComponent.CapturedRoot(name: "war", path: "/jenkins.war", kind: .file)
        let whole = CapturedComponent(name: "ci", driver: "jenkins", version: nil, roots: [home, war])
        var blind = whole
        blind.roots = [home]
        blind.unreadable = [.init(path: "war/.", reason: "/jenkins.war is not a regular file")]
        let before = Inventory(items: [
            .init(kind: "core", name: "jenkins-core", files: [EntryPath("war"), EntryPath("war.disabled")]),
            .init(kind: "job", name: "app", files: [EntryPath("jobs/app/config.xml")]),
        ])
        let changes = before.changes(to: Inventory(), component: "ci") { $0 < $1 }
        let told = Unseen(whole, blind).told(changes, from: before, to: Inventory())
        #expect(told.map(\.name) == ["app"])
        blind.roots = []
        blind.unreadable.append(.init(path: "home/.", reason: "/home is not a JENKINS_HOME"))
        #expect(Unseen(whole, blind).told(changes, from: before, to: Inventory()).isEmpty)
    }
}
