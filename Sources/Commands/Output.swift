internal import FoundationEssentials
internal import Glibc
internal import SnapshotModel
internal import SystemPackage

/// Where a command's words go: results to standard output, progress and failures to standard error.
struct Output: Sendable {
    private let format: Options.Format
    private let isQuiet: Bool
    private let isTerminal = isatty(2) == 1

    /// An output in the format that was asked for; `documents` are those that the command has beside text and JSON.
    init(_ options: Options, documents: Set<Options.Format> = []) throws {
        guard documents.union([.text, .json]).contains(options.format) else {
            throw CommandFailure(
                .usage, "this command has no output in the format '\(options.format.rawValue)'",
                hint: "write --format text or --format json")
        }
        format = options.format
        isQuiet = options.quiet
    }

    /// Prints a command's result: one JSON document, or the text; `document` makes it in the other formats that the command has.
    ///
    /// Text has words of shadows and of people, which mean nothing to a terminal, unless `isOurs`.
    func result(
        _ value: some Encodable, isOurs: Bool = false, text: () -> String,
        document: (Options.Format) -> String = { _ in "" }
    ) throws {
        let words: String
        switch format {
        case .json: return try say(Self.json(value) + "\n")
        case .text: words = isOurs ? text() : printable(text: text())
        case .markdown, .html: words = document(format)
        }
        guard !words.isEmpty else { return }
        try say(words.hasSuffix("\n") ? words : words + "\n")
    }

    /// Prints bytes as they are.
    func bytes(_ bytes: [UInt8]) throws {
        _ = try FileDescriptor.standardOutput.writeAll(bytes)
    }

    /// Says what is being done: on one line of a terminal, a line each elsewhere.
    func progress(_ words: String) {
        guard !isQuiet else { return }
        let words = printable(text: words)
        // Progress that cannot be printed is no reason to stop a restore.
        try? write(isTerminal ? "\r\u{1b}[K\(words)…" : "understudy: \(words)\n", to: .standardError)
    }

    /// Clears the progress line of a terminal.
    func endProgress() {
        guard isTerminal, !isQuiet else { return }
        // As above.
        try? write("\r\u{1b}[K", to: .standardError)
    }

    /// Prints a failure: words and a hint, or a JSON object.
    static func failure(_ failure: CommandFailure, format: Options.Format) {
        struct Document: Encodable {
            struct Failure: Encodable {
                var status: Int32
                var message: String
                var hint: String
                var path: String?
            }
            var error: Failure
        }
        let text: String
        switch format {
        case .text, .markdown, .html:
            text = printable(text: "error: \(failure.message)\nhint: \(failure.hint)\n")
        case .json:
            let document = Document(
                error: .init(
                    status: failure.status.rawValue, message: failure.message, hint: failure.hint,
                    path: failure.path))
            text = ((try? json(document)) ?? "{\"error\": {\"status\": \(failure.status.rawValue)}}") + "\n"
        }
        // There is nowhere left to say that standard error is closed.
        _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
    }

    /// Prints a result, which tells of what is done already: a full disk or a closed pipe must not look like a failure of it.
    private func say(_ text: String) throws {
        do {
            try write(text, to: .standardOutput)
        } catch {
            throw CommandFailure(
                .failed, "the command is done, and its result cannot be printed: \(error)",
                hint: "'understudy status' and 'understudy snapshots' say what was done")
        }
    }

    private func write(_ text: String, to descriptor: FileDescriptor) throws {
        _ = try descriptor.writeAll(Array(text.utf8))
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// A table of text: columns as wide as their widest cell.
func table(_ rows: [[String]]) -> String {
    var widths: [Int] = []
    for row in rows {
        for (index, cell) in row.enumerated() {
            if index == widths.count { widths.append(0) }
            widths[index] = max(widths[index], cell.count)
        }
    }
    return rows.map { row in
        row.enumerated().map { index, cell in
            index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
        }
        .joined(separator: "  ")
    }
    .joined(separator: "\n")
}

/// Bytes for people: `1.5 MB`.
func shown(bytes: Int64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    guard unit > 0 else { return "\(bytes) B" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// Seconds for people: `4.2 s`, `3 h 20 min`.
func shown(seconds: Double) -> String {
    if seconds < 60 {
        return "\(Int((seconds * 100).rounded()) / 100).\(twoDigits(Int((seconds * 100).rounded()) % 100)) s"
    }
    let whole = Int(seconds)
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    if whole < 86400 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return "\(whole / 86400) d \(whole % 86400 / 3600) h"
}

private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
