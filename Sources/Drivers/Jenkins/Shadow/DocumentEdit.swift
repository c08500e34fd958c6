internal import SnapshotModel
internal import XML

/// One document of a home on its way to be neutralised: what changes in it, and why.
struct DocumentEdit {
    let path: EntryPath
    let bytes: [UInt8]
    let outline: XMLOutline
    private(set) var splices: [NeutralisationPlan.Splice] = []
    private(set) var notes: [NeutralisationPlan.Note] = []
    /// Parts that are decided, exchanged or as they are to be: sorted, and none overlaps another.
    private var decided: [Range<Int>] = []

    /// Throws an `XMLError` for what cannot be looked into.
    init(_ path: EntryPath, _ bytes: [UInt8]) throws {
        self.path = path
        self.bytes = bytes
        outline = try XMLOutline(document: bytes)
    }

    /// The children of the root with a name.
    func children(_ name: String) -> [XMLOutline.Element] {
        outline.children(of: outline.root, named: name)
    }

    /// Exchanges a part, unless it is that already or overlaps with what is decided.
    mutating func replace(_ range: Range<Int>, by text: String, _ note: NeutralisationPlan.Note) {
        let place = place(of: range)
        guard !overlaps(range, at: place) else { return }
        decided.insert(range, at: place)
        guard !bytes[range].elementsEqual(text.utf8) else { return }
        splices.append(.init(range: range, replacement: Array(text.utf8)))
        if !notes.contains(note) { notes.append(note) }
    }

    /// How many of the decided parts begin before a range does.
    private func place(of range: Range<Int>) -> Int {
        var low = 0
        var high = decided.count
        while low < high {
            let middle = (low + high) / 2
            if decided[middle].lowerBound < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func overlaps(_ range: Range<Int>, at place: Int) -> Bool {
        (place > 0 && decided[place - 1].overlaps(range))
            || (place < decided.count && decided[place].overlaps(range))
    }

    /// Takes everything out of an element.
    mutating func empty(_ element: XMLOutline.Element, _ note: NeutralisationPlan.Note) {
        guard !element.children.isEmpty else { return }
        replace(element.content, by: "", note)
    }

    /// Gives an element a text.
    mutating func set(_ element: XMLOutline.Element, to text: String, _ note: NeutralisationPlan.Note) {
        guard element.isEmptyTag else { return replace(element.content, by: text, note) }
        replace(element.whole, by: "<\(element.name)>\(text)</\(element.name)>", note)
    }

    /// Gives the root a child written so; others of its name go.
    mutating func setChild(_ name: String, written text: String, _ note: NeutralisationPlan.Note) {
        let present = children(name)
        guard let first = present.first else {
            insert("\n  \(text)", note)
            return
        }
        replace(first.whole, by: text, note)
        for other in present.dropFirst() { replace(other.whole, by: "", note) }
    }

    /// Puts text behind the root's start tag.
    private mutating func insert(_ text: String, _ note: NeutralisationPlan.Note) {
        let root = outline.root
        if root.isEmptyTag {
            // One splice for all that is inserted: there is one place only.
            if let index = splices.firstIndex(where: { $0.range == root.whole }) {
                let closing = "\n</\(root.name)>"
                let kept = splices[index].replacement.dropLast(closing.utf8.count)
                splices[index].replacement = Array(kept) + Array("\(text)\(closing)".utf8)
            } else {
                let tag = String(decoding: bytes[root.whole].dropLast(2), as: UTF8.self)
                splices.append(
                    .init(range: root.whole, replacement: Array("\(tag)>\(text)\n</\(root.name)>".utf8)))
            }
        } else {
            let place = root.content.lowerBound..<root.content.lowerBound
            if let index = splices.firstIndex(where: { $0.range == place }) {
                splices[index].replacement += Array(text.utf8)
            } else {
                splices.append(.init(range: place, replacement: Array(text.utf8)))
            }
        }
        if !notes.contains(note) { notes.append(note) }
    }

    // MARK: - Secrets

    /// Masks what fields and patterns say is secret.
    mutating func mask(_ keys: ShadowKeys) {
        let note = NeutralisationPlan.Note(hazard: .secrets, what: "masked")
        for index in outline.elements.indices where outline.elements[index].children.isEmpty {
            let element = outline.elements[index]
            guard element.text.contains(where: { !$0.isWhitespace }) else { continue }
            let place = "\(path)/\(outline.path(of: index).joined(separator: "/"))"
            guard
                let value = SecretField(element.name, in: outline.path(of: index)).replacement(
                    of: element.text, keys, at: place)
            else { continue }
            replace(element.content, by: value, note)
        }
        for splice in SecretText(bytes, keys: keys, place: path.description).splices()
        where !overlaps(splice.range, at: place(of: splice.range)) {
            splices.append(splice)
            if !notes.contains(note) { notes.append(note) }
        }
    }

    /// The edit, nil when nothing changes.
    func edit(digest: String) -> NeutralisationPlan.Edit? {
        guard !splices.isEmpty else { return nil }
        let sorted = splices.sorted {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        return .init(path: path, action: .splice(sorted, digest: digest), notes: notes)
    }
}
