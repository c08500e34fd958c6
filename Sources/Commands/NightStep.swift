internal import FileTree
internal import FoundationEssentials
internal import Nightly
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// Another command of ours, which a night runs as a process of its own and whose JSON it reads: one that dies is told too.
struct NightStep {
    /// Its arguments, the command first.
    var arguments: [String]
    /// The statuses with which it may end and has said what it did.
    var statuses: Set<Int32>
    /// The kind of the problem that it is when it fails.
    var kind: String

    /// A step.
    init(_ arguments: [String], mayEnd statuses: Set<Int32>, _ kind: String) {
        self.arguments = arguments
        self.statuses = statuses
        self.kind = kind
    }

    /// What of a snapshot's JSON is looked at.
    struct Taken: Decodable {
        struct Head: Decodable {
            var id: String
            var status: String
        }

        struct Part: Decodable {
            var name: String
            var entries: Int
            var bytes: Int64
            var torn: [String]
            var unreadable: [CapturedComponent.Problem]
            var obstacles: [String]
        }

        var snapshot: Head
        var components: [Part]
        var lostPacks: [String]
    }

    /// What of a push's JSON is looked at.
    struct Pushed: Decodable {
        struct Part: Decodable {
            var name: String
            var lost: [String]
            var error: Failed.Words?
        }

        var remotes: [Part]
    }

    /// What of a drill's JSON is looked at; its record in the store says the rest.
    struct Drilled: Decodable {
        var green: Bool
    }

    /// What of the JSON of a prune is looked at.
    struct Pruned: Decodable {
        var forgotten: [String]
    }

    /// What a command says that fails.
    struct Failed: Decodable {
        struct Words: Decodable {
            var message: String
            var hint: String
        }

        var error: Words
    }

    /// Runs it and reads what it says; nil when it failed, which is then among the problems.
    func run<Result: Decodable>(_ report: inout NightReport, _ session: Session) async -> Result? {
        session.output.progress(arguments.joined(separator: " "))
        do {
            let program = String(decoding: try Files.linkTarget("/proc/self/exe"), as: UTF8.self)
            let outcome = try await Program(
                program, arguments + ["--system", session.file.string, "--format", "json", "--quiet"],
                // It is ourselves, and does what it does by hand: agents, proxies and git are set up there.
                environment: try environment(), limit: .seconds(12 * 3600),
                outputLimit: 1 << 28
            ).run()
            if statuses.contains(outcome.status), !outcome.output.isEmpty {
                return try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
            }
            report.problems.append(problem(outcome))
        } catch {
            report.problems.append(
                .init(kind, "\(arguments[0]) could not be run: \(error)", hint: "run it by hand to see more"))
        }
        return nil
    }

    private func problem(_ outcome: Program.Outcome) -> NightReport.Problem {
        // What is no such document was written by a process that died: told below as it stands.
        if let failed = try? JSONDecoder().decode(Failed.self, from: Data(outcome.errorOutput.utf8)) {
            return .init(
                kind, "\(arguments[0]) failed: \(failed.error.message)", hint: failed.error.hint,
                cause: NightReport.Problem.lasting(failed.error.message))
        }
        // It died without a word of its own: what the system or the runtime said is all there is.
        let last = outcome.errorOutput.split(whereSeparator: \.isNewline).suffix(3)
        let said = last.isEmpty ? "" : ": " + last.joined(separator: "; ")
        return .init(
            kind, "\(arguments[0]) ended with status \(outcome.status)\(said)",
            hint: "run 'understudy \(arguments[0])' by hand to see more")
    }
}
