package import Git
internal import Programs
internal import SnapshotModel
package import SystemPackage

/// Signs commits as `git commit -S` does with `gpg.format=ssh`: with the program `ssh-keygen`, and a key in a file or in an
/// ssh-agent.
package struct CommitSigner: Sendable {
    /// The file with the private key, or with the public half of one that an ssh-agent holds.
    private let key: FilePath

    /// A signer with a key.
    package init(key: FilePath) {
        self.key = key
    }

    /// Throws a ``StoreFailure`` when the key cannot sign now: better before a snapshot is taken than after.
    package func check() async throws {
        _ = try await signature(of: Array("a test\n".utf8))
    }

    /// The commit with a signature over all that it says.
    package func sign(_ commit: Commit) async throws -> Commit {
        var signed = commit
        signed.signature = nil
        signed.signature = try await signature(of: signed.contents)
        return signed
    }

    private func signature(of payload: [UInt8]) async throws -> String {
        let outcome: Program.Outcome
        do {
            outcome = try await SSHKeygen.program(
                ["-Y", "sign", "-n", SSHKeygen.namespace, "-f", key.string], input: payload
            ).run()
        } catch let error as ProgramFailure {
            throw StoreFailure(
                .failed, "cannot sign: \(error)",
                hint: "signing needs the program ssh-keygen: apt-get install openssh-client")
        }
        guard outcome.status == 0, outcome.output.hasPrefix("-----BEGIN SSH SIGNATURE-----\n") else {
            let last = outcome.errorOutput.split(whereSeparator: \.isNewline).last
            let words = last.map { printable($0.utf8) } ?? ""
            throw StoreFailure(
                .failed, "cannot sign with the key \(key): \(words)",
                hint:
                    "'signing-key' in the system file names a private key without a passphrase, or a public one that an "
                    + "ssh-agent holds (ssh-add -L)")
        }
        return outcome.output
    }
}

/// The program `ssh-keygen`, for signatures; it asks nobody.
enum SSHKeygen {
    /// What git signs for.
    static let namespace = "git"

    static func program(_ arguments: [String], input: [UInt8]) -> Program {
        var environment = Program.inherited(["HOME", "SSH_AUTH_SOCK"])
        environment["SSH_ASKPASS"] = "/bin/false"
        environment["SSH_ASKPASS_REQUIRE"] = "force"
        return Program("ssh-keygen", arguments, environment: environment, input: input)
    }
}
