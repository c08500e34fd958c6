internal import ArgumentParser
internal import FileTree
internal import Judge
internal import Reports
internal import SystemPackage

/// What a canary tells: on the terminal, to programs, to people who read pages.
struct CanaryReports {
    private let evidence: Evidence
    private let verdict: Verdict

    struct Document: Encodable {
        var verdict: Verdict
        var neutralised: [Neutralisation]?
    }

    init(_ evidence: Evidence, _ verdict: Verdict) {
        self.evidence = evidence
        self.verdict = verdict
    }

    /// The document of `--format json`.
    var document: Document { Document(verdict: verdict, neutralised: evidence.neutralised) }

    /// What a person reads on the terminal.
    var text: String { TextReport.render(evidence, verdict) }

    /// The pages, by file name: for people, for programs, for the CI server that runs the canary.
    var pages: [String: [UInt8]] {
        get throws {
            [
                "report.html": Array(HTMLReport.render(evidence, verdict).utf8),
                "verdict.json": Array(try JSONReport.render(verdict).utf8),
                "junit.xml": Array(JUnitReport.render(evidence, verdict).utf8),
            ]
        }
    }

    /// Writes the pages into a directory.
    func write(to directory: FilePath) throws {
        try Files.makeDirectories(directory)
        for (name, page) in try pages.sorted(by: { $0.key < $1.key }) {
            try Files.replace(directory.appending(name), with: page)
        }
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
