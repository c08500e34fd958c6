internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Glibc
internal import Restore
internal import Shadow
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// What a command works with: the system file, the policy, the drivers, the store.
struct Session: Sendable {
    let file: FilePath
    let description: SystemDescription
    let policy: SnapshotPolicy
    let system: DeliverySystem
    let output: Output

    /// Reads the system file and the policy, and makes the drivers.
    ///
    /// `documents` are the formats that the command has beside text and JSON.
    init(_ options: Options, documents: Set<Options.Format> = []) throws {
        let output = try Output(options, documents: documents)
        let file = try SystemFile.find(option: options.system, variable: environment("UNDERSTUDY_SYSTEM"))
        let description = try SystemFile.read(file)
        try self.init(
            file: file, description: description, policy: try SnapshotPolicy.read(for: description),
            policies: try Self.policies(description), output: output)
    }

    /// The policies that a snapshot carries, sorted: not `notify.yaml`, whose addresses can be as good as a password.
    static let carriedPolicies = [
        CanaryPolicyFile.fileName, RetentionPolicy.fileName, SnapshotPolicy.fileName,
    ]

    /// The files of the policies, which a snapshot carries.
    private static func policies(_ description: SystemDescription) throws -> [(
        name: String, contents: [UInt8]
    )] {
        guard let directory = description.policies else { return [] }
        return try Self.carriedPolicies.compactMap { name in
            try Files.readIfPresent(directory.appending(name), limit: 1 << 20).map { (name, $0) }
        }
    }

    /// Makes the drivers of a description; `names` are what a snapshot calls their roots, where that is not what they would
    /// be called here.
    init(
        file: FilePath, description: SystemDescription, policy: SnapshotPolicy,
        policies: [(name: String, contents: [UInt8])], names: [String: [String]] = [:], output: Output
    ) throws {
        self.output = output
        self.file = file
        self.description = description
        self.policy = policy
        var components: [(component: Component, driver: any Driver)] = []
        var rules: [String: [Classification.Rule]] = [:]
        for component in description.components {
            let driver = try Self.driver(of: component, in: file)
            components.append((component, names[component.name].map { driver.calling(roots: $0) } ?? driver))
            rules[component.name] = policy.rules(for: component.name)
        }
        try Self.refuseNesting(components, store: description.store)
        system = DeliverySystem(
            name: description.name, text: Array(description.text.utf8), file: try absolute(file).string,
            policies: policies, components: components,
            options: CaptureOptions(
                rules: rules, leftOut: policy.skip,
                refusesLeaks: policy.leaks == .refuse, allowedInClear: policy.allowedInClear),
            recipients: description.recipients, host: hostName(),
            tool: Understudy.version)
    }

    /// The driver of a component; settings that it cannot use are a mistake in the system file.
    static func driver(of component: Component, in file: FilePath? = nil) throws -> any Driver {
        do {
            return try makeDriver(component)
        } catch let failure as DriverFailure {
            throw CommandFailure(.usage, failure.description, hint: failure.hint, path: file?.string)
        }
    }

    /// Refuses places that lie in one another: each is exchanged as a whole, and a store must not capture itself.
    static func refuseNesting(
        _ components: [(component: Component, driver: any Driver)], store: FilePath,
        hint: String = "keep the store elsewhere: move it and change 'store' in the system file"
    ) throws {
        let places = components.flatMap { component, driver in
            driver.places().map { (component.name, FilePath($0.path).lexicallyNormalized()) }
        }
        for (index, (name, path)) in places.enumerated() {
            if store.lexicallyNormalized().starts(with: path) {
                throw CommandFailure(
                    .usage, "the store \(store) lies in \(path), which component '\(name)' captures",
                    hint: hint)
            }
            for (otherIndex, (other, outer)) in places.enumerated()
            where otherIndex != index && path.starts(with: outer) {
                throw CommandFailure(
                    .usage, "\(path) of component '\(name)' lies in \(outer) of component '\(other)'",
                    hint: "take the inner one out, or let the outer one be several directories beside it")
            }
        }
    }

    /// Opens the store.
    func store() throws -> SnapshotStore {
        try SnapshotStore.open(
            at: description.store, signer: description.signingKey.map { CommitSigner(key: $0) })
    }

