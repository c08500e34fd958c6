extension VersionPattern {
    /// Reads an expression as `java.util.regex.Pattern` would; nil for what is invalid or not understood.
    struct Parser {
        private let text: [Unicode.Scalar]
        private var place = 0
        private var depth = 0

        private static let depthLimit = 100
        private static let countLimit = 10_000

        init(_ text: String) {
            self.text = Array(text.unicodeScalars)
        }

        mutating func expression() -> Expression? {
            guard let all = choice(), place == text.count else { return nil }
            return all
        }

        private var next: Unicode.Scalar? { place < text.count ? text[place] : nil }

        private mutating func take(_ scalars: String) -> Bool {
            let wanted = Array(scalars.unicodeScalars)
            guard text[place...].starts(with: wanted) else { return false }
            place += wanted.count
            return true
        }

        private mutating func choice() -> Expression? {
            depth += 1
            defer { depth -= 1 }
            guard depth < Self.depthLimit else { return nil }
            var parts: [Expression] = []
            repeat {
                guard let part = sequence() else { return nil }
                parts.append(part)
            } while take("|")
            return parts.count == 1 ? parts[0] : .choice(parts)
        }

        private mutating func sequence() -> Expression? {
            var parts: [Expression] = []
            while let scalar = next, scalar != "|", scalar != ")" {
                guard let atom = atom(), let part = quantified(atom) else { return nil }
                parts.append(part)
            }
            return .sequence(parts)
        }

        private mutating func quantified(_ atom: Expression) -> Expression? {
            var least = 0
            var most: Int?
            switch next {
            case "*": place += 1
            case "+":
                place += 1
                least = 1
            case "?":
                place += 1
                most = 1
            case "{":
                place += 1
                guard let number = number() else { return nil }
                least = number
                most = number
                if take(",") {
                    most = nil
                    if next != "}" {
                        guard let number = self.number(), number >= least else { return nil }
                        most = number
                    }
                }
                guard take("}") else { return nil }
            default: return atom
            }
            // A reluctant one finds the same texts; a possessive one does not.
            if next == "?" { place += 1 }
            guard next != "+", next != "*", next != "{" else { return nil }
            return .repeated(atom, least, most)
        }

        private mutating func number() -> Int? {
            var number: Int?
            while let scalar = next, (0x30...0x39).contains(scalar.value) {
                number = (number ?? 0) * 10 + Int(scalar.value - 0x30)
                guard let number, number <= Self.countLimit else { return nil }
                place += 1
            }
            return number
        }

        private mutating func atom() -> Expression? {
            guard let scalar = next else { return nil }
            place += 1
            switch scalar {
            case "(": return group()
            case "[": return characters().map { .characters($0) }
            case ".": return .characters(Characters.lineEnds.inverted)
            case "^": return .start
            case "$": return .end
            case "\\": return escaped().map { .characters($0) }
            case "*", "+", "?", "{": return nil
            default: return .characters(Self.one(scalar))
            }
        }

        private mutating func group() -> Expression? {
            let isPositive = take("?=")
            let isNegative = !isPositive && take("?!")
            if !isPositive, !isNegative, !take("?:"), next == "?" { return nil }
            guard let inner = choice(), take(")") else { return nil }
            return isPositive || isNegative ? .lookahead(inner, isNegative: isNegative) : inner
        }

        private static func one(_ scalar: Unicode.Scalar) -> Characters {
            Characters(ranges: [scalar.value...scalar.value])
        }

        /// What follows a backslash.
        private mutating func escaped() -> Characters? {
            guard let scalar = next else { return nil }
            place += 1
            switch scalar {
            case "d": return .digits
            case "D": return Characters.digits.inverted
            case "w": return .words
            case "W": return Characters.words.inverted
            case "s": return .blanks
            case "S": return Characters.blanks.inverted
            case "t": return Self.one("\t")
            case "n": return Self.one("\n")
            case "r": return Self.one("\r")
            default:
                let isPlain = scalar.isASCII && !Characters.words.contains(scalar)
                return isPlain ? Self.one(scalar) : nil
            }
        }

        /// A class, after its `[`.
        private mutating func characters() -> Characters? {
            let isNegated = take("^")
            var ranges: [ClosedRange<UInt32>] = []
            while let scalar = next {
                place += 1
                if scalar == "]" {
                    return ranges.isEmpty ? nil : Characters(ranges: ranges, isNegated: isNegated)
                }
                // Classes within classes, and what both have.
                guard scalar != "[", !(scalar == "&" && next == "&") else { return nil }
                var first = Self.one(scalar)
                if scalar == "\\" {
                    guard let escaped = escaped(), !escaped.isNegated else { return nil }
                    first = escaped
                }
                if next == "-", place + 1 < text.count, text[place + 1] != "]" {
                    place += 1
                    guard let low = Self.single(first), var last = next, last != "[" else { return nil }
                    place += 1
                    if last == "\\" {
                        guard let escaped = escaped(), let value = Self.single(escaped),
                            let scalar = Unicode.Scalar(value)
                        else { return nil }
                        last = scalar
                    }
                    guard low <= last.value else { return nil }
                    ranges.append(low...last.value)
                } else {
                    ranges += first.ranges
                }
            }
            return nil
        }

        private static func single(_ characters: Characters) -> UInt32? {
            guard characters.ranges.count == 1, let range = characters.ranges.first, range.count == 1 else {
                return nil
            }
            return range.lowerBound
        }
    }
}
