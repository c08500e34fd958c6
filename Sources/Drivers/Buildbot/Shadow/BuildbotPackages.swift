internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// Where the packages of a changed environment come from.
extension BuildbotShadow {
    func package(ofArchive name: String, _ contents: [UInt8]) throws -> ComponentChange.Package {
        let parts = name.split(separator: "-")
        // name-version(-build)?-python-abi-platform.whl
        guard name.hasSuffix(".whl"), parts.count == 5 || parts.count == 6 else {
            throw DriverFailure(
                "\(name) is no wheel: its name is not NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
                hint: "make one with 'pip wheel --no-deps DIRECTORY'")
        }
        return .init(name: normalised(parts[0]), version: String(parts[1]))
    }

    /// The packages that are released together with Buildbot: those of its version.
    func core(version: String, in source: any FileSource) throws -> [ComponentChange.Package] {
        let wheels = try lock(source).wheels
        guard let own = wheels.first(where: { normalised($0.name[...]) == "buildbot" }) else {
            throw DriverFailure(
                "the environment has no Buildbot that could be changed", hint: "look at 'environment'")
        }
        return wheels.filter { normalised($0.name[...]).hasPrefix("buildbot") && $0.version == own.version }
            .map { .init(name: normalised($0.name[...]), version: version) }
    }

    func archive(
        of package: ComponentChange.Package, in source: any FileSource
    ) throws -> (name: String, contents: [UInt8])? {
        guard let bytes = try source.lock(PythonLock.name) else { return nil }
        let wheel = try PythonLock(bytes).wheels.first {
            normalised($0.name[...]) == normalised(package.name[...]) && $0.version == package.version
        }
        guard let wheel, let name = FilePath(wheel.file).lastComponent?.string,
            let contents = try source.lock(wheel.file)
        else { return nil }
        return (name, contents)
    }

    private func lock(_ source: any FileSource) throws -> PythonLock {
        guard let bytes = try source.lock(PythonLock.name) else {
            throw DriverFailure(
                "the snapshot has no Python environment",
                hint: "name it in the system file as 'environment' and take a snapshot")
        }
        return try PythonLock(bytes)
    }

    /// A package in a version as pip is asked for it.
    ///
    /// Throws a ``DriverFailure`` for what is no name and no version: pip would take it for an option, or for an address of
    /// something that is to be built.
    static func requirement(_ name: String, _ version: String) throws -> String {
        "\(try plainName(name))==\(try plain(version, "version", alone: "!+*"))"
    }

    /// The name of a package; throws as ``requirement(_:_:)`` does.
    static func plainName(_ name: String) throws -> String { try plain(name, "name", alone: "") }

    private static func plain(_ text: String, _ what: String, alone others: String) throws -> String {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        let isPlain = text.utf8.allSatisfy {
            isLetterOrDigit($0) || "._-".utf8.contains($0) || others.utf8.contains($0)
        }
        guard isPlain, let first = text.utf8.first, isLetterOrDigit(first) else {
            throw DriverFailure(
                "the change asks for a package whose \(what) can be none: \(printable(text.utf8))",
                hint: "a package is named as the index has it, such as buildbot-grid-view")
        }
        return text
    }

    /// `sitecustomize.py` for a pip that must build nothing: a dependency may be the address of a source, whose own program
    /// would run here, outside of every sandbox, whatever `--only-binary` says.
    ///
    /// What is started with one interpreter may start the one that it was given, which pip then runs in, and that one nothing.
    static let buildsNothing = """
        import os, sys

        if not hasattr(sys, 'addaudithook'):
            os._exit(1)

        def refuse(event, arguments, own=os.environ['UNDERSTUDY_PYTHON'], first=sys.executable):
            if event == 'subprocess.Popen' and (first == own or list(arguments[1])[:1] != [own]):
                raise PermissionError('a package would have to be built')

        sys.addaudithook(refuse)

        """

    /// Makes the directory in which pip finds that file, for this host and for every shadow; where it is here.
    @discardableResult static func makeGuard(for copy: ShadowCopy) throws -> FilePath {
        let directory = copy.workspace.appending("packages").appending(guardName)
        try Files.makeDirectory(directory)
        // Whoever the programs of a shadow run as reads it.
        try Files.setMode(directory, 0o755)
        try Files.replace(directory.appending("sitecustomize.py"), with: Array(buildsNothing.utf8))
        return directory
    }

    /// Its name among the packages.
    static let guardName = "guard"

    /// Lets pip find out what the environment lacks, and fetch it; wheels alone, for they run nothing when they come.
    func fetch(
        _ change: ComponentChange, for copy: ShadowCopy, from index: PackageIndex,
        trusting trust: CanaryPolicy.UpdateCenterTrust, to directory: FilePath
    ) async throws {
        guard index != .none else { return }
        struct Report: Decodable {
            struct Item: Decodable {
                struct Metadata: Decodable { var name: String, version: String }
                var metadata: Metadata
            }
            var install: [Item]
        }
        let wanted = try change.packages.compactMap { package in
            try package.version.map { try Self.requirement(package.name, $0) }
        }
        guard !wanted.isEmpty, let environment = copy.staged.root("environment"), let lock = try lock(copy)
        else {
            return
        }
        let python = environment.staged.appending("bin/python").string
        let guarding = try Self.makeGuard(for: copy)
        var program = Program(
            try await Interpreter.find(for: lock).path.string, ["-m", "pip", "--python", python],
            environment: [
                "PYTHONPATH": guarding.string, "UNDERSTUDY_PYTHON": python,
                "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "HOME": "/nonexistent",
                "PYTHONDONTWRITEBYTECODE": "1",
            ], limit: .seconds(900), outputLimit: 64 << 20)
        if let pip = lock.pip, let name = FilePath(pip.file).lastComponent?.string {
            let wheels = directory.removingLastComponent().appending("snapshot")
            program.environment["PYTHONPATH"] = "\(guarding):\(wheels.appending(name))"
        }
        let places =
            ["--only-binary", ":all:", "--find-links", directory.string]
            + (index.address.map { ["--index-url", $0] } ?? [])
        let base = program.arguments
        program.arguments = base + ["install", "--quiet", "--dry-run", "--report", "-"] + places + wanted
        let outcome = try await program.run()
        guard outcome.status == 0 else {
            guard !outcome.errorOutput.contains("DO NOT MATCH THE HASHES") else {
                throw DriverFailure(
                    "a package of the change is not what the package index says it is: \(outcome.errorOutput.suffix(500))",
                    hint: "ask who runs the index, or give the packages with --archives and --offline")
            }
            // What cannot be resolved is the change's own fault, and told by the first stage, which tries it offline.
            guard outcome.errorOutput.contains("Retrying (") else { return }
            throw DriverFailure(
                "the package index cannot be reached: \(outcome.errorOutput.suffix(500))",
                hint: "give the packages with --archives, another index with --index, or --offline")
        }
        let missing = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).install.map {
            try Self.requirement($0.metadata.name, $0.metadata.version)
        }
        guard !missing.isEmpty else { return }
        program.arguments =
            base + ["download", "--quiet", "--no-deps", "--dest", directory.string] + places + missing
        do {
            try await program.runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the packages of the change cannot be fetched: \(failure)",
                hint: "give them with --archives, or another index with --index")
        }
    }
}

extension PackageIndex {
    fileprivate var address: String? {
        if case .address(let address) = self { address } else { nil }
    }
}
