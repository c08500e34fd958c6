import SnapshotModel
import Testing

@Suite struct InventoryTests {
    @Test func everyKindOfChangeIsSaidOnceAndInOrder() {
        let before = Inventory(items: [
            .init(kind: "job", name: "same", digest: "1"),
            .init(kind: "job", name: "gone", detail: "pipeline"),
            .init(kind: "job", name: "edited", digest: "1"),
            .init(kind: "job", name: "switched", digest: "1", detail: "enabled"),
            .init(kind: "plugin", name: "git", version: "5.2.1"),
            .init(kind: "plugin", name: "ant", version: "2"),
            .init(kind: "plugin", name: "old", version: "1.0"),
        ])
        let after = Inventory(items: [
            .init(kind: "plugin", name: "git", version: "5.5.2"),
            .init(kind: "plugin", name: "ant", version: "1"),
            .init(kind: "plugin", name: "new", version: "7", detail: "pinned"),
            .init(kind: "job", name: "same", digest: "1"), .init(kind: "job", name: "edited", digest: "2"),
            .init(kind: "job", name: "switched", digest: "2", detail: "disabled"),
        ])
        let changes = before.changes(to: after, component: "ci") { $0 < $1 }
        #expect(
            changes.map { "\($0.kind) \($0.name) \($0.change.rawValue): \($0.detail)" } == [
                "job edited changed: ", "job gone removed: pipeline",
                "job switched changed: enabled → disabled", "plugin ant downgraded: 2 → 1",
                "plugin git upgraded: 5.2.1 → 5.5.2", "plugin new added: 7, pinned",
                "plugin old removed: 1.0",
            ])
        #expect(changes.allSatisfy { $0.component == "ci" })
    }

    @Test func nothingChangedIsNoChange() {
        let inventory = Inventory(items: [.init(kind: "job", name: "a", version: "1", digest: "x")])
        #expect(inventory.changes(to: inventory, component: "ci") { $0 < $1 }.isEmpty)
        #expect(Inventory().changes(to: Inventory(), component: "ci") { $0 < $1 }.isEmpty)
    }

    @Test func theSameNameOfAnotherKindIsAnotherThing() {
        let before = Inventory(items: [.init(kind: "job", name: "a")])
        let after = Inventory(items: [.init(kind: "view", name: "a")])
        let changes = before.changes(to: after, component: "ci") { $0 < $1 }
        #expect(changes.map(\.change) == [.removed, .added])
    }
}
