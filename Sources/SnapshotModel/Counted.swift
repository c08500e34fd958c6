/// A number of things for people: `1 snapshot`, `2 snapshots`, `2 repositories`.
package func counted(_ number: Int, _ noun: String) -> String {
    guard number != 1 else { return "\(number) \(noun)" }
    let isConsonant = noun.dropLast().last.map { !"aeiou".contains($0) } ?? false
    return noun.hasSuffix("y") && isConsonant ? "\(number) \(noun.dropLast())ies" : "\(number) \(noun)s"
}
