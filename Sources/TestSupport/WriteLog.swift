internal import Cryptography
internal import FileTree
package import SystemPackage

/// What a program did to the files below a directory, call by call, as `strace` saw it: the libraries' writes are in it
/// as well as ours.
package struct WriteLog: Sendable {
    /// One call that changed something, or made a change last.
    enum Call: Sendable {
        case create(String, descriptor: Int)
        case open(String, descriptor: Int)
        case write(descriptor: Int, path: String, bytes: [UInt8], at: Int?)
        case truncate(descriptor: Int, path: String, size: Int)
        case makeDirectory(String)
        case rename(String, String)
        case link(String, String)
        case unlink(String)
        case sync(descriptor: Int, path: String)
        /// Something was said on standard output: from here on the user relies on it.
        case say
    }

    /// The options of `strace` that record such a log to a file.
    package static func options(_ file: FilePath) -> [String] {
        [
            "-f", "-y", "-xx", "-s", "10000000", "-o", file.string, "-e",
            "trace=openat,write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,fallocate,rename,renameat,"
                + "renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,truncate,ftruncate,fsync,"
                + "fdatasync,execve",
        ]
    }

    let calls: [Call]

    /// Whether nothing was done.
    package var isEmpty: Bool { calls.isEmpty }

    /// Reads a log of what was done below `directory`.
    ///
    /// Throws a ``FixtureFailure`` for a call of which it is not known what it does to the disk.
    package init(_ file: FilePath, below directory: FilePath) throws {
        let prefix = directory.string + "/"
        var calls: [Call] = []
        // The program's own threads share its descriptors; every program that it runs has descriptors of its own.
        var programs: [Substring: Int] = [:]
        for line in try Self.wholeLines(file) {
            let process = line.prefix { $0 != " " }
            if line.dropFirst(process.count).drop(while: { $0 == " " }).hasPrefix("execve(") {
                programs[process] = programs.count
            } else if let call = try Self.call(line, prefix, program: programs[process] ?? 0) {
                calls.append(call)
            }
        }
        self.calls = calls
    }

    /// The lines of a log; a call during which another thread made one is told in two pieces, and counts when it ends.
    private static func wholeLines(_ file: FilePath) throws -> [Substring] {
        var lines: [Substring] = []
        var begun: [Substring: Substring] = [:]
        for line in String(decoding: try Files.read(file), as: UTF8.self).split(separator: "\n") {
            let process = line.prefix { $0 != " " }
            if line.hasSuffix("<unfinished ...>") {
                begun[process] = line.dropLast("<unfinished ...>".count)
            } else if let start = begun[process],
                line.dropFirst(process.count).drop(while: { $0 == " " }).hasPrefix("<...")
            {
                begun[process] = nil
                lines.append(start + line.drop { $0 != ">" }.dropFirst())
            } else {
                lines.append(line)
            }
        }
        return lines
    }

    private static func call(_ line: Substring, _ prefix: String, program: Int) throws -> Call? {
        func descriptor(_ number: Int) -> Int { program << 20 | number }
        let words = line.drop { $0 != " " }.drop { $0 == " " }
        // `name(arguments)   = result`; strings are hexadecimal, so that the last parenthesis is the closing one.
        guard let open = words.firstIndex(of: "("), let close = words.lastIndex(of: ")"), open < close else {
            return nil
        }
        let name = words[..<open]
        let result = words[close...].drop { $0 != "=" }.dropFirst(2)
        guard !result.isEmpty, !result.hasPrefix("-1"), !result.hasPrefix("?") else { return nil }
        var arguments = Arguments(words[words.index(after: open)..<close])
        func path(_ bytes: [UInt8]) -> String? {
            let text = String(decoding: bytes, as: UTF8.self)
            return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
        }
        switch name {
        case "openat":
            _ = arguments.descriptor()
            guard let file = path(arguments.string()), let number = Int(result.prefix { $0.isNumber }) else {
                return nil
            }
            return arguments.rest.contains("O_CREAT")
                ? .create(file, descriptor: descriptor(number)) : .open(file, descriptor: descriptor(number))
        case "write", "pwrite64":
            let (number, place) = arguments.descriptor()
            if number == 1 { return program == 0 ? .say : nil }
            guard let file = path(place) else { return nil }
            let bytes = arguments.string()
            let numbers = arguments.numbers()
            guard let done = Int(result.prefix { $0.isNumber }), done <= bytes.count else {
                throw FixtureFailure("strace did not record all bytes: \(line.prefix(200))")
            }
            return .write(
                descriptor: descriptor(number), path: file, bytes: Array(bytes[..<done]),
                at: name == "write" ? nil : numbers.last)
        case "ftruncate":
            let (number, place) = arguments.descriptor()
            guard let file = path(place), let size = arguments.numbers().last else { return nil }
            return .truncate(descriptor: descriptor(number), path: file, size: size)
        case "mkdir": return path(arguments.string()).map { .makeDirectory($0) }
        case "rmdir", "unlink": return path(arguments.string()).map { .unlink($0) }
        case "rename", "link":
            guard let from = path(arguments.string()), let to = path(arguments.string()) else { return nil }
            return name == "rename" ? .rename(from, to) : .link(from, to)
        case "unlinkat":
            let (_, place) = arguments.descriptor()
            let file = arguments.string()
            return path(file.first == UInt8(ascii: "/") ? file : place + [UInt8(ascii: "/")] + file).map {
                .unlink($0)
            }
        case "fsync", "fdatasync":
            let (number, place) = arguments.descriptor()
            return path(place).map { .sync(descriptor: descriptor(number), path: $0) }
        default:
            let escaped = prefix.utf8.map { "\\x" + hex([$0]) }.joined()
            guard words.contains(Substring(escaped)) else { return nil }
            throw FixtureFailure("what does this do to the disk? \(line.prefix(200))")
        }
    }
}

/// The arguments of a recorded call, one after the other.
private struct Arguments {
    var rest: Substring

    init(_ text: Substring) { rest = text }

    /// A descriptor and the path that it stands for: `7</tmp/file>`.
    mutating func descriptor() -> (Int, [UInt8]) {
        let number = Int(rest.prefix { $0.isNumber }) ?? -1
        rest = rest.drop { $0 != "<" && $0 != "," }
        guard rest.first == "<", let end = rest.firstIndex(of: ">") else {
            skipComma()
            return (number, [])
        }
        let text = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        skipComma()
        return (number, Self.bytes(text))
    }

    /// A string in hexadecimal escapes.
    mutating func string() -> [UInt8] {
        rest = rest.drop { $0 != "\"" }.dropFirst()
        let text = rest.prefix { $0 != "\"" }
        rest = rest[text.endIndex...].dropFirst()
        skipComma()
        return Self.bytes(text)
    }

    mutating func numbers() -> [Int] {
        rest.split(separator: ",").compactMap { Int($0.filter { $0 != " " }) }
    }

    private mutating func skipComma() {
        rest = rest.drop { $0 == "," || $0 == " " }
    }

    /// `\x41\x42` as bytes; text without escapes is itself.
    private static func bytes(_ text: Substring) -> [UInt8] {
        let text = Array(text.utf8)
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "\\"), index + 3 < text.count,
                let byte = UInt8(String(decoding: text[(index + 2)...(index + 3)], as: UTF8.self), radix: 16)
            {
                bytes.append(byte)
                index += 4
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }
}
