internal import FoundationEssentials

/// A report as evidence keeps it.
enum ReportJSON {
    static func encode(_ report: RestoreReport) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(report)) + [UInt8(ascii: "\n")]
    }
}
