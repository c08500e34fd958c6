import SnapshotModel
import Testing

/// Renames, and what changed inside an item: pure values.
@Suite struct InventoryChangesTests {
    private func job(
        _ name: String, script: [String] = ["a", "b", "c", "d", "e", "f"], digest: String? = nil,
        more: [Inventory.Facet] = []
    ) -> Inventory.Item {
        var item = Inventory.Item(
            kind: "job", name: name, digest: digest ?? script.joined(separator: "|") + "\(more)")
        item.facets = [.init("script", "", script.joined(separator: "\n"))] + more
        return item
    }

    private func changes(_ before: [Inventory.Item], _ after: [Inventory.Item], tellsAll: Bool = false)
        -> [Change]
    {
        Inventory(items: before).changes(to: Inventory(items: after), component: "ci", tellsAll: tellsAll) {
            $0 < $1
        }
    }

    private func words(_ changes: [Change]) -> [String] {
        changes.map { "\($0.was.map { "\($0) > " } ?? "")\($0.name) \($0.change.rawValue)" }
    }

    @Test func theSameContentsUnderAnotherNameAreARename() {
        let found = changes(
            [job("old"), job("stays", script: ["x"])], [job("new"), job("stays", script: ["x"])])
        #expect(words(found) == ["old > new renamed"])
        #expect(found[0].detail == "old → new")
    }

    @Test func aRenameWithAChangeIsTellsBoth() throws {
        let found = changes([job("old")], [job("new", script: ["a", "b", "c", "d2", "e", "f", "g"])])
        #expect(words(found) == ["old > new renamed"])
        let part = try #require(found[0].parts?.first)
        #expect(part.aspect == "script" && part.lines == ["@@", " b", " c", "-d", "+d2", " e", " f", "+g"])
        #expect(found[0].detail == "old → new; script")
    }

    @Test func whatHasLittleInCommonIsGoneAndNew() {
        #expect(
            words(changes([job("old")], [job("new", script: ["a", "x", "y", "z"])])) == [
                "new added", "old removed",
            ])
        let bare = Inventory.Item(kind: "builder", name: "one")
        #expect(
            words(changes([bare], [Inventory.Item(kind: "builder", name: "two")])) == [
                "one removed", "two added",
            ])
    }

    @Test func settingsThatEveryItemHasMakeNoLikeness() {
        let settings = (0..<20).map { Inventory.Facet("setting", "s\($0)", "false") }
        let found = changes([job("old", more: settings)], [job("new", script: ["z"], more: settings)])
        #expect(words(found) == ["new added", "old removed"])
    }

    @Test func amongEqualOnesTheLastNameDecidesAndOtherwiseNobodyGuesses() {
        let moved = changes([job("a"), job("b")], [job("team/a"), job("team/b")])
        #expect(words(moved) == ["a > team/a renamed", "b > team/b renamed"])
        let unclear = changes([job("a"), job("b")], [job("c"), job("d")])
        #expect(words(unclear) == ["a removed", "b removed", "c added", "d added"])
    }

    @Test func whatFollowsFromAFolderIsToldOnlyWhenAllIsAskedFor() {
        func folder(_ name: String) -> [Inventory.Item] {
            [job(name, script: ["folder"]), job("\(name)/one"), job("\(name)/two", script: ["x"])]
        }
        #expect(words(changes(folder("team"), folder("crew"))) == ["team > crew renamed"])
        #expect(changes(folder("team"), folder("crew"), tellsAll: true).count == 3)
    }

    @Test func stepsThatMovedAreReorderedAndOtherOrdersMeanNothing() {
        func steps(_ names: [String], isOrdered: Bool) -> [Inventory.Item] {
            [
                job(
                    "a", digest: "\(names)",
                    more: names.map { .init("step", "Shell", $0, isOrdered: isOrdered) })
            ]
        }
        let moved = changes(steps(["one", "two"], isOrdered: true), steps(["two", "one"], isOrdered: true))
        #expect(moved.first?.parts?.map(\.change) == [.reordered] && moved.first?.detail == "step")
        let none = changes(steps(["one", "two"], isOrdered: false), steps(["two", "one"], isOrdered: false))
        #expect(none.first?.parts?.isEmpty == true)
        let first = changes(
            steps(["one", "two"], isOrdered: true), steps(["zero", "one", "two"], isOrdered: true))
        #expect(first.first?.parts?.map { "\($0.change.rawValue) \($0.detail)" } == ["added zero"])
    }

    @Test func hiddenValuesAreComparedAndNeverShown() throws {
        func secret(_ value: String) -> [Inventory.Item] {
            [job("a", digest: value, more: [.init("property", "Token", value, isHidden: true)])]
        }
        let found = try #require(changes(secret("hunter2"), secret("hunter3")).first)
        #expect(found.parts == [.init(aspect: "property", name: "Token", change: .changed)])
        #expect(!"\(found)".contains("hunter"))
        let added = changes([job("a", digest: "x")], secret("hunter2"))
        #expect(!"\(added)".contains("hunter"))
    }

    @Test func manyThatVanishedAndManyThatCameCostNoQuadrillion() {
        let before = (0..<400).map { job("old-\($0)", script: ["a", "\($0)"]) }
        let after = (0..<400).map { job("new-\($0)", script: ["b", "\($0)"]) }
        #expect(changes(before, after).count == 800)
    }
}
