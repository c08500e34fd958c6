/// A table of path patterns to classes: data, not code.
///
/// A pattern is matched against the whole path below the root, name by name: `*` and `?` stand for characters within a
/// name, `**` for any number of directories, `(jobs/*|branches/*)*` for any number of repetitions of one of the paths
/// between the bars. A pattern that ends in `/` matches directories only. The first rule that matches a path or a
/// directory above it decides; a path that no rule matches has the default class. So an earlier rule may take
/// something out of what a later one covers.
package struct Classification: Hashable, Sendable {
    /// One row of the table.
    package struct Rule: Hashable, Sendable {
        /// The pattern: `jobs/**/builds/*/log`.
        package var pattern: String
        /// The class of what matches.
        package var entryClass: EntryClass

        /// A row.
        package init(_ pattern: String, _ entryClass: EntryClass) {
            self.pattern = pattern
            self.entryClass = entryClass
        }
    }

    /// The rows, the first match wins.
    package var rules: [Rule]
    /// The class of what no row matches; unknown files are captured, never dropped.
    package var defaultClass: EntryClass

    /// A table.
    package init(_ rules: [Rule], defaultClass: EntryClass) {
        self.rules = rules
        self.defaultClass = defaultClass
    }

    /// A table in which `rules` come before the rows that are here already.
    package func extended(by rules: [Rule]) -> Classification {
        Classification(rules + self.rules, defaultClass: defaultClass)
    }

    /// The class of one path, which is that of a directory or of anything else.
    package func entryClass(of path: EntryPath, isDirectory: Bool) -> EntryClass {
        let matcher = Matcher(self)
        var state = matcher.start
        var entryClass = defaultClass
        let names = path.components
        for (index, name) in names.enumerated() {
            let isAbove = index < names.count - 1
            (entryClass, state) = matcher.step(state, name: name, isDirectory: isAbove || isDirectory)
        }
        return entryClass
    }
}

extension Classification {
    /// A table made ready for a walk: each directory carries its ``State`` down to what it holds, so that a name is
    /// only matched against the rows that can still apply.
    package struct Matcher: Sendable {
        /// What is left of the table in one directory.
        package struct State: Sendable {
            /// Nodes of the patterns that the next name may match.
            fileprivate var places: [Int]
            /// The best row that already matched this directory or one above.
            fileprivate var decided: Int
        }

        /// A node of a pattern; its text and its successors are in arrays of all nodes, so that a walk counts no references.
        private struct Place {
            var rule: Int
            var kind: Segment.Kind
            var text: Range<Int>
            var successors: Range<Int>
            var isEnd: Bool
            var isForDirectories: Bool
        }

        private let places: [Place]
        private let texts: [UInt8]
        private let successors: [Int]
        private let classes: [EntryClass]
        private let defaultClass: EntryClass
        /// The state of the root directory.
        package let start: State

        /// Makes a table ready.
        package init(_ classification: Classification) {
            var compiler = PatternCompiler()
            var first: [Int] = []
            for (index, rule) in classification.rules.enumerated() {
                first += compiler.compile(rule.pattern, rule: index)
            }
            var places: [Place] = []
            var texts: [UInt8] = []
            var successors: [Int] = []
            for node in compiler.nodes {
                let (text, successor) = (texts.count, successors.count)
                texts += node.segment.text
                successors += node.successors
                places.append(
                    Place(
                        rule: node.rule, kind: node.segment.kind, text: text..<texts.count,
                        successors: successor..<successors.count, isEnd: node.isEnd,
                        isForDirectories: node.isForDirectories))
            }
            self.places = places
            self.texts = texts
            self.successors = successors
            classes = classification.rules.map(\.entryClass)
            defaultClass = classification.defaultClass
            start = State(places: first, decided: Int.max)
        }

        /// The class of anything but a directory called `name` in a directory of this state.
        package func entryClass(_ state: State, name: ArraySlice<UInt8>) -> EntryClass {
            var decided = state.decided
            for number in state.places {
                let place = places[number]
                guard place.rule < decided, place.isEnd, !place.isForDirectories, matches(place, name) else {
                    continue
                }
                decided = place.rule
            }
            return decided == Int.max ? defaultClass : classes[decided]
        }

        /// The class of an entry called `name` in a directory of this state, and the entry's own state.
        package func step(
            _ state: State, name: ArraySlice<UInt8>, isDirectory: Bool
        ) -> (EntryClass, State) {
            var next = State(places: [], decided: state.decided)
            for number in state.places {
                let place = places[number]
                guard place.rule < next.decided, matches(place, name) else { continue }
                if place.isEnd && (isDirectory || !place.isForDirectories) { next.decided = place.rule }
                guard isDirectory else { continue }
                for successor in successors[place.successors] where !next.places.contains(successor) {
                    next.places.append(successor)
                }
            }
            return (next.decided == Int.max ? defaultClass : classes[next.decided], next)
        }

        private func matches(_ place: Place, _ name: ArraySlice<UInt8>) -> Bool {
            let text = texts.span.extracting(place.text)
            switch place.kind {
            case .anything: return true
            case .literal: return text.count == name.count && Classification.areEqual(text, name.span)
            case .glob: return Classification.matches(text, name.span)
            }
        }
    }

    /// One name of a pattern, and what may come after it.
    fileprivate struct Node: Sendable {
        var rule: Int
        var segment: Segment
        var successors: [Int] = []
        /// Whether the pattern may end here.
        var isEnd = false
        /// Whether the pattern ends at directories only.
        var isForDirectories = false
    }

