/// The name of a snapshot: `20261123T213000Z-1f3a`, its time in UTC and four hexadecimal digits.
package struct SnapshotID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The text.
    package let description: String

    /// An id for a moment, in seconds since 1970, with 16 random bits.
    package init(seconds: Int64, random: UInt16) {
        let moment = CivilTime(seconds: seconds)
        let digits = String(random, radix: 16)
        let tail = String(repeating: "0", count: 4 - digits.count) + digits
        description = "\(moment.compact)-\(tail)"
    }

    /// The id that `text` spells, nil when it spells none.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 21 else { return nil }
        let pattern = Array("00000000T000000Z-xxxx".utf8)
        for (byte, expected) in zip(bytes, pattern) {
            switch expected {
            case UInt8(ascii: "0"):
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            case UInt8(ascii: "x"):
                let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                guard isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) else { return nil }
            default:
                guard byte == expected else { return nil }
            }
        }
        description = text
    }

    /// When the snapshot was begun, ISO 8601 in UTC.
    package var time: String {
        let text = Array(description)
        let part = { (range: Range<Int>) in String(text[range]) }
        return
            "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
    }

    /// ``time`` in seconds since 1970.
    package var seconds: Int64 {
        let digits = description.utf8.map { Int64($0) - 0x30 }
        func number(_ range: Range<Int>) -> Int64 { digits[range].reduce(0) { $0 * 10 + $1 } }
        let days = CivilTime.days(year: number(0..<4), month: number(4..<6), day: number(6..<8))
        return days * 86400 + number(9..<11) * 3600 + number(11..<13) * 60 + number(13..<15)
    }

    /// Orders by time.
    package static func < (left: SnapshotID, right: SnapshotID) -> Bool {
        left.description < right.description
    }
}

extension SnapshotID: Codable {
    /// Reads the text.
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = SnapshotID(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not a snapshot id"))
        }
        self = id
    }

    /// Writes the text.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A moment in UTC by the Gregorian calendar.
package struct CivilTime: Hashable, Sendable {
    /// The calendar fields.
    package let year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64

    /// The moment this many seconds after 1970 began; days to date as in Howard Hinnant's `civil_from_days`.
    package init(seconds: Int64) {
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let rest = seconds - days * 86400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Days from 1970 to a date, as in Howard Hinnant's `days_from_civil`.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The seconds since 1970 of a moment spelled as ``iso8601`` spells it, nil for anything else.
    package static func seconds(_ text: String) -> Int64? {
        let fields = text.split { !$0.isNumber }.compactMap { Int64($0) }
        guard fields.count == 6 else { return nil }
        let days = days(year: fields[0], month: fields[1], day: fields[2])
        let seconds = days * 86400 + fields[3] * 3600 + fields[4] * 60 + fields[5]
        return CivilTime(seconds: seconds).iso8601 == text ? seconds : nil
    }

    /// Without separators: `20261123T213000Z`.
    package var compact: String {
        "\(pad(year, 4))\(pad(month, 2))\(pad(day, 2))T\(pad(hour, 2))\(pad(minute, 2))\(pad(second, 2))Z"
    }

    /// ISO 8601: `2026-11-23T21:30:00Z`.
    package var iso8601: String {
        "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2))Z"
    }

    private func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
