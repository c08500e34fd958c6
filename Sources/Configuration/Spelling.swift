internal import SnapshotModel

/// The word among `words` that was most likely meant by `text`, nil when none is near.
func nearest(to text: String, among words: some Sequence<String>) -> String? {
    let limit = max(1, min(text.count, 9) / 3)
    return
        words
        .map { (word: $0, distance: editDistance(text.lowercased(), $0.lowercased())) }
        .filter { $0.distance <= limit && $0.distance < $0.word.count }
        .min { ($0.distance, $0.word) < ($1.distance, $1.word) }?
        .word
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to turn one word into the other.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.unicodeScalars.prefix(64))
    let right = Array(right.unicodeScalars.prefix(64))
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        current.reserveCapacity(right.count + 1)
        for column in right.indices {
            let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
            var best = min(replaced, last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                best = min(best, beforeLast[column - 1] + 1)
            }
            current.append(best)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}

/// Whether a text holds the secret half of a recovery key, or the beginning of one: no message repeats it.
package func holdsSecretKey(_ text: String) -> Bool {
    text.uppercased().contains("AGE-SECRET-KEY-")
}

/// The start of a text, safe for a terminal; nothing of a secret key.
func shortened(_ text: String) -> String {
    guard !holdsSecretKey(text) else { return "…" }
    return printable(text.prefix(60).utf8) + (text.count > 60 ? "…" : "")
}

/// Words for a sentence: `a, b or c`.
func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "nothing" }
    return words.dropLast().joined(separator: ", ") + " or " + last
}
