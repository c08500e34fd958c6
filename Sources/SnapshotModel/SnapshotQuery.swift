/// What people type where a snapshot is asked for.
package struct SnapshotQuery: Hashable, Sendable {
    /// What came of looking.
    package enum Answer: Hashable, Sendable {
        /// One snapshot, by its place in the list.
        case found(Int)
        /// None, and why.
        case none(String)
        /// Several, by their places.
        case ambiguous([Int])
    }

    private let text: String

    /// A query.
    package init(_ text: String) {
        self.text = text
    }

    /// Whether it counts back from the newest, so that what it means depends on each snapshot that is newer.
    package var counts: Bool { text.hasPrefix("latest~") }

    /// The date of a day that is written as ids begin, `2026-01-02` for `20260102`; nil for anything else.
    package var day: String? {
        guard text.utf8.count == 8, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return "\(text.prefix(4))-\(text.dropFirst(4).prefix(2))-\(text.suffix(2))"
    }

    /// Finds the snapshot in a list of ids and object ids that is sorted by time; relative words and dates pass over
    /// safety snapshots.
    package func find(in snapshots: [(id: SnapshotID, object: String, isSafety: Bool)]) -> Answer {
        guard !snapshots.isEmpty else { return .none("the store holds none") }
        let regular = snapshots.indices.filter { !snapshots[$0].isSafety }
        if text == "latest" {
            guard let last = regular.last else {
                return .none("the store holds only safety snapshots: name one by its id")
            }
            return .found(last)
        }
        if text.hasPrefix("latest~") {
            guard let back = Int(text.dropFirst("latest~".count)), back >= 0 else {
                return .none("behind 'latest~' a number is expected")
            }
            guard back < regular.count else { return .none("there are only \(regular.count)") }
            return .found(regular[regular.count - 1 - back])
        }
        if let index = snapshots.firstIndex(where: { $0.id.description == text || $0.object == text }) {
            return .found(index)
        }
        if let end = lastMoment() {
            guard CivilTime.seconds(end) != nil else {
                return .none("it is written like a date, and the calendar has no such day or time")
            }
            guard let index = regular.last(where: { snapshots[$0].id.time <= end }) else {
                return .none("the oldest is of \(snapshots[0].id.time)")
            }
            return .found(index)
        }
        let matches = snapshots.indices.filter {
            snapshots[$0].id.description.hasPrefix(text) && !text.isEmpty
        }
        switch matches.count {
        case 0: return .none("no id begins like that, and it is not a date")
        case 1: return .found(matches[0])
        default: return .ambiguous(matches)
        }
    }

    /// The last moment that a date or date-time covers, as ISO 8601 in UTC; nil when the text is neither.
    private func lastMoment() -> String? {
        let bytes = Array(text.utf8)
        let full = Array("0000-00-00T23:59:59Z".utf8)
        // A date, or a date and hours, minutes, seconds; `T` or a space between.
        guard [10, 16, 19, 20].contains(bytes.count) else { return nil }
        var moment: [UInt8] = []
        for (index, expected) in full.enumerated() {
            guard index < bytes.count else {
                moment.append(expected)
                continue
            }
            let byte = bytes[index]
            switch index {
            case 4, 7, 13, 16, 19:
                guard byte == expected else { return nil }
            case 10:
                guard byte == UInt8(ascii: "T") || byte == UInt8(ascii: " ") else { return nil }
            default:
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            }
            moment.append(index == 10 ? UInt8(ascii: "T") : byte)
        }
        return String(decoding: moment, as: UTF8.self)
    }
}
