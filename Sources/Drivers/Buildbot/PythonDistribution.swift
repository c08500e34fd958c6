internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// One installed distribution: what `RECORD` says belongs to it.
struct PythonDistribution {
    /// One file of it.
    struct Member: Hashable {
        /// Its path in a wheel.
        var name: String
        /// Its path below the environment.
        var file: String
        /// Whether its first line names the environment's interpreter, and must not in a wheel.
        var isScript: Bool
    }

    /// Its name, as it calls itself.
    var name: String
    /// Its version.
    var version: String
    /// The name of its `.dist-info` directory.
    var information: String
    /// The name that its wheel has.
    var wheelName: String
    /// What goes into its wheel, sorted.
    var members: [Member]
    /// Every path below the environment that belongs to it.
    var owned: Set<String>

    /// Reads the distribution that the `.dist-info` directory of this name describes.
    ///
    /// Throws a ``CapturedComponent/Problem`` in a ``Unusable`` when a wheel cannot be made from it.
    init(_ information: String, in environment: PythonEnvironment) throws {
        let directory = environment.path.appending(environment.sitePackages).appending(information)
        func text(_ file: String) throws -> String? {
            try Files.readIfPresent(directory.appending(file), limit: 64 << 20)
                .map { String(decoding: $0, as: UTF8.self) }
        }
        func unusable(_ reason: String) -> Unusable {
            Unusable(
                problem: .init(path: "environment/\(environment.sitePackages)/\(information)", reason: reason)
            )
        }
        guard let metadata = try text("METADATA"), let name = field("Name", in: metadata),
            let version = field("Version", in: metadata)
        else {
            throw unusable("the distribution has no readable METADATA; install it again")
        }
        guard let record = try text("RECORD"), let wheel = try text("WHEEL") else {
            throw unusable(
                "\(name) \(version) was not installed from a wheel (no RECORD); install it again with pip")
        }
        if let origin = try text("direct_url.json"), isEditable(origin) {
            throw unusable(
                "\(name) \(version) is installed editable: its code lies elsewhere and is not captured;"
                    + " install a wheel of it, or capture its directory with the files driver")
        }
        self.name = name
        self.version = version
        self.information = information
        wheelName = try Self.wheelName(information, wheel).orThrow(unusable("its WHEEL names no tag"))
        let commands = consoleScripts(try text("entry_points.txt") ?? "")
        members = []
        owned = []
        let stem = String(information.dropLast(".dist-info".count))
        for line in PythonText.lines(record) where !line.isEmpty {
            guard let path = firstField(line) else { throw unusable("its RECORD cannot be read: \(line)") }
            guard let file = resolve(path, from: environment.sitePackages) else {
                throw unusable("\(name) \(version) owns \(path), which is outside the environment")
            }
            owned.insert(file)
            guard !isLeftOut(path, information) else { continue }
            if file.hasPrefix("bin/") {
                let script = String(file.dropFirst("bin/".count))
                guard !commands.contains(script), !isVersionedPip(script, name) else { continue }
                members.append(Member(name: "\(stem).data/scripts/\(script)", file: file, isScript: true))
            } else if path.hasPrefix("../") {
                members.append(Member(name: "\(stem).data/data/\(file)", file: file, isScript: false))
            } else {
                members.append(Member(name: path, file: file, isScript: false))
            }
        }
        members = Set(members).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Why no wheel can be made.
    struct Unusable: Error {
        var problem: CapturedComponent.Problem
    }

    /// `name-version(-build)-python-abi-platform.whl`, with the tags compressed as PEP 425 does.
    private static func wheelName(_ information: String, _ wheel: String) -> String? {
        let tags = PythonText.lines(wheel).compactMap { line -> [Substring]? in
            guard line.hasPrefix("Tag:") else { return nil }
            let parts = Substring(trimmed(line.dropFirst("Tag:".count))).split(separator: "-")
            return parts.count == 3 ? parts : nil
        }
        guard !tags.isEmpty else { return nil }
        let compressed = (0..<3).map { index in Set(tags.map { $0[index] }).sorted().joined(separator: ".") }
        let build = field("Build", in: wheel).map { "-\($0)" } ?? ""
        return "\(information.dropLast(".dist-info".count))\(build)-\(compressed.joined(separator: "-")).whl"
    }
}

extension Optional {
    fileprivate func orThrow(_ error: @autoclosure () -> some Error) throws -> Wrapped {
        guard let self else { throw error() }
        return self
    }
}

/// The first header of a name in a text of `Name: value` lines that ends at the first empty line.
private func field(_ name: String, in text: String) -> String? {
    for line in PythonText.lines(text) {
        guard !line.isEmpty else { return nil }
        if line.hasPrefix(name + ":") { return trimmed(line.dropFirst(name.count + 1)) }
    }
    return nil
}

/// The names of the scripts that an installer makes from `entry_points.txt`.
private func consoleScripts(_ entryPoints: String) -> Set<String> {
    var section = ""
    var names: Set<String> = []
    for line in PythonText.lines(entryPoints) {
        let line = trimmed(line)
        if line.hasPrefix("[") {
            section = line
        } else if section == "[console_scripts]" || section == "[gui_scripts]",
            let equals = line.firstIndex(of: "="), !line.hasPrefix("#"), !line.hasPrefix(";")
        {
            names.insert(trimmed(line[..<equals]))
        }
    }
    return names
}

/// pip makes `pip3` and `pip3.11` by itself.
private func isVersionedPip(_ script: String, _ distribution: String) -> Bool {
    distribution == "pip" && script.hasPrefix("pip")
        && script.dropFirst(3).allSatisfy { $0 == "." || ($0.isASCII && $0.isNumber) }
}

/// Whether a recorded file is not part of the wheel: written by the installer, or by Python at run time.
private func isLeftOut(_ path: String, _ information: String) -> Bool {
    if path.hasSuffix(".pyc") { return true }
    guard path.hasPrefix(information + "/") else { return false }
    let written = [
        "INSTALLER", "REQUESTED", "RECORD", "RECORD.jws", "RECORD.p7s", "direct_url.json", "uv_cache.json",
        "uv_build.json",
    ]
    return written.contains(String(path.dropFirst(information.count + 1)))
}

private func isEditable(_ origin: String) -> Bool {
    origin.filter { $0 != " " && $0 != "\n" }.contains("\"editable\":true")
}

/// The first field of a line of comma-separated values.
private func firstField(_ line: Substring) -> String? {
    guard line.first == "\"" else { return line.firstIndex(of: ",").map { String(line[..<$0]) } }
    var value = ""
    var rest = line.dropFirst()
    while let character = rest.first {
        rest = rest.dropFirst()
        guard character == "\"" else {
            value.append(character)
            continue
        }
        guard rest.first == "\"" else { return value }
        value.append("\"")
        rest = rest.dropFirst()
    }
    return nil
}

/// A recorded path, below the environment; nil when it leads out of it.
private func resolve(_ path: String, from directory: String) -> String? {
    guard !path.hasPrefix("/") else { return nil }
    var parts = directory.split(separator: "/")
    for part in path.split(separator: "/") where part != "." {
        if part == ".." {
            guard !parts.isEmpty else { return nil }
            parts.removeLast()
        } else {
            parts.append(part)
        }
    }
    return parts.isEmpty ? nil : parts.joined(separator: "/")
}
