internal import SnapshotModel
internal import SystemPackage

/// `python.lock`: all that an environment is made again from, one line each.
struct PythonLock: Equatable {
    /// A wheel beside the lock.
    struct Wheel: Equatable {
        /// The distribution's name and version.
        var name: String, version: String
        /// The wheel's file, below the component: `wheels/…`.
        var file: String
        /// SHA-256 of the wheel, in hex.
        var digest: String
    }

    /// A file in the environment that no distribution owns.
    struct Extra: Equatable {
        /// What it is.
        enum Kind: Equatable {
            /// A regular file with these permission bits and this SHA-256.
            case file(mode: UInt16, digest: String)
            /// A link to this target.
            case link(target: String)
        }
        /// Its path below the environment.
        var path: String
        /// What it is.
        var kind: Kind

        /// The name of the artifact that holds a file: below `environment/`, as git can have it.
        var artifact: String {
            let names = path.utf8.split(separator: UInt8(ascii: "/")).map { StoredName.escaped(Array($0)) }
            return String(
                decoding: Array("environment".utf8) + names.flatMap { [UInt8(ascii: "/")] + $0 },
                as: UTF8.self)
        }
    }

    /// The name of the lock.
    static let name = "python.lock"

    /// Python's full version.
    var python: String
    /// The interpreter that the environment was made by.
    var base: String
    /// System and architecture: `linux-x86_64`.
    var platform: String
    /// Whether packages of the host can be imported.
    var usesSystemPackages: Bool
    /// The words before the shell's prompt.
    var prompt: String?
    /// Numbers of the owner and the group.
    var owner: UInt32, group: UInt32
    /// The wheels, sorted.
    var wheels: [Wheel]
    /// The other files, sorted.
    var extras: [Extra]

    /// The wheel of pip, nil when the environment had none.
    var pip: Wheel? { wheels.first { normalised($0.name[...]) == "pip" } }

    /// The text.
    var text: String {
        var lines = [
            "# python \(python)", "# base \(base)", "# platform \(platform)",
            "# system-packages \(usesSystemPackages ? "yes" : "no")", "# owner \(owner) \(group)",
        ]
        if let prompt { lines.append("# prompt \(prompt)") }
        lines += wheels.map { "\($0.name)==\($0.version) \(escaped($0.file)) sha256:\($0.digest)" }
        lines += extras.map { extra in
            switch extra.kind {
            case .file(let mode, let digest):
                "environment/\(escaped(extra.path)) \(String(mode, radix: 8)) sha256:\(digest)"
            case .link(let target): "environment/\(escaped(extra.path)) -> \(escaped(target))"
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A lock of these parts.
    init(environment: PythonEnvironment, owner: UInt32, group: UInt32, wheels: [Wheel], extras: [Extra]) {
        python = environment.version
        base = environment.base.string
        platform = environment.platform
        usesSystemPackages = environment.usesSystemPackages
        prompt = environment.prompt
        self.owner = owner
        self.group = group
        self.wheels = wheels
        self.extras = extras
    }

    /// The lock that a text spells; throws a ``DriverFailure`` that names the line that cannot be read.
    init(_ bytes: [UInt8]) throws {
        var header: [String: String] = [:]
        wheels = []
        extras = []
        let lines = PythonText.lines(String(decoding: bytes, as: UTF8.self))
        for (number, line) in lines.enumerated() where !line.isEmpty {
            if line.hasPrefix("# ") {
                let parts = line.dropFirst(2).split(separator: " ", maxSplits: 1)
                if parts.count == 2 { header[String(parts[0])] = String(parts[1]) }
            } else if !Self.read(line, &wheels, &extras) {
                throw Self.failure("line \(number + 1) cannot be read: \(line)")
            }
        }
        let numbers = (header["owner"] ?? "").split(separator: " ").compactMap { UInt32($0) }
        guard let python = header["python"], let base = header["base"], let platform = header["platform"],
            numbers.count == 2
        else { throw Self.failure("it does not say which Python, on which platform") }
        self.python = python
        self.base = base
        self.platform = platform
        usesSystemPackages = header["system-packages"] == "yes"
        prompt = header["prompt"]
        (owner, group) = (numbers[0], numbers[1])
    }

    private static func read(_ line: Substring, _ wheels: inout [Wheel], _ extras: inout [Extra]) -> Bool {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 3 else { return false }
        let digest = words[2].hasPrefix("sha256:") ? String(words[2].dropFirst("sha256:".count)) : nil
        if words[0].hasPrefix("environment/") {
            guard let path = unescaped(words[0].dropFirst("environment/".count)) else { return false }
            if words[1] == "->", let target = unescaped(words[2][...]) {
                extras.append(Extra(path: path, kind: .link(target: target)))
            } else if let mode = UInt16(words[1], radix: 8), let digest {
                extras.append(Extra(path: path, kind: .file(mode: mode, digest: digest)))
            } else {
                return false
            }
            // Nothing may lead out of the environment, whoever wrote the lock.
            return !path.hasPrefix("/") && !path.split(separator: "/").contains("..")
        }
        guard let equals = words[0].firstIndex(of: "="), words[0][equals...].hasPrefix("=="), let digest,
            let file = unescaped(words[1][...]), file.hasPrefix("wheels/"), file.hasSuffix(".whl"),
            !file.split(separator: "/").contains("..")
        else { return false }
        wheels.append(
            Wheel(
                name: String(words[0][..<equals]), version: String(words[0][equals...].dropFirst(2)),
                file: file, digest: digest))
        return true
    }

    private static func failure(_ reason: String) -> DriverFailure {
        DriverFailure(
            "cannot read \(name) of the snapshot: \(reason)",
            hint: "verify the snapshot; if it is sound, a newer Understudy wrote it")
    }
}

/// Text without blanks, line breaks and percent signs: those become `%XX`.
private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar.value <= 0x20 || scalar == "%" || scalar.value == 0x7f {
            let digits = String(scalar.value, radix: 16, uppercase: true)
            result += "%" + (digits.count == 1 ? "0" : "") + digits
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

private func unescaped(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        else {
            return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}
