/// A table of path patterns to classes: data, not code.
///
/// A pattern is matched against the whole path below the root, name by name: `*` and `?` stand for characters within a
/// name, `**` for any number of directories. The first rule that matches a path or a directory above it decides; a path
/// that no rule matches has the default class. So an earlier rule may take something out of what a later one covers.
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

    /// The class of one path.
    package func entryClass(of path: EntryPath) -> EntryClass {
        let matcher = Matcher(self)
        var state = matcher.start
        var entryClass = defaultClass
        for name in path.components {
            (entryClass, state) = matcher.step(state, name: Array(name))
        }
        return path.isRoot ? defaultClass : entryClass
    }
}

extension Classification {
    /// A table made ready for a walk: each directory carries its ``State`` down to what it holds, so that a name is
    /// only matched against the rows that can still apply.
    package struct Matcher: Sendable {
        /// What is left of the table in one directory.
        package struct State: Sendable {
            /// Places in the patterns that the next name may match.
            fileprivate var places: [Place]
            /// The best row that already matched this directory or one above.
            fileprivate var decided: Int
        }

        fileprivate struct Place: Hashable, Sendable {
            var rule: Int
            var segment: Int
        }

        private enum Segment: Sendable {
            case anyDirectories
            case literal([UInt8])
            case glob([UInt8])
        }

        private let patterns: [[Segment]]
        private let classes: [EntryClass]
        private let defaultClass: EntryClass

        /// Makes a table ready.
        package init(_ classification: Classification) {
            defaultClass = classification.defaultClass
            classes = classification.rules.map(\.entryClass)
            patterns = classification.rules.map { rule in
                var segments: [Segment] = []
                for segment in rule.pattern.utf8.split(separator: UInt8(ascii: "/")) {
                    if segment.elementsEqual("**".utf8) {
                        // One after another says no more than one.
                        if case .anyDirectories? = segments.last { continue }
                        segments.append(.anyDirectories)
                    } else {
                        let isGlob = segment.contains { $0 == star || $0 == questionMark }
                        segments.append(isGlob ? .glob(Array(segment)) : .literal(Array(segment)))
                    }
                }
                return segments
            }
        }

        /// The state of the root directory.
        package var start: State {
            var places: [Place] = []
            for rule in patterns.indices where !patterns[rule].isEmpty {
                addPlace(Place(rule: rule, segment: 0), to: &places)
            }
            return State(places: places, decided: Int.max)
        }

        /// The class of an entry called `name` in a directory of this state, and the entry's own state.
        package func step(_ state: State, name: [UInt8]) -> (EntryClass, State) {
            var next = State(places: [], decided: state.decided)
            for place in state.places where place.rule < next.decided {
                let pattern = patterns[place.rule]
                switch pattern[place.segment] {
                case .anyDirectories:
                    addPlace(place, to: &next.places)
                    if place.segment + 1 == pattern.count { next.decided = min(next.decided, place.rule) }
                case .literal(let literal):
                    if literal == name { advance(place, in: &next) }
                case .glob(let glob):
                    if matches(glob, name) { advance(place, in: &next) }
                }
            }
            return (next.decided == Int.max ? defaultClass : classes[next.decided], next)
        }

        private func advance(_ place: Place, in state: inout State) {
            let segment = place.segment + 1
            let pattern = patterns[place.rule]
            if segment == pattern.count {
                state.decided = min(state.decided, place.rule)
                return
            }
            addPlace(Place(rule: place.rule, segment: segment), to: &state.places)
            // A pattern that ends in `**` covers the directory itself too.
            if segment == pattern.count - 1, case .anyDirectories = pattern[segment] {
                state.decided = min(state.decided, place.rule)
            }
        }

        /// Adds a place and, after `**`, the place behind it: it may stand for no directory at all.
        private func addPlace(_ place: Place, to places: inout [Place]) {
            guard !places.contains(place) else { return }
            places.append(place)
            let pattern = patterns[place.rule]
            if case .anyDirectories = pattern[place.segment], place.segment + 1 < pattern.count {
                addPlace(Place(rule: place.rule, segment: place.segment + 1), to: &places)
            }
        }
    }
}

private let star = UInt8(ascii: "*")
private let questionMark = UInt8(ascii: "?")

/// Whether a name matches a glob of `*` and `?`.
///
/// Linear in the product of both lengths at worst: it only ever goes back to the last star.
private func matches(_ glob: [UInt8], _ name: [UInt8]) -> Bool {
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
    return glob[globIndex...].allSatisfy { $0 == star }
}
