internal import Cryptography
internal import FileTree
internal import Programs
internal import SystemPackage

/// Makes a Python environment again from its lock, with no index in reach.
struct EnvironmentRebuild {
    /// What the environment consists of.
    var lock: PythonLock
    /// The directory that holds `wheels/` and `environment/`.
    var artifacts: FilePath
    /// Where it is made.
    var staged: FilePath
    /// Where it will stand.
    var final: FilePath
    /// Where it stood when it was captured.
    var captured: String

    /// Makes it, and takes back every mention of the staging place.
    func run() async throws {
        try verifyArtifacts()
        let base = try await Interpreter.find(for: lock)
        // A prompt that was never given is the name of the directory, which is another one while staging.
        let prompt = lock.prompt ?? final.lastComponent?.string ?? "environment"
        var arguments = ["-m", "venv", "--without-pip", "--prompt", prompt]
        if lock.usesSystemPackages { arguments.append("--system-site-packages") }
        try await python(base.path, arguments + [staged.string])
        if !lock.wheels.isEmpty { try await installWheels() }
        try restoreExtras()
        try rewritePaths()
        try await compile()
        if let made = try Files.status(staged), made.owner != lock.owner || made.group != lock.group {
            try await give(to: lock.owner, lock.group)
        }
    }

    /// Lets all of it belong to somebody, where we may.
    func give(to owner: UInt32, _ group: UInt32) async throws {
        guard ThisHost.isRoot else { return }
        try await Program("chown", ["-hR", "\(owner):\(group)", staged.string]).runSuccessfully()
    }

    private func verifyArtifacts() throws {
        for wheel in lock.wheels {
            try verify(wheel.file, digest: wheel.digest)
        }
        for extra in lock.extras {
            if case .file(_, let digest) = extra.kind {
                try verify(extra.artifact, digest: digest)
            }
        }
    }

    func verify(_ name: String, digest: String) throws {
        guard try hex(SHA256.digest(Files.read(artifacts.appending(name)))) == digest else {
            throw DriverFailure(
                "\(name) is not what \(PythonLock.name) says: its SHA-256 differs",
                hint: "verify the snapshot and restore from another copy of the store")
        }
    }

    static let options = [
        "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--no-warn-script-location",
    ]

    private func installWheels() async throws {
        let pip = try await installer()
        try await python(
            pip.program,
            pip.arguments + Self.options + ["--find-links", artifacts.appending("wheels").string]
                + lock.wheels.map { "\($0.name)==\($0.version)" },
            environment: pip.environment)
    }

    /// pip for what is staged, with no settings but ours: its own if it had one, else the host's.
    func installer() async throws -> (
        program: FilePath, arguments: [String], environment: [String: String]
    ) {
        let interpreter = staged.appending("bin/python")
        var environment = [
            "PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1",
            "PIP_NO_CACHE_DIR": "1", "PIP_ROOT_USER_ACTION": "ignore", "PYTHONDONTWRITEBYTECODE": "1",
        ]
        guard let pip = lock.pip else {
            let host = try await Interpreter.find(for: lock).path
            return (host, ["-m", "pip", "--python", interpreter.string], environment)
        }
        environment["PYTHONPATH"] = artifacts.appending(pip.file).string
        return (interpreter, ["-m", "pip"], environment)
    }

    private func restoreExtras() throws {
        for extra in lock.extras {
            let place = staged.appending(extra.path)
            try Files.makeDirectories(place.removingLastComponent())
            switch extra.kind {
            case .link(let target):
                try Files.remove(place)
                try Files.makeLink(place, to: Array(target.utf8))
            case .file(let mode, _):
                var contents = try Files.read(artifacts.appending(extra.artifact))
                if extra.path.hasPrefix("bin/"), captured != final.string {
                    contents = replacing(captured, with: final.string, in: contents)
                }
                try Files.replace(place, with: contents, mode: mode)
            }
        }
    }

