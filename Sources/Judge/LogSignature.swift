/// What is the same in a line of a log each time it is logged.
package enum LogSignature {
    /// The text without what differs from one time to the next: times, numbers, identities of objects, temporary paths.
    ///
    /// Numbers that are part of a word or of a version stay: `py3`, `5.5.2`.
    package static func template(of text: String) -> String {
        var words: [String] = []
        for word in text.split(whereSeparator: \.isWhitespace) {
            let template = template(ofWord: Array(word.unicodeScalars))
            // A date and a time of the day are one time.
            if template != "<time>" || words.last != "<time>" { words.append(template) }
        }
        return words.joined(separator: " ")
    }

    private static func template(ofWord word: [Unicode.Scalar]) -> String {
        var result = String.UnicodeScalarView()
        var index = 0
        while index < word.count {
            let rest = word[index...]
            if isBoundary(word, before: index), let (length, name) = variable(at: rest) {
                result.append(contentsOf: name.unicodeScalars)
                index += length
            } else {
                result.append(word[index])
                index += 1
            }
        }
        return String(result)
    }

    /// Whether a variable part may begin here: not within a word or a number.
    private static func isBoundary(_ word: [Unicode.Scalar], before index: Int) -> Bool {
        guard index > 0, word[index] != "@" else { return true }
        let previous = word[index - 1]
        return !(isWordPart(previous) || previous == "." && index > 1 && isDigit(word[index - 2]))
    }

    /// The variable part that `word` begins with: how long it is and what stands for it.
    private static func variable(at word: ArraySlice<Unicode.Scalar>) -> (Int, String)? {
        if let length = temporaryPath(word) { return (length, "<path>") }
        if let length = time(word) { return (length, "<time>") }
        if isUUID(word.prefix(36)), word.dropFirst(36).first.map(isWordPart) != true { return (36, "<uuid>") }
        if word.first == "@" {
            let digits = word.dropFirst().prefix(while: isHexDigit)
            let next = word.dropFirst(digits.count + 1).first
            if digits.count >= 4, next.map(isWordPart) != true { return (digits.count + 1, "@<hash>") }
        }
        let run = word.prefix(while: isWordPart)
        if run.count >= 8, run.allSatisfy(isHexDigit), run.contains(where: isDigit) {
            return (run.count, "<hex>")
        }
        return number(word)
    }

    /// A number, with a unit of time or without; a version is none.
    private static func number(_ word: ArraySlice<Unicode.Scalar>) -> (Int, String)? {
        let whole = word.prefix(while: isDigit)
        guard !whole.isEmpty else { return nil }
        var length = whole.count
        var groups = 1
        while word.dropFirst(length).first == "." {
            let next = word.dropFirst(length + 1).prefix(while: isDigit)
            guard !next.isEmpty else { break }
            length += 1 + next.count
            groups += 1
        }
        let unit = word.dropFirst(length).prefix(while: isWordPart)
        let units: Set<String> = ["ms", "s", "sec", "secs", "m", "min", "h", "us", "ns"]
        if units.contains(String(String.UnicodeScalarView(unit))), groups <= 2 {
            return (length + unit.count, "<duration>")
        }
        return groups == 1 && unit.isEmpty ? (length, "<n>") : nil
    }

    /// A date, a time of the day or both, as far as they stand without a space.
    private static func time(_ word: ArraySlice<Unicode.Scalar>) -> Int? {
        // Digits become 0, so that one pattern stands for all.
        let shape = String(String.UnicodeScalarView(word.prefix(19).map { isDigit($0) ? "0" : $0 }))
        let lengths = ["0000-00-00T00:00:00", "0000-00-00", "00:00:00", "0:00:00"]
        guard let found = lengths.first(where: { shape.hasPrefix($0) }) else { return nil }
        var length = found.unicodeScalars.count
        // A fraction and a zone belong to it.
        let tail = word.dropFirst(length)
        if let mark = tail.first, mark == "." || mark == ",", tail.dropFirst().first.map(isDigit) == true {
            length += 1 + tail.dropFirst().prefix(while: isDigit).count
        }
        let zone = word.dropFirst(length)
        if zone.first == "Z" { return length + 1 }
        guard zone.first == "+" || zone.first == "-" else { return length }
        let offset = zone.dropFirst().prefix { isDigit($0) || $0 == ":" }
        return [2, 4, 5].contains(offset.count) ? length + 1 + offset.count : length
    }

    private static func isUUID(_ token: ArraySlice<Unicode.Scalar>) -> Bool {
        token.count == 36
            && token.enumerated().allSatisfy {
                [8, 13, 18, 23].contains($0.offset) ? $0.element == "-" : isHexDigit($0.element)
            }
    }

    private static func temporaryPath(_ word: ArraySlice<Unicode.Scalar>) -> Int? {
        let starts = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/proc/"]
        let text = String(String.UnicodeScalarView(word))
        guard starts.contains(where: { text.hasPrefix($0) }) else { return nil }
        return word.prefix { !"\"'()<>[]{},;".unicodeScalars.contains($0) }.count
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isHexDigit(_ scalar: Unicode.Scalar) -> Bool {
        isDigit(scalar) || ("a"..."f").contains(scalar) || ("A"..."F").contains(scalar)
    }

    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        isDigit(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
    }
}
