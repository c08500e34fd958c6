/// A regular expression of an update centre that says which versions a warning is about.
///
/// The expressions come from outside, so that they are matched without ever going back: in time proportional to the
/// product of the lengths of text and expression, whatever they are. Understood is what `java.util.regex` has without
/// back references, possessive and atomic parts, flags and boundaries; the update centre of Jenkins uses less.
package struct VersionPattern: Hashable, Sendable {
    /// The expression as it was given.
    package var text: String
    /// What it means, nil when it is invalid or means something that is not understood here.
    private let program: Program?

    /// An expression; one that is not understood counts for every version, as an invalid one does in Jenkins.
    package init(_ text: String) {
        self.text = text
        var parser = Parser(text)
        program = parser.expression().flatMap { Program($0) }
    }

    /// Whether the expression is understood.
    package var isUnderstood: Bool { program != nil }

    /// Whether it matches a whole version; yes, when it is not understood.
    package func matches(_ version: String) -> Bool {
        let text = Array(version.unicodeScalars.prefix(Self.longest + 1))
        guard let program, text.count <= Self.longest else { return true }
        var run = Run(program: program, text: text)
        return run.matches(from: 0, at: 0, whole: true)
    }

    /// The longest version that is looked at.
    private static let longest = 1000
}

extension VersionPattern {
    /// Some characters.
    struct Characters: Hashable, Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }

        static let digits = Characters(ranges: [0x30...0x39])
        static let words = Characters(ranges: [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
        static let blanks = Characters(ranges: [0x09...0x0d, 0x20...0x20])
        /// What a dot does not match.
        static let lineEnds = Characters(
            ranges: [0x0a...0x0a, 0x0d...0x0d, 0x85...0x85, 0x2028...0x2029])

        var inverted: Characters { Characters(ranges: ranges, isNegated: !isNegated) }
    }

    /// An expression.
    indirect enum Expression {
        case characters(Characters)
        case sequence([Expression])
        case choice([Expression])
        case repeated(Expression, Int, Int?)
        case start
        case end
        case lookahead(Expression, isNegative: Bool)
    }

    /// Steps that are taken through a text.
    struct Program: Hashable, Sendable {
        enum Step: Hashable, Sendable {
            case characters(Characters)
            case either(Int, Int)
            case start
            case end
            /// Goes on after what is looked for, which begins right behind this step.
            case lookahead(isNegative: Bool, next: Int)
            case accept
        }

        private(set) var steps: [Step] = []

        /// Nil when there would be too many.
        init?(_ expression: Expression) {
            guard add(expression) else { return nil }
            steps.append(.accept)
        }

        private static let limit = 5000

        private mutating func add(_ expression: Expression) -> Bool {
            guard steps.count < Self.limit else { return false }
            switch expression {
            case .characters(let characters): steps.append(.characters(characters))
            case .start: steps.append(.start)
            case .end: steps.append(.end)
            case .sequence(let parts):
                for part in parts { guard add(part) else { return false } }
            case .choice(let parts):
                return add(parts[...])
            case .lookahead(let part, let isNegative):
                let place = steps.count
                steps.append(.accept)
                guard add(part) else { return false }
                steps.append(.accept)
                steps[place] = .lookahead(isNegative: isNegative, next: steps.count)
            case .repeated(let part, let least, let most):
                for _ in 0..<least { guard add(part) else { return false } }
                guard let most else { return addLoop(part) }
                var exits: [Int] = []
                for _ in least..<max(least, most) {
                    exits.append(steps.count)
                    steps.append(.accept)
                    guard add(part) else { return false }
                }
                for exit in exits { steps[exit] = .either(exit + 1, steps.count) }
            }
            return true
        }

        private mutating func add(_ parts: ArraySlice<Expression>) -> Bool {
            guard let first = parts.first else { return true }
            guard parts.count > 1 else { return add(first) }
            let place = steps.count
            steps.append(.accept)
            guard add(first) else { return false }
            let end = steps.count
            steps.append(.accept)
            steps[place] = .either(place + 1, steps.count)
            guard add(parts.dropFirst()) else { return false }
            steps[end] = .either(steps.count, steps.count)
            return true
        }

        private mutating func addLoop(_ part: Expression) -> Bool {
            let place = steps.count
            steps.append(.accept)
            guard add(part) else { return false }
            steps.append(.either(place, place))
            steps[place] = .either(place + 1, steps.count)
            return true
        }
    }

    /// All ways through a text at once.
    struct Run {
        let program: Program
        let text: [Unicode.Scalar]
        /// What lookaheads found, by step and place.
        private var known: [Int: Bool] = [:]

        init(program: Program, text: [Unicode.Scalar]) {
            self.program = program
            self.text = text
        }

        /// Whether the steps from `start` on lead to their end, for a whole match at the end of the text.
        mutating func matches(from start: Int, at place: Int, whole: Bool) -> Bool {
            var current: [Int] = []
            var seen: Set<Int> = []
            var isAccepted = follow(start, place, &current, &seen)
            for index in place..<text.count {
                if isAccepted && !whole { return true }
                guard !current.isEmpty else { return false }
                var next: [Int] = []
                seen = []
                isAccepted = false
                for step in current {
                    guard case .characters(let characters) = program.steps[step],
                        characters.contains(text[index])
                    else { continue }
                    if follow(step + 1, index + 1, &next, &seen) { isAccepted = true }
                }
                current = next
            }
            return isAccepted
        }

        /// Adds the steps that need a character, and says whether the end can be reached without one.
        private mutating func follow(
            _ start: Int, _ place: Int, _ steps: inout [Int], _ seen: inout Set<Int>
        ) -> Bool {
            var isAccepted = false
            var open = [start]
            while let step = open.popLast() {
                guard seen.insert(step).inserted else { continue }
                switch program.steps[step] {
                case .characters: steps.append(step)
                case .either(let one, let other): open += [one, other]
                case .start: if place == 0 { open.append(step + 1) }
                case .end: if place == text.count { open.append(step + 1) }
                case .lookahead(let isNegative, let next):
                    if finds(step + 1, place) != isNegative { open.append(next) }
                case .accept: isAccepted = true
                }
            }
            return isAccepted
        }

        private mutating func finds(_ step: Int, _ place: Int) -> Bool {
            let key = step * (text.count + 1) + place
            if let answer = known[key] { return answer }
            let answer = matches(from: step, at: place, whole: false)
            known[key] = answer
            return answer
        }
    }
}