    fileprivate struct Segment: Sendable {
        enum Kind {
            case anything, literal, glob
        }

        var kind: Kind
        /// What a name must be, or be like.
        var text: [UInt8]

        /// What every name matches.
        static let anything = Segment(kind: .anything, text: [])
    }

    /// Turns patterns into nodes, from their ends to their beginnings.
    private struct PatternCompiler {
        /// What comes after a place in a pattern.
        struct Follow {
            var nodes: [Int]
            var isEnd: Bool
        }

        private(set) var nodes: [Node] = []

        /// Adds a pattern; the nodes that its first name may match.
        mutating func compile(_ pattern: String, rule: Int) -> [Int] {
            let first = nodes.count
            var follow = Follow(nodes: [], isEnd: true)
            for part in parts(pattern).reversed() {
                if part.elementsEqual("**".utf8) {
                    let node = add(.anything, rule: rule, follow)
                    nodes[node].successors.insert(node, at: 0)
                    // It may stand for no directory at all, and at the end covers the directory itself too.
                    follow.nodes.insert(node, at: 0)
                } else if part.starts(with: "(".utf8) && part.suffix(2).elementsEqual(")*".utf8) {
                    follow = addGroup(part.dropFirst().dropLast(2), rule: rule, follow)
                } else {
                    follow = Follow(nodes: [add(segment(part), rule: rule, follow)], isEnd: false)
                }
            }
            if pattern.utf8.last == slash {
                for index in first..<nodes.count { nodes[index].isForDirectories = true }
            }
            return follow.nodes
        }

        /// Adds the alternatives of a group, each of which leads to all of them again and to what follows.
        private mutating func addGroup(_ text: Substring.UTF8View, rule: Int, _ follow: Follow) -> Follow {
            var heads: [Int] = []
            var tails: [Int] = []
            for alternative in text.split(separator: bar) {
                var next = follow
                for (index, name) in alternative.split(separator: slash).reversed().enumerated() {
                    let node = add(segment(name), rule: rule, next)
                    if index == 0 { tails.append(node) }
                    next = Follow(nodes: [node], isEnd: false)
                }
                heads += next.nodes
            }
            for tail in tails { nodes[tail].successors = heads + follow.nodes }
            return Follow(nodes: heads + follow.nodes, isEnd: follow.isEnd)
        }

        private func segment(_ text: some Collection<UInt8>) -> Segment {
            let isGlob = text.contains { $0 == star || $0 == questionMark }
            return Segment(kind: isGlob ? .glob : .literal, text: Array(text))
        }

        private mutating func add(_ segment: Segment, rule: Int, _ follow: Follow) -> Int {
            nodes.append(Node(rule: rule, segment: segment, successors: follow.nodes, isEnd: follow.isEnd))
            return nodes.count - 1
        }

        /// The names and groups of a pattern; a group is not split at its slashes.
        private func parts(_ pattern: String) -> [Substring.UTF8View] {
            var parts: [Substring.UTF8View] = []
            var rest = pattern.utf8[...]
            while let first = rest.first {
                var end = rest.firstIndex(of: slash) ?? rest.endIndex
                if first == UInt8(ascii: "("), let close = endOfGroup(rest) { end = close }
                if end > rest.startIndex { parts.append(rest[..<end]) }
                rest = rest[end...].drop { $0 == slash }
            }
            return parts
        }

        /// Where the group ends that `text` begins with, nil when it is the beginning of a name.
        private func endOfGroup(_ text: Substring.UTF8View) -> Substring.UTF8View.Index? {
            guard let close = text.firstIndex(of: UInt8(ascii: ")")) else { return nil }
            let tail = text[text.index(after: close)...]
            guard tail.first == star, tail.dropFirst().first ?? slash == slash else { return nil }
            return tail.index(after: tail.startIndex)
        }
    }
}

private let slash = UInt8(ascii: "/")
private let bar = UInt8(ascii: "|")
private let star = UInt8(ascii: "*")
private let questionMark = UInt8(ascii: "?")

extension Classification {
    fileprivate static func areEqual(_ text: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] != name[index] { return false }
        return true
    }

    /// Whether a name matches a glob of `*` and `?`.
    ///
    /// Linear in the product of both lengths at worst: it only ever goes back to the last star.
    fileprivate static func matches(_ glob: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        // Most of them are the ends of names.
        if let last = glob.indices.last, glob[last] != star, glob[last] != questionMark {
            guard name.count > 0, name[name.count - 1] == glob[last] else { return false }
        }
        var globIndex = 0
        var nameIndex = 0
        var lastStar: (glob: Int, name: Int)?
        while nameIndex < name.count {
            if globIndex < glob.count, glob[globIndex] == star {
                lastStar = (globIndex, nameIndex)
                globIndex += 1
            } else if globIndex < glob.count,
                glob[globIndex] == questionMark || glob[globIndex] == name[nameIndex]
            {
                globIndex += 1
                nameIndex += 1
            } else if let back = lastStar {
                lastStar = (back.glob, back.name + 1)
                globIndex = back.glob + 1
                nameIndex = back.name + 1
            } else {
                return false
            }
        }
        while globIndex < glob.count, glob[globIndex] == star { globIndex += 1 }
        return globIndex == glob.count
    }
}
