internal import FileTree
internal import Glibc
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// The Java of this host.
struct JavaRuntime {
    /// The program.
    let path: FilePath

    /// The first Java that is as new as `least` and that a user can run, nil for ourselves; where there is none, why.
    static func find(
        atLeast least: Int, as user: (owner: UInt32, group: UInt32)? = nil,
        among runtimes: [JavaRuntime]? = nil
    ) async throws -> (runtime: JavaRuntime?, lack: String) {
        var found: [String] = []
        for runtime in try runtimes ?? all() {
            do {
                let version = try await runtime.version(as: user)
                guard version < least else { return (runtime, "") }
                found.append("\(runtime.path) is Java \(version)")
            } catch let failure as DriverFailure {
                // One that does not run is no reason not to look at the next.
                found.append("\(printable(failure.description.utf8))")
            } catch let failure as ProgramFailure {
                // Nor is one that cannot even be started.
                found.append("\(printable(failure.description.utf8))")
            }
        }
        return (nil, found.first ?? "this host has none")
    }

    /// Those that a user can run, nil for ourselves.
    static func usable(
        among runtimes: [JavaRuntime], as user: (owner: UInt32, group: UInt32)?
    ) async throws -> [JavaRuntime] {
        var usable: [JavaRuntime] = []
        for runtime in runtimes {
            let (found, _) = try await find(atLeast: 0, as: user, among: [runtime])
            if let found { usable.append(found) }
        }
        return usable
    }

    /// Every Java of this host: that which `JAVA_HOME` names, the usual programs, and what distributions and people install
    /// beside.
    static func all() throws -> [JavaRuntime] {
        var places = Program.inherited(["JAVA_HOME"]).values.map { FilePath($0).appending("bin") }
        places += (Program.usualEnvironment["PATH"] ?? "").split(separator: ":").map { FilePath(String($0)) }
        for directory in ["/usr/lib/jvm", "/opt"].map({ FilePath($0) }) where try Files.isDirectory(directory)
        {
            places += try Files.names(directory).map {
                FilePath(bytes: directory.byteArray + [UInt8(ascii: "/")] + $0).appending("bin")
            }
        }
        // A link that leads nowhere, as a removed package leaves it, is no Java.
        return try places.map { $0.appending("java") }.filter { path in
            unsafe path.withPlatformString { unsafe access($0, X_OK) } == 0
        }.map { JavaRuntime(path: try Files.resolved($0)) }
    }

    /// Where those are that a sandbox has not by itself.
    static func places(of runtimes: [JavaRuntime]) -> [FilePath] {
        Set(runtimes.flatMap { SystemPrograms.places(of: $0.path) }).sorted { $0.string < $1.string }
    }

    /// The oldest Java that runs a version of Jenkins.
    ///
    /// After https://www.jenkins.io/doc/book/platform-information/support-policy-java/; a version that is newer than this
    /// table may need more.
    static func needed(by version: String) -> Int {
        let rows = [("2.545", 21), ("2.463", 17), ("2.357", 11)]
        return rows.first { !VersionNumber(version).isOlder(than: VersionNumber($0.0)) }?.1 ?? 8
    }

    /// What this host lacks of a Java for a version of Jenkins, nil when that is not known.
    static func missing(for version: String?) async throws -> [Refusal] {
        let needed = version.map { Self.needed(by: $0) } ?? 8
        let name = "Jenkins\(version.map { " \($0)" } ?? "")"
        let (runtime, lack) = try await find(atLeast: needed)
        guard runtime == nil else { return [] }
        return [
            Refusal(
                "\(name) needs Java \(needed) or newer, and \(lack)",
                hint:
                    "apt-get install \(debianPackage(for: needed)), or set JAVA_HOME for this command, or restore with --no-start"
            )
        ]
    }

    /// What to install for a Java as new as `least`: what Debian 12 has fits all that needs 17 or less.
    static func debianPackage(for least: Int) -> String { "openjdk-\(max(17, least))-jre-headless" }

    /// Its version, as a user sees it, nil for ourselves: 17.
    func version(as user: (owner: UInt32, group: UInt32)? = nil) async throws -> Int {
        let outcome = try await Program(path.string, ["-version"], user: user).run()
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
