internal import FoundationEssentials
package import Judge

/// A verdict as JSON, as `--format json` prints it: `{"verdict": …}`, so that other keys can stand beside it.
package enum JSONReport {
    private struct Document: Encodable {
        var verdict: Verdict
    }

    /// The document: sorted keys, one to a line, so that two verdicts are compared well.
    ///
    /// Throws where a number is none, for which JSON has no word; no verdict of ``judge(_:under:)`` has one.
    package static func render(_ verdict: Verdict) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Document(verdict: verdict)), as: UTF8.self) + "\n"
    }
}
