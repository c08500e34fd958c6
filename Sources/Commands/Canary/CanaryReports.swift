internal import ArgumentParser
internal import FileTree
internal import Judge
internal import SystemPackage

/// What a canary tells: on the terminal, to programs, to people who read pages.
struct CanaryReports {
    private let evidence: Evidence
    private let verdict: Verdict

    struct Document: Encodable {
        var verdict: Verdict
    }

    init(_ evidence: Evidence, _ verdict: Verdict) {
        self.evidence = evidence
        self.verdict = verdict
    }

    /// The document of `--format json`.
    var document: Document { Document(verdict: verdict) }

    var text: String {
        var lines = [verdict.headline]
        for s in verdict.stages {
            lines.append("  \(s.name.title): \(s.result.rawValue): \(s.reason)")
            for f in s.findings { lines.append("    \(f.severity) \(f.object): \(f.message)") }
            for m in s.measures { lines.append("    \(m.object) \(m.quantity) \(m.result) \(m.reason)") }
        }
        if !verdict.culprit.isEmpty { lines.append("  culprit: \(verdict.culprit)") }
        if let n = verdict.nextStep { lines.append("  next: \(n.text)") }
        return lines.joined(separator: "\n")
    }

    /// The pages, by file name.
    var pages: [String: [UInt8]] { [:] }

    /// Writes the pages into a directory.
    func write(to directory: FilePath) throws {
        try Files.makeDirectories(directory)
        for (name, page) in pages { try Files.replace(directory.appending(name), with: page) }
    }

    /// Ends the command with the status of the verdict.
    func end() throws {
        switch verdict.result {
        case .pass: return
        case .error: throw ExitCode(ExitStatus.failed.rawValue)
        case .fail: throw ExitCode(ExitStatus.canaryFailed.rawValue)
        case .inconclusive: throw ExitCode(ExitStatus.inconclusive.rawValue)
        }
    }
}
