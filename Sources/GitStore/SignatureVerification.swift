internal import Cryptography
internal import FileTree
internal import Git
internal import Programs
package import Sealing
internal import SnapshotModel
internal import SystemPackage

/// A snapshot is not signed by whom the system file names, or is another than it is called.
package struct SignatureFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, with the snapshot's name.
    package var description: String
    /// A failure.
    package init(_ description: String) {
        self.description = description
    }

    /// What to do.
    package var hint: String {
        "nothing was changed; restore a snapshot that 'understudy verify --all' finds well signed, and ask who wrote this one"
    }
}

/// Checks who signed snapshots and evidence, and whether a snapshot is in the place of another, or missing.
///
/// A signature is over the commit, which names the SHA-256 of `snapshot.json`, and this those of all manifests.
package struct SignatureVerification: Sendable {
    private let store: SnapshotStore
    private let system: String
    private let signers: [SignerKey]
    private let scratch: Scratch

    /// A verification against the keys that may sign.
    package init(_ store: SnapshotStore, system: String, signers: [SignerKey]) throws {
        precondition(!signers.isEmpty, "somebody may sign")
        self.store = store
        self.system = system
        self.signers = signers
        // One name for all: which key it was, ssh-keygen says.
        let lines = signers.map {
            "understudy namespaces=\"\(SSHKeygen.namespace)\" ssh-ed25519 \($0.encoded)\n"
        }
        scratch = try Self.scratch(for: store, allowing: Array(lines.joined().utf8))
    }

    /// A directory in the store, or in `/tmp` where nothing can be written to the store, with the list of who may sign.
    private static func scratch(
        for store: SnapshotStore, allowing signers: [UInt8]
    ) throws(FileFailure) -> Scratch {
        do throws(FileFailure) {
            try Files.makeDirectory(store.localDirectory, mode: 0o700)
            return try scratch(in: store.localDirectory, allowing: signers)
        } catch {
            guard unwritable.contains(error.reason) else { throw error }
            return try scratch(in: "/tmp", allowing: signers)
        }
    }

    /// Why nothing can be written to a store that can be read all the same.
    private static let unwritable: Set<Errno> = [
        .readOnlyFileSystem, .permissionDenied, .notPermitted, .noSpace, .diskQuotaExceeded,
    ]

    private static func scratch(
        in directory: FilePath, allowing signers: [UInt8]
    ) throws(FileFailure) -> Scratch {
        let scratch = try Scratch(in: directory)
        try Files.replaceWithoutSync(scratch.path.appending(allowedName), with: signers)
        return scratch
    }

    private static let allowedName = "allowed-signers"
    private var allowed: FilePath { scratch.path.appending(Self.allowedName) }

    /// What is wrong with a snapshot; empty when it was signed by one of the keys and is what it is called.
    package func problems(of reference: SnapshotReference) async throws -> [String] {
        let reader = try store.reader()
        let contents = try reader.contents(reference.commit, .commit)
        let stored = try store.read(reference, with: reader)
        var problems: [String] = []
        if ObjectID.of(.commit, contents) != reference.commit {
            problems.append("the snapshot \(reference.id): its commit is not what its id says")
        }
        if let problem = try await problem(of: contents) {
            problems.append("the snapshot \(reference.id) \(problem)")
        }
        if let name = stored.commit.trailer("Snapshot"), name != reference.id.description {
            problems.append(
                "what is called the snapshot \(reference.id) is the snapshot \(name): an older one was put in its place"
            )
        }
        if stored.commit.trailer("Snapshot-SHA256") != hex(SHA256.digest(stored.json)) {
            problems.append("the snapshot \(reference.id): its snapshot.json is not the one that was signed")
        }
        if stored.snapshot.system != system {
            problems.append("the snapshot \(reference.id) is of the system \(stored.snapshot.system)")
        }
        return problems
    }

    /// What is wrong with the records of evidence: what is signed by somebody else, or wrongly.
    ///
    /// A record without a signature is none of it: a restore on an empty machine has no key to sign with.
    package func problemsOfEvidence() async throws -> [String] {
        var problems: [String] = []
        for record in try store.evidence(of: system, with: store.reader()) {
            problems += try await self.problems(ofRecord: record.commit, kind: record.kind)
        }
        return problems
    }

    /// What is wrong with one record, which need not be in the chain of its kind yet.
    func problems(ofRecord record: ObjectID, kind: String) async throws -> [String] {
        let contents = try store.reader().contents(record, .commit)
        guard Commit.signed(contents) != nil, let problem = try await problem(of: contents) else { return [] }
        return ["the record \(record) of \(kind) \(problem)"]
    }

    /// What is wrong with the signature of a commit, nil when nothing is.
    private func problem(of contents: [UInt8]) async throws -> String? {
        guard let (payload, signature) = Commit.signed(contents) else { return "is not signed" }
        let file = scratch.path.appending("signature")
        try Files.replaceWithoutSync(file, with: signature)
        let common = ["-n", SSHKeygen.namespace, "-s", file.string]
        let verified = try await run(
            ["-Y", "verify", "-f", allowed.string, "-I", "understudy"] + common, payload)
        guard verified.status != 0 else { return nil }
        let anybody = try await run(["-Y", "check-novalidate"] + common, payload)
        guard anybody.status == 0 else {
            // Anything else than a bad signature, a host without accounts say, is no word about the snapshot.
            guard anybody.errorOutput.contains("ignature") else {
                let last = anybody.errorOutput.split(whereSeparator: \.isNewline).last
                let words = last.map { ": " + printable($0.utf8) } ?? ""
                throw StoreFailure(
                    .failed,
                    "signatures cannot be checked: ssh-keygen ended with status \(anybody.status)\(words)",
                    hint: "make sure that 'ssh-keygen -Y check-novalidate' works on this host")
            }
            return "was changed after it was signed: its signature does not fit it"
        }
        let who = anybody.output.split(separator: " ").first { $0.hasPrefix("SHA256:") }
        return
            "is signed by \(printable((who ?? "a key of another kind").utf8.filter { $0 > 0x20 })), and not by "
            + signers.map(\.fingerprint).joined(separator: " or ")
    }

    private func run(_ arguments: [String], _ payload: [UInt8]) async throws -> Program.Outcome {
        do {
            return try await SSHKeygen.program(arguments, input: payload).run()
        } catch let error as ProgramFailure {
            throw StoreFailure(
                .failed, "signatures cannot be checked: \(error)",
                hint: "checking them needs the program ssh-keygen: apt-get install openssh-client")
        }
    }
}
