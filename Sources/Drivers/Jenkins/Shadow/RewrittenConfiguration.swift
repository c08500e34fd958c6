internal import Judge
internal import XML

/// What a configuration loses when Jenkins writes what it read: the data that the first save in production would lose.
struct RewrittenConfiguration {
    /// The places of elements that are not written again, sorted: `project/builders/acme.Step`.
    let lost: [String]

    /// Compares a file with what was written; nil when one of them is no XML.
    init?(file: [UInt8], written: [UInt8]) {
        guard let before = NormalXML.read(file).element, let after = NormalXML.read(written).element else {
            return nil
        }
        let left = Self.places(of: after)
        lost = Self.places(of: before).filter { place, count in count > left[place] ?? 0 }.keys.sorted()
    }

    /// How many elements stand at each place; the class that reads an element is part of its place.
    private static func places(of root: XMLElement) -> [String: Int] {
        var counts: [String: Int] = [:]
        func count(_ element: XMLElement, _ parent: String) {
            let kind = element.attribute("class").map { "[\($0)]" } ?? ""
            let place = "\(parent)\(element.name)\(kind)"
            counts[place, default: 0] += 1
            for child in element.children { count(child, place + "/") }
        }
        count(root, "")
        return counts
    }

    /// The loss in the words of a canary, nil when there is none.
    func observation(of file: String) -> Observation? {
        guard !lost.isEmpty else { return nil }
        // What is lost with its parent says nothing more.
        let roots = lost.filter { place in
            !lost.contains { place.hasPrefix($0 + "/") }
        }
        return Observation(
            kind: "data-loss", object: ObjectName("file", file),
            detail: "not written again: \(roots.joined(separator: ", "))", lines: lost)
    }
}