    /// Scripts, activation files and `pyvenv.cfg` name the place where they were made.
    ///
    /// With `packages`, by normalised names, only their scripts were made there.
    func rewritePaths(of packages: Set<String>? = nil) throws {
        let binaries = staged.appending("bin")
        for name in try Files.names(binaries) {
            let file = binaries.appending(String(decoding: name, as: UTF8.self))
            guard let status = try Files.status(file), status.kind == .file else { continue }
            try rewrite(file, mode: status.mode)
        }
        guard packages == nil else { return try rewriteRecords(of: packages) }
        let configuration = staged.appending("pyvenv.cfg")
        try rewrite(configuration, mode: 0o644)
        if lock.prompt == nil {
            let lines = PythonText.lines(String(decoding: try Files.read(configuration), as: UTF8.self))
            let kept = lines.filter { !$0.hasPrefix("prompt ") }.joined(separator: "\n")
            try Files.replace(configuration, with: Array(kept.utf8))
        }
        try rewriteRecords(of: nil)
    }

    private func rewrite(_ file: FilePath, mode: UInt16) throws {
        let contents = try Files.read(file)
        let rewritten = replacing(staged.string, with: final.string, in: contents)
        if rewritten != contents { try Files.replace(file, with: rewritten, mode: mode) }
    }

    /// `RECORD` holds digests and sizes of the scripts, which are others now.
    private func rewriteRecords(of distributions: Set<String>?) throws {
        let packages = staged.appending("lib/python\(PythonEnvironment.minor(of: lock.python))/site-packages")
        for name in try Files.names(packages).map({ String(decoding: $0, as: UTF8.self) })
        where name.hasSuffix(".dist-info") {
            let distribution = normalised(name.prefix { $0 != "-" })
            guard distributions?.contains(distribution) ?? true else { continue }
            let record = packages.appending(name).appending("RECORD")
            guard let bytes = try Files.readIfPresent(record) else { continue }
            var isChanged = false
            let lines = try PythonText.lines(String(decoding: bytes, as: UTF8.self)).map { line -> String in
                guard line.hasPrefix("../../../bin/"), let comma = line.firstIndex(of: ",") else {
                    return String(line)
                }
                let script = try Files.read(
                    staged.appending(String(line[..<comma].dropFirst("../../../".count))))
                isChanged = true
                return "\(line[..<comma]),sha256=\(URLBase64.text(SHA256.digest(script))),\(script.count)"
            }
            if isChanged { try Files.replace(record, with: Array(lines.joined(separator: "\n").utf8)) }
        }
    }

    /// Compiles after the paths are known: a compiled module remembers where its source lies.
    func compile() async throws {
        let arguments = [
            "-m", "compileall", "-qq", "-j", "0", "-s", staged.string, "-p", final.string,
            staged.appending("lib").string,
        ]
        // What Python itself imports meanwhile must not be compiled for the staging place.
        let outcome = try await Program(
            staged.appending("bin/python").string, arguments,
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], limit: .seconds(600)
        ).run()
        // Packages ship modules for other versions of Python, which do not compile: status 1, as with pip.
        guard outcome.status <= 1 else {
            throw DriverFailure(
                "cannot compile the modules of \(final): status \(outcome.status): \(outcome.errorOutput)",
                hint: "check whether \(lock.base) works")
        }
    }

    func python(
        _ interpreter: FilePath, _ arguments: [String], environment: [String: String] = [:]
    ) async throws {
        do {
            try await Program(
                interpreter.string, arguments, environment: environment, limit: .seconds(900)
            ).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "cannot make the Python environment \(final) again: \(failure)",
                hint:
                    "it was made by Python \(lock.python) on \(lock.platform); check whether this host has it"
            )
        }
    }
}

/// Bytes with every occurrence of a text replaced.
func replacing(_ text: String, with replacement: String, in bytes: [UInt8]) -> [UInt8] {
    let pattern = Array(text.utf8)
    guard let first = pattern.first, text != replacement else { return bytes }
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
        if bytes[index] == first, bytes[index...].starts(with: pattern) {
            result += replacement.utf8
            index += pattern.count
        } else {
            result.append(bytes[index])
            index += 1
        }
    }
    return result
}
