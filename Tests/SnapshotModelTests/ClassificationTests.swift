import SnapshotModel
import Testing

@Suite struct ClassificationTests {
    @Test(
        arguments: [
            ("jobs/*/config.xml", "jobs/a/config.xml", true),
            ("jobs/*/config.xml", "jobs/a/b/config.xml", false),
            ("jobs/**/config.xml", "jobs/config.xml", true),
            ("jobs/**/config.xml", "jobs/a/b/config.xml", true),
            ("**/log", "log", true), ("**/log", "a/b/log", true), ("**/log", "a/blog", false),
            ("logs/**", "logs", true), ("logs/**", "logs/a/b", true), ("logs/**", "logsx", false),
            ("logs", "logs/a/b", true), ("*.xml", "a.xml", true), ("*.xml", "a/b.xml", false),
            ("*.xml", ".xml", true), ("a?c", "abc", true), ("a?c", "ac", false), ("a?c", "a/c", false),
            ("a*b*c", "aXbXbXc", true), ("a*b*c", "acb", false), ("**/a/**/b", "x/a/y/z/b", true),
            ("**/a/**/b", "a/b", true), ("**", "anything/at/all", true), ("*", "a", true),
            ("a**b", "aXb", true),
        ])
    func aPatternMatchesNameByName(_ pattern: String, _ path: String, _ expected: Bool) {
        let table = Classification([.init(pattern, .bulk)], defaultClass: .config)
        #expect((entryClass(table, EntryPath(path)) == .bulk) == expected)
    }

    @Test func theFirstRowDecidesAlsoWhenALaterOneMatchesHigher() {
        let table = Classification(
            [.init("a/b/keep", .secret), .init("a/**", .derived)], defaultClass: .config)
        #expect(entryClass(table, EntryPath("a/b/keep")) == .secret)
        #expect(entryClass(table, EntryPath("a/b/keep/below")) == .secret)
        #expect(entryClass(table, EntryPath("a/b/other")) == .derived)
        #expect(entryClass(table, EntryPath("z")) == .config)
        #expect(entryClass(table, .root) == .config)
    }

    @Test func aPolicysRowsComeFirst() {
        let table = Classification([.init("x", .bulk)], defaultClass: .state)
        #expect(entryClass(table.extended(by: [.init("x", .config)]), EntryPath("x")) == .config)
    }

    @Test(arguments: ["", "/", "//"]) func aPatternWithoutNamesMatchesNothing(_ pattern: String) {
        let table = Classification([.init(pattern, .bulk)], defaultClass: .config)
        #expect(entryClass(table, EntryPath("a/b")) == .config)
    }

    @Test func namesOfAnyBytesAreMatched() {
        let table = Classification([.init("?x/*", .bulk)], defaultClass: .config)
        #expect(entryClass(table, EntryPath([0xff, 0x78, 0x2f, 0x0a])) == .bulk)
    }

    /// The walk with states says what a plain reading of the rule says, for random tables and paths.
    @Test func theMatcherAgreesWithAPlainReadingOfTheRule() {
        let segments = ["a", "b", "ab", "*", "**", "a*", "*b", "?", "**", "a?"]
        let names = ["a", "b", "ab", "ba", "aab", "c"]
        let classes: [EntryClass] = [.bulk, .secret, .state, .plugin]
        for _ in 0..<3_000 {
            let rules = (0..<Int.random(in: 1...4)).map { _ in
                let pattern = (0..<Int.random(in: 1...4)).compactMap { _ in segments.randomElement() }
                return Classification.Rule(pattern.joined(separator: "/"), classes.randomElement() ?? .bulk)
            }
            let table = Classification(rules, defaultClass: .config)
            let path = (0..<Int.random(in: 1...5)).compactMap { _ in names.randomElement() }
            let found = entryClass(table, EntryPath(path.joined(separator: "/")))
            #expect(found == plainly(rules, path), "\(rules) \(path)")
        }
    }

    @Test func aGlobOfManyStarsDoesNotTakeForever() {
        let pattern = String(repeating: "*a", count: 60) + "b"
        let table = Classification([.init(pattern, .bulk)], defaultClass: .config)
        #expect(entryClass(table, EntryPath(String(repeating: "a", count: 255))) == .config)
    }

    private func entryClass(_ table: Classification, _ path: EntryPath) -> EntryClass {
        table.entryClass(of: path, isDirectory: true)
    }

    /// The first rule that matches the path or a directory above it.
    private func plainly(_ rules: [Classification.Rule], _ path: [String]) -> EntryClass {
        let prefixes = (1...path.count).map { Array(path.prefix($0)) }
        let rule = rules.first { rule in
            let pattern = rule.pattern.split(separator: "/").map(String.init)
            return prefixes.contains { matches(pattern[...], $0[...]) }
        }
        return rule?.entryClass ?? .config
    }

    private func matches(_ pattern: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == "**" {
            if matches(pattern.dropFirst(), path) { return true }
            return !path.isEmpty && matches(pattern, path.dropFirst())
        }
        guard let name = path.first else { return false }
        return glob(Array(first)[...], Array(name)[...]) && matches(pattern.dropFirst(), path.dropFirst())
    }

    private func glob(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            return glob(pattern.dropFirst(), name) || !name.isEmpty && glob(pattern, name.dropFirst())
        }
        guard let character = name.first, first == "?" || first == character else { return false }
        return glob(pattern.dropFirst(), name.dropFirst())
    }
}
