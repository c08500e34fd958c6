internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import Programs
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
        let wanted = change.packages.compactMap { package in package.version.map { "\(package.name)==\($0)" }
        }
        guard !wanted.isEmpty, let environment = copy.staged.root("environment"), let lock = try lock(copy)
        else {
            return
        }
        var program = Program(
            try await Interpreter.find(for: lock).path.string,
            ["-m", "pip", "--python", environment.staged.appending("bin/python").string],
            environment: [
                "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "HOME": "/nonexistent",
                "PYTHONDONTWRITEBYTECODE": "1",
            ], limit: .seconds(900), outputLimit: 64 << 20)
        if let pip = lock.pip, let name = FilePath(pip.file).lastComponent?.string {
            let wheels = directory.removingLastComponent().appending("snapshot")
            program.environment["PYTHONPATH"] = wheels.appending(name).string
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
            "\($0.metadata.name)==\($0.metadata.version)"
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
