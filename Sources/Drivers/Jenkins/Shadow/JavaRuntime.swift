internal import FileTree
internal import Programs
internal import SystemPackage

/// The Java of this host.
struct JavaRuntime {
    /// The program.
    let path: FilePath

    /// Where it is installed: the directory with `bin`.
    var home: FilePath { path.removingLastComponent().removingLastComponent() }

    /// The Java that `JAVA_HOME` names, else the first of the usual programs; nil when there is none.
    static func find() throws -> JavaRuntime? {
        var places = Program.inherited(["JAVA_HOME"]).values.map { FilePath($0).appending("bin") }
        places += (Program.usualEnvironment["PATH"] ?? "").split(separator: ":").map { FilePath(String($0)) }
        for place in places {
            let path = place.appending("java")
            guard try Files.exists(path) else { continue }
            return JavaRuntime(path: try Files.resolved(path))
        }
        return nil
    }

    /// Its version: 17.
    func version() async throws -> Int {
        let outcome = try await Program(path.string, ["-version"]).run()
        guard outcome.status == 0, let version = Self.version(in: outcome.errorOutput) else {
            throw DriverFailure(
                "\(path) does not say its version: \(outcome.errorOutput.prefix(200))",
                hint: "install a Java that Jenkins runs on, such as openjdk-17-jre-headless")
        }
        return version
    }

    /// The version in what `java -version` writes: `openjdk version "17.0.15"`; before Java 9 it was `"1.8.0_402"`.
    static func version(in text: String) -> Int? {
        guard let start = text.firstRange(of: "version \"")?.upperBound else { return nil }
        let numbers = text[start...].prefix { $0.isASCII && ($0.isNumber || $0 == ".") }.split(separator: ".")
            .compactMap { Int($0) }
        return numbers.first == 1 ? numbers.dropFirst().first : numbers.first
    }
}
