internal import FileTree
internal import Programs
internal import SystemPackage

/// A Python of the host that an environment can be made by.
struct Interpreter {
    /// The program.
    var path: FilePath

    /// Whether it comes with pip.
    func hasPip() async throws -> Bool {
        try await Program(path.string, ["-I", "-m", "pip", "--version"], limit: .seconds(30)).run().status
            == 0
    }

    /// Finds a Python of the minor version that a lock names: compiled modules fit no other.
    ///
    /// Throws a ``DriverFailure`` that says what to install when there is none.
    static func find(for lock: PythonLock) async throws -> Interpreter {
        let minor = PythonEnvironment.minor(of: lock.python)
        guard lock.platform == "linux-\(ThisHost.machine)" else {
            throw DriverFailure(
                "the Python environment was captured on \(lock.platform), and this host is"
                    + " linux-\(ThisHost.machine): compiled packages do not fit",
                hint: "restore on a \(lock.platform) host, or restore without this component's environment")
        }
        var candidates = [lock.base]
        candidates += ["/usr/bin", "/usr/local/bin", "/opt/python\(minor)/bin"].map { "\($0)/python\(minor)" }
        for candidate in candidates where try Files.exists(FilePath(candidate)) {
            let question = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
            do {
                let answer = try await Program(candidate, ["-I", "-c", question], limit: .seconds(30)).run()
                if answer.status == 0, trimmed(answer.output.prefix { $0 != "\n" }) == minor {
                    return Interpreter(path: FilePath(candidate))
                }
            } catch is ProgramFailure {
                // A program that cannot be run is no candidate; the next one may be.
                continue
            }
        }
        throw DriverFailure(
            "the Python environment was made by Python \(minor), which this host lacks",
            hint: "run: apt-get install python\(minor) python\(minor)-venv")
    }
}