    /// What there is to say of a store that held snapshots, and none of this system: its name may be mistyped; nil of one that
    /// held none.
    func strangeness(of store: SnapshotStore) throws -> String? {
        let prefix = "refs/snapshots/"
        let names = try store.references(prefix).compactMap { reference in
            reference.name.dropFirst(prefix.count).split(separator: "/").first.map { String($0) }
        }
        let strange = names.filter { $0 != system.name }
        guard !strange.isEmpty else { return nil }
        let others = Dictionary(grouping: strange) { $0 }.sorted { $0.key < $1.key }.map { name, snapshots in
            "\(counted(snapshots.count, "snapshot")) of '\(name)'"
        }
        return "the store holds \(others.joined(separator: ", ")), and none of '\(system.name)': "
            + "is 'system' in \(file) right?"
    }

    /// Who runs the command: the real person behind sudo, `name <name@host>`.
    var author: String {
        let own = Accounts.userName(Accounts.ownNumbers.user)
        let name =
            environment("SUDO_USER").flatMap { $0.isEmpty ? nil : $0 } ?? (own.isEmpty ? "understudy" : own)
        return "\(name) <\(name)@\(system.host)>"
    }

    /// Does something with the store; where it is damaged, heals what is in reach of `commits` and does it once more.
    ///
    /// The second time it is told what was healed. Throws the damage itself when nothing could be healed.
    func healing<Result>(
        _ store: SnapshotStore, _ commits: () throws -> [ObjectID], _ reach: Healing.Reach,
        holding lock: WriterLock,
        _ body: ([String]) async throws -> Result
    ) async throws -> Result {
        let failure: CommandFailure
        do {
            return try await body([])
        } catch {
            // A snapshot of somebody else is not damaged: a copy of it would be no better.
            guard !(error is SignatureFailure) else { throw error }
            failure = CommandFailure(error)
            guard failure.status == .verification else { throw error }
        }
        output.progress("damaged: \(failure.message); looking for good copies on the store's remotes")
        let report = try await Healing(store).heal(commits(), reach, holding: lock)
        guard report.hasHealed else {
            throw CommandFailure(
                .verification, ([failure.message] + report.words).joined(separator: "\n       "),
                hint: failure.hint, path: failure.path)
        }
        for line in report.words { output.progress(line) }
        return try await body(report.words)
    }

    /// Refuses a snapshot that nobody of `signers` signed, or that is another than it is called; whoever is asked for none
    /// takes what comes.
    func checkSignature(
        _ reference: SnapshotReference, _ signers: [SignerKey], _ store: SnapshotStore
    ) async throws {
        guard !signers.isEmpty else { return }
        let verification = try SignatureVerification(store, system: system.name, signers: signers)
        let problems = try await verification.problems(of: reference)
        guard problems.isEmpty else {
            throw SignatureFailure(problems.joined(separator: "\n       "))
        }
    }

    /// Removes the directory of a killed rehearsal, puts the old trees of an interrupted restore back, and says what was done.
    func recover(_ store: SnapshotStore) async throws -> Recovery.Report {
        var left: [String] = []
        do {
            try Workspace.clean(store)
        } catch {
            // It is in nobody's way but a rehearsal's, which tries again.
            left = ["what a rehearsal has left cannot be removed: \(error)"]
        }
        var report = try await Recovery.run(
            store.localDirectory, system: system, progress: { output.progress($0) })
        report.notes += left
        return report
    }
}

/// A path from the root, as it stands there: without `.` and `..`, and links not followed.
func absolute(_ path: FilePath) throws -> FilePath {
    // Where the working directory is gone, whoever names a path from the root needs none.
    guard !path.isAbsolute else { return path.lexicallyNormalized() }
    return try Files.resolved(".").pushing(path).lexicallyNormalized()
}

/// A variable of the environment, nil when it is not set.
func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}

/// All variables of the environment.
func environment() throws -> [String: String] {
    var variables: [String: String] = [:]
    for entry in try Files.read("/proc/self/environ", limit: 1 << 22).split(separator: 0) {
        let parts = entry.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { continue }
        variables[String(decoding: parts[0], as: UTF8.self)] = String(decoding: parts[1], as: UTF8.self)
    }
    return variables
}

/// The name of this host.
func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let status = unsafe buffer.withUnsafeMutableBufferPointer { buffer -> CInt in
        guard let base = buffer.baseAddress else { return -1 }
        return unsafe gethostname(base, buffer.count - 1)
    }
    guard status == 0 else { return "localhost" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
