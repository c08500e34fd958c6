extension Inventory {
    private struct Key: Hashable {
        let kind: String
        let name: String
    }

    /// The changes that lead from this inventory to `newer`, sorted by kind and name.
    ///
    /// `isOlder(a, b)` says whether version `a` comes before version `b`, by the rules of the system. What follows from the
    /// renaming of a folder is left out unless `tellsAll`.
    package func changes(
        to newer: Inventory, component: String, tellsAll: Bool = false, isOlder: (String, String) -> Bool
    ) -> [Change] {
        func keyed(_ items: [Item]) -> [Key: Item] {
            Dictionary(items.map { (Key(kind: $0.kind, name: $0.name), $0) }) { first, _ in first }
        }
        let before = keyed(items)
        let after = keyed(newer.items)
        var gone = before.filter { after[$0.key] == nil }.map(\.value)
        var new = after.filter { before[$0.key] == nil }.map(\.value)
        var changes = Self.renames(&gone, &new, tellsAll: tellsAll).map { old, item in
            var change = Change(component: component, kind: item.kind, name: item.name, change: .renamed)
            change.was = old.name
            change.parts = Self.parts(from: old, to: item)
            let inside = Self.words(change.parts ?? [])
            change.detail = "\(old.name) → \(item.name)" + (inside.isEmpty ? "" : "; \(inside)")
            return change
        }
        for (item, kind) in new.map({ ($0, Change.Kind.added) }) + gone.map({ ($0, Change.Kind.removed) }) {
            changes.append(
                Change(
                    component: component, kind: item.kind, name: item.name, change: kind,
                    detail: [item.version ?? "", item.detail].filter { !$0.isEmpty }.joined(separator: ", ")))
        }
        for (key, item) in after {
            guard let old = before[key] else { continue }
            var change = Change(component: component, kind: item.kind, name: item.name, change: .changed)
            if let from = old.version, let to = item.version, from != to {
                change.change = isOlder(from, to) ? .upgraded : .downgraded
                change.versions = [from, to]
                change.detail = "\(from) → \(to)"
            } else if old.digest != item.digest || old.detail != item.detail {
                change.parts = Self.parts(from: old, to: item)
                change.detail =
                    old.detail == item.detail
                    ? Self.words(change.parts ?? []) : "\(old.detail) → \(item.detail)"
            } else {
                continue
            }
            changes.append(change)
        }
        return changes.sorted {
            ($0.kind, $0.name, $0.change.rawValue) < ($1.kind, $1.name, $1.change.rawValue)
        }
    }

    // MARK: Renaming

    /// How much of its contents an item must have kept to be the same under another name.
    private static let likeness = 0.6
    /// Beyond so many pairs only equal contents are looked for.
    private static let effort = 20_000

    /// Takes pairs out of what is gone and what is new that are one thing under two names.
    ///
    /// Equal contents decide, then what has most of its contents in common; among several that fit equally well one with the
    /// same last name is meant, as in a move to another folder, and otherwise none: nobody could tell.
    private static func renames(_ gone: inout [Item], _ new: inout [Item], tellsAll: Bool) -> [(Item, Item)] {
        struct Contents: Hashable {
            let kind: String
            let digest: String
            var lastName: Substring?
        }
        var pairs: [(old: Item, new: Item)] = []
        func pair(_ key: (Item) -> Contents) {
            let olds = Dictionary(grouping: gone.filter { !$0.facets.isEmpty }, by: key)
            let news = Dictionary(grouping: new, by: key)
            for (contents, old) in olds where old.count == 1 && news[contents]?.count == 1 {
                if let item = news[contents]?.first { pairs.append((old[0], item)) }
            }
            forget()
        }
        func forget() {
            let (olds, news) = (Set(pairs.map(\.old)), Set(pairs.map(\.new)))
            gone.removeAll { olds.contains($0) }
            new.removeAll { news.contains($0) }
        }
        pair { Contents(kind: $0.kind, digest: $0.digest, lastName: lastName($0)) }
        pair { Contents(kind: $0.kind, digest: $0.digest) }
        if gone.count * new.count <= effort {
            var scored: [(score: Double, old: Item, new: Item)] = []
            for old in gone {
                for item in new where item.kind == old.kind && item.digest != old.digest {
                    let score = likeness(old.facets, item.facets)
                    if score >= likeness {
                        scored.append((score + (lastName(old) == lastName(item) ? 1 : 0), old, item))
                    }
                }
            }
            for best in scored {
                let rivals = scored.count {
                    $0.score >= best.score && ($0.old == best.old || $0.new == best.new)
                }
                if rivals == 1 { pairs.append((best.old, best.new)) }
            }
            forget()
        }
        guard !tellsAll else { return pairs }
        return pairs.filter { old, item in
            !pairs.contains { folder, moved in
                folder.kind == old.kind && old.digest == item.digest && old.name.hasPrefix("\(folder.name)/")
                    && item.name == moved.name + old.name.dropFirst(folder.name.count)
            }
        }
    }

    private static func lastName(_ item: Item) -> Substring { item.name.split(separator: "/").last ?? "" }

    /// The share of what two lists have in common, of all that is in either, line by line.
    ///
    /// Settings are left out: most of them are what a new item has by itself.
    private static func likeness(_ one: [Facet], _ other: [Facet]) -> Double {
        func lines(_ facets: [Facet]) -> [Facet] {
            facets.filter { !$0.aspect.hasSuffix("setting") }.flatMap { facet in
                facet.value.split(omittingEmptySubsequences: false) { $0.isNewline }
                    .map { Facet(facet.aspect, facet.name, String($0)) }
            }
        }
        let (ours, theirs) = (lines(one), lines(other))
        guard !ours.isEmpty, !theirs.isEmpty else { return 0 }
        let common = ours.count - without(theirs, in: ours).count
        return Double(common) / Double(ours.count + theirs.count - common)
    }

    // MARK: Inside an item

    /// What of `facets` is not in `others`, each counted as often as it is there.
    private static func without(_ others: [Facet], in facets: [Facet]) -> [Facet] {
        var left = Dictionary(others.map { ($0, 1) }, uniquingKeysWith: +)
        return facets.filter { facet in
            guard let count = left[facet], count > 0 else { return true }
            left[facet] = count - 1
            return false
        }
    }

    private static func parts(from old: Item, to new: Item) -> [Change.Part]? {
        guard !old.facets.isEmpty || !new.facets.isEmpty else { return nil }
        var aspects: [String] = []
        for facet in old.facets + new.facets where !aspects.contains(facet.aspect) {
            aspects.append(facet.aspect)
        }
        return aspects.flatMap { aspect in
            parts(
                of: aspect, from: old.facets.filter { $0.aspect == aspect },
                to: new.facets.filter { $0.aspect == aspect })
        }
    }

    private static func parts(of aspect: String, from before: [Facet], to after: [Facet]) -> [Change.Part] {
        let gone = without(after, in: before)
        var added = without(before, in: after)
        if gone.isEmpty, added.isEmpty {
            guard before != after, after.contains(where: \.isOrdered) else { return [] }
            return [Change.Part(aspect: aspect, name: "", change: .reordered)]
        }
        var parts: [Change.Part] = []
        for facet in gone {
            if let index = added.firstIndex(where: { $0.name == facet.name }) {
                parts.append(part(facet, added.remove(at: index)))
            } else {
                parts.append(
                    Change.Part(
                        aspect: aspect, name: facet.name, change: .removed, detail: shown(facet) ?? ""))
            }
        }
        return parts
            + added.map {
                Change.Part(
                    aspect: aspect, name: $0.name, change: .added, detail: shown($0) ?? "",
                    lines: $0.isHidden || shown($0) != nil ? [] : TextDifference("", $0.value).lines)
            }
    }

    private static func part(_ old: Facet, _ new: Facet) -> Change.Part {
        var part = Change.Part(aspect: old.aspect, name: old.name, change: .changed)
        guard !old.isHidden, !new.isHidden else { return part }
        if let before = shown(old), let after = shown(new) {
            part.detail = "\(before.isEmpty ? "nothing" : before) → \(after.isEmpty ? "nothing" : after)"
        } else {
            part.lines = TextDifference(old.value, new.value).lines
        }
        return part
    }

    /// The value where it is one short line; nil where it is not, empty where nobody may see it.
    private static func shown(_ facet: Facet) -> String? {
        guard !facet.isHidden else { return "" }
        return facet.value.count <= 80 && !facet.value.contains(where: \.isNewline) ? facet.value : nil
    }

    /// What changed, by aspect: `script, 2 triggers`.
    private static func words(_ parts: [Change.Part]) -> String {
        var aspects: [String] = []
        for part in parts where !aspects.contains(part.aspect) { aspects.append(part.aspect) }
        return aspects.map { aspect in
            let count = parts.count { $0.aspect == aspect }
            return count == 1 ? aspect : counted(count, aspect)
        }.joined(separator: ", ")
    }
}
