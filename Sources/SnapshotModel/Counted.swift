/// A number of things for people: `1 snapshot`, `2 snapshots`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
