internal import Archive
internal import SnapshotModel
internal import Capture
internal import ArgumentParser
internal import Configuration
internal import Sealing
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Judge
internal import Programs
internal import Restore
internal import Shadow
internal import SystemPackage

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "List what is missing on this host.",
        discussion: """
            EXAMPLE
              understudy doctor

            EXIT STATUS
              0   nothing is missing
              1   something is; each line says what to do
              64  wrong usage, or a mistake in the system file
            """)

    @OptionGroup var options: Options

    private struct Finding: Encodable {
        var subject: String
        var ok: Bool
        var words: String
    }

    func run() async throws {
        let session = try Session(options)
        var findings = [Finding(subject: "system file", ok: true, words: session.file.string)]
        findings.append(store(session))
        findings.append(sealing(session))
        findings += keys(session)
        if let signing = await signing(session) { findings.append(signing) }
        for (component, driver) in session.system.components {
            let faults = Set(driver.faults().map(\.failure))
            findings += faults.map {
                Finding(subject: component.name, ok: false, words: words($0))
            }.sorted { $0.words < $1.words }
            guard faults.isEmpty else { continue }
            do {
                let place = try await driver.whereabouts()
                findings.append(
                    Finding(
                        subject: component.name, ok: true,
                        words: component.driver + (place.isEmpty ? "" : ", \(place)")))
                findings += try RestorePlanner.refusals(ofExchanging: driver.roots()).map {
                    Finding(
                        subject: component.name, ok: false, words: "no restore: \($0.reason); \($0.hint)")
                }
                for file in driver.keyFiles where try Files.readIfPresent(file, limit: 1 << 16) == nil {
                    findings.append(
                        Finding(
                            subject: component.name, ok: false,
                            words: "\(file), a key that the system file names, is not there: put it back"))
                }
                if let lifecycle = driver.lifecycle {
                    let isRunning = try await lifecycle.isRunning()
                    var problems = try lifecycle.missing().map { "\($0.reason): \($0.hint)" }
                    if isRunning { problems += try await lifecycle.problems() + lifecycle.absent() }
                    let state = isRunning ? "runs, healthy" : "does not run"
                    findings.append(
                        Finding(
                            subject: component.name, ok: problems.isEmpty,
                            words: problems.isEmpty ? state : problems.joined(separator: "; ")))
                }
            } catch {
                findings.append(Finding(subject: component.name, ok: false, words: words(error)))
            }
        }
        findings.append(
            look(
                at: "libgit2", Libgit2.failure,
                "what git packed, and references that go (\(Libgit2.installation))"))
        findings.append(
            look(
                at: "libarchive", Libarchive.failure, "plugins, wars and exports (\(Libarchive.installation))"
            ))
        for (program, use) in Self.programs { findings.append(await look(for: program, use)) }
        if session.system.components.contains(where: { $0.driver.shadow != nil }) {
            findings.append(await sandbox())
            findings.append(limits())
        }
        let result = findings
        try session.output.result(result) {
            table(result.map { [$0.ok ? "ok" : "MISSING", $0.subject, $0.words] })
        }
        if !findings.allSatisfy(\.ok) { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    /// Programs that the drivers run, what for, and the Debian package that has each.
    private static let programs = [
        ("curl", "probes of web interfaces (apt install curl)"),
        ("python3", "Python environments of Buildbot (apt install python3-venv)"),
        ("git", "objects of captured repositories, and looking at the store by hand (apt install git)"),
    ]

    private func store(_ session: Session) -> Finding {
        do {
            let store = try session.store()
            guard let mode = try Files.status(store.path)?.mode, mode & 0o077 == 0 else {
                return Finding(
                    subject: "store", ok: false,
                    words: "others may enter \(store.path), and it holds secrets: chmod 700 \(store.path)")
            }
            let unreachable = try StoreOwner.unreachable(in: store.path)
            guard let first = unreachable.first else {
                return Finding(subject: "store", ok: true, words: store.path.string)
            }
            let more = unreachable.count > 1 ? " and \(unreachable.count - 1) more" : ""
            let user = Accounts.shown(user: Accounts.ownNumbers.user)
            return Finding(
                subject: "store", ok: false,
                words: "\(user) cannot read or write \(first)\(more): "
                    + (StoreOwner.advice(on: first) ?? "give their owner the permission with chmod"))
        } catch {
            return Finding(subject: "store", ok: false, words: words(error))
        }
    }

    private func sealing(_ session: Session) -> Finding {
        guard !session.system.recipients.isEmpty else {
            return Finding(
                subject: "recipients", ok: false,
                words:
                    "nobody: secrets are captured in clear; 'understudy key add --generate FILE' makes a key")
        }
        return Finding(
            subject: "recipients", ok: true,
            words: session.system.recipients.map(\.description).joined(separator: ", "))
    }

    /// Recovery keys on this host that others than their owner may read; of one that is not there now nothing is said.
    private func keys(_ session: Session) -> [Finding] {
        do {
            let policy = try NotifyPolicy.read(for: session.description)
            let named = [policy.identityFile, environment("UNDERSTUDY_IDENTITY").map { FilePath($0) }]
            return try Set(named.compactMap(\.self)).sorted { $0.string < $1.string }.compactMap {
                (key) -> Finding? in
                guard try Files.exists(key), let status = try Files.status(Files.resolved(key)),
                    status.kind == .file, status.mode & 0o077 != 0
                else { return nil }
                return Finding(
                    subject: "recovery key", ok: false,
                    words: "others may read \(key), and it opens everything: chmod 600 \(key)")
            }
        } catch {
            return [Finding(subject: "recovery key", ok: false, words: words(error))]
        }
    }

    /// Whether snapshots can be signed and signatures checked, nil when nobody wants that.
    private func signing(_ session: Session) async -> Finding? {
        guard let key = session.description.signingKey else {
            guard !session.description.signers.isEmpty else { return nil }
            return Finding(
                subject: "signing key", ok: false,
                words: "the system file names signers, and no signing-key: its snapshots are not signed")
        }
        do {
            try await CommitSigner(key: key).check()
            return Finding(subject: "signing key", ok: true, words: "\(key) signs")
        } catch {
            return Finding(subject: "signing key", ok: false, words: words(error))
        }
    }

    private func look(at library: String, _ failure: String?, _ use: String) -> Finding {
        Finding(subject: library, ok: failure == nil, words: failure.map { "\($0): \(use)" } ?? "is there")
    }

    private func look(for program: String, _ use: String) async -> Finding {
        do {
            let outcome = try await Program(program, ["--version"]).runSuccessfully()
            return Finding(
                subject: program, ok: true,
                words: outcome.output.split(whereSeparator: \.isNewline).first.map(String.init) ?? "")
        } catch {
            return Finding(subject: program, ok: false, words: use)
        }
    }

    /// Makes a sandbox and looks around in it, as a canary would.
    private func sandbox() async -> Finding {
        do {
            let directory = FilePath("/var/tmp/understudy-doctor-\(UInt32.random(in: 0 ... .max))")
            try Files.makeDirectory(directory, mode: 0o700)
            do {
                _ = try await SandboxProcess.run(
                    Program("true", []),
                    in: Sandbox(launcher: Files.resolved("/proc/self/exe"), mounts: [], hostName: "doctor"),
                    within: LimitKeeper(watchingBecause: "it ends at once").allowance(
                        "doctor", ShadowLimits()),
                    log: directory.appending("log"))
                try Files.removeTree(directory)
            } catch {
                try Files.removeTree(directory)
                throw error
            }
            return Finding(subject: "sandbox", ok: true, words: "closed: canaries and drills can run here")
        } catch {
            return Finding(subject: "sandbox", ok: false, words: words(error))
        }
    }

    /// What would hold a shadow to its limits.
    private func limits() -> Finding {
        do {
            return Finding(
                subject: "limits", ok: true, words: "of shadows are kept \(try LimitKeeper.outlook())")
        } catch {
            return Finding(subject: "limits", ok: false, words: words(error))
        }
    }

    private func words(_ error: any Error) -> String {
        let failure = CommandFailure(error)
        return "\(failure.message); \(failure.hint)"
    }
}
