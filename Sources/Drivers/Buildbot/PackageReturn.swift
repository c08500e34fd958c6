internal import FileTree
internal import Programs
internal import SystemPackage

extension EnvironmentRebuild {
    /// Makes a copy of the environment that stands there now, with some packages as the lock has them: not one byte of the others
    /// changes.
    ///
    /// Throws a ``DriverFailure`` when pip then finds a requirement unmet that was met before.
    func run(packages: [String]) async throws {
        let wheels = lock.wheels.filter { packages.contains($0.name) }
        for wheel in wheels + [lock.pip].compactMap({ $0 }) { try verify(wheel.file, digest: wheel.digest) }
        do {
            try await Program(
                "cp", ["-a", "--reflink=auto", "--", final.string, staged.string], limit: .seconds(900)
            ).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "\(final) cannot be copied: \(failure)", hint: "free some space beside it and try again")
        }
        let pip = try await installer()
        let before = try await complaints(pip)
        // By name, not by file: pip writes down where a file was.
        let named = wheels.map { "\($0.name)==\($0.version)" }
        try await python(
            pip.program,
            pip.arguments + Self.options
                + ["--force-reinstall", "--find-links", artifacts.appending("wheels").string] + named,
            environment: pip.environment)
        try rewritePaths(of: Set(wheels.map { normalised($0.name[...]) }))
        // What is up to date is not compiled again.
        try await compile()
        let unmet = try await complaints(pip).subtracting(before).sorted()
        guard unmet.isEmpty else {
            throw DriverFailure(
                "with \(wheels.map { "\($0.name) \($0.version)" }.joined(separator: ", ")) the environment is not consistent: "
                    + unmet.joined(separator: "; "),
                hint: "restore the packages that belong together with several --only, or the whole component")
        }
        if let live = try Files.status(final) { try await give(to: live.owner, live.group) }
    }

    /// What `pip check` has to say against the copy, line by line.
    private func complaints(
        _ pip: (program: FilePath, arguments: [String], environment: [String: String])
    ) async throws -> Set<String> {
        let outcome = try await Program(
            pip.program.string, pip.arguments + ["check"], environment: pip.environment, limit: .seconds(300)
        ).run()
        guard outcome.status != 0 else { return [] }
        return Set(PythonText.lines(outcome.output).filter { !$0.isEmpty }.map(String.init))
    }
}
