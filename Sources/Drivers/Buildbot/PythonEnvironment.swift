internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// A Python virtual environment, read from its files: nothing in it is run.
struct PythonEnvironment {
    /// Where it stands.
    var path: FilePath
    /// Python's full version: `3.11.2`.
    var version: String
    /// The interpreter that it was made by.
    var base: FilePath
    /// Whether packages of the host can be imported in it.
    var usesSystemPackages: Bool
    /// The words before the shell's prompt, where they are not the directory's name.
    var prompt: String?

    /// The first two numbers of the version: what compiled modules are bound to.
    var minorVersion: String { Self.minor(of: version) }
    /// What compiled modules are bound to besides.
    var platform: String { "linux-\(ThisHost.machine)" }
    /// The directory of the packages, below the environment.
    var sitePackages: String { "lib/python\(minorVersion)/site-packages" }

    /// Reads `pyvenv.cfg`; throws a ``DriverFailure`` when there is no environment at the path.
    init(_ path: FilePath) throws {
        let file = path.appending("pyvenv.cfg")
        guard let bytes = try Files.readIfPresent(file, limit: 1 << 16) else {
            throw DriverFailure(
                "\(path) is not a Python environment: it has no pyvenv.cfg",
                hint: "give the directory that 'python -m venv' made as 'environment', or leave it out")
        }
        var fields: [String: String] = [:]
        for line in PythonText.lines(String(decoding: bytes, as: UTF8.self)) {
            guard let equals = line.firstIndex(of: "=") else { continue }
            fields[trimmed(line[..<equals])] = trimmed(line[equals...].dropFirst())
        }
        guard let version = fields["version"] ?? fields["version_info"], let home = fields["home"] else {
            throw DriverFailure(
                "\(file) does not say which Python made the environment",
                hint: "a line 'version = 3.…' and a line 'home = …' are expected")
        }
        self.path = path
        self.version = version.split(separator: ".").prefix(3).joined(separator: ".")
        let name = "python" + Self.minor(of: version)
        base = fields["executable"].map { FilePath($0) } ?? FilePath(home).appending(name)
        usesSystemPackages = fields["include-system-site-packages"] == "true"
        prompt = fields["prompt"].map { PythonText.string($0[...]) ?? $0 }
        guard try Files.isDirectory(path.appending(sitePackages)) else {
            throw DriverFailure(
                "\(path) has no packages at \(sitePackages)",
                hint: "the environment is broken; make it again, or leave 'environment' out")
        }
    }

    /// `3.11` of `3.11.2`.
    static func minor(of version: String) -> String {
        version.split(separator: ".").prefix(2).joined(separator: ".")
    }

    /// The version of an installed distribution, nil when there is none of that name.
    func version(of distribution: String) throws -> String? {
        for name in try Files.names(path.appending(sitePackages)) {
            let text = String(decoding: name, as: UTF8.self)
            guard text.hasSuffix(".dist-info"), let dash = text.firstIndex(of: "-") else { continue }
            if normalised(text[..<dash]) == normalised(distribution[...]) {
                return String(text[dash...].dropFirst().dropLast(".dist-info".count))
            }
        }
        return nil
    }
}

/// A distribution's name as indexes compare it: `Zope.Interface` is `zope-interface`.
func normalised(_ name: Substring) -> String {
    var result = ""
    for character in name.lowercased() {
        if "-_.".contains(character) {
            if result.last != "-" { result.append("-") }
        } else {
            result.append(character)
        }
    }
    return result
}

/// Text without blanks and ends of lines around it.
func trimmed(_ text: Substring) -> String {
    func isBlank(_ character: Character) -> Bool {
        character == " " || character == "\t" || character.isNewline
    }
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text = text.dropLast() }
    return String(text)
}

extension PythonEnvironment {
    /// What stands in the environment, without what Python makes by itself.
    struct Listing {
        /// Files and links, by their path below the environment.
        var files: [String: FileStatus] = [:]
        /// What cannot be listed, and why.
        var problems: [CapturedComponent.Problem] = []
    }

    /// Lists the environment.
    func listing() throws -> Listing {
        var listing = Listing()
        try list("", into: &listing)
        return listing
    }

    private func list(_ directory: String, into listing: inout Listing) throws {
        let place = directory.isEmpty ? path : path.appending(directory)
        for name in try Files.names(place) {
            guard let text = String(validating: name, as: UTF8.self) else {
                listing.problems.append(
                    .init(
                        path: "environment/\(directory)/\(printable(name))",
                        reason: "its name is no text, which an environment cannot be made again with"))
                continue
            }
            let below = directory.isEmpty ? text : "\(directory)/\(text)"
            guard let status = try Files.status(place.appending(text)) else { continue }
            switch status.kind {
            case .directory:
                if text != "__pycache__" { try list(below, into: &listing) }
            case .file, .link:
                if !Self.isMadeByPython(below) { listing.files[below] = status }
            case .socket, .fifo, .device:
                break
            }
        }
    }

    /// What venv, virtualenv and uv write into `bin` to work in the environment.
    private static let activators: Set<String> = [
        "activate", "activate.bat", "activate.csh", "activate.fish", "activate.nu", "activate.ps1",
        "activate.xsh", "activate_this.py", "deactivate.bat", "deactivate.nu", "pydoc.bat",
    ]

    /// Whether a file is made by Python, the environment's maker or Twisted, and comes back by itself.
    private static func isMadeByPython(_ path: String) -> Bool {
        if path.hasSuffix(".pyc") || path.hasSuffix("/twisted/plugins/dropin.cache") { return true }
        if ["pyvenv.cfg", "lib64", ".gitignore", "CACHEDIR.TAG", ".lock"].contains(path) { return true }
        guard path.hasPrefix("bin/") else { return false }
        let name = path.dropFirst("bin/".count)
        let isInterpreter =
            name.hasPrefix("python")
            && name.dropFirst("python".count).allSatisfy { $0 == "." || ($0.isASCII && $0.isNumber) }
        return isInterpreter || activators.contains(name.lowercased())
    }
}
