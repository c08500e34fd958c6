internal import Glibc
internal import SystemPackage

/// What a person types and sees, or another program hands over.
enum Terminal {
    /// Whether a person types what is read from standard input.
    static var isInput: Bool { isatty(0) == 1 }

    /// Lines of block characters as ink on paper, whatever the colours of the terminal are that standard output may be.
    static func inked(_ text: String) -> String {
        guard isatty(1) == 1 else { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { "\u{1b}[38;5;16;48;5;231m\($0)\u{1b}[0m" }.joined(separator: "\n")
    }

    /// Everything on standard input, up to a limit.
    static func input(limit: Int) throws -> [UInt8] {
        do {
            return try readAll(.standardInput, limit: limit) { _ in false }
        } catch let reason as Errno {
            throw CommandFailure(
                .noKeyFits, "standard input cannot be read: \(reason)",
                hint: "hand the key over there, < FILE or PROGRAM |, or name its file: --identity FILE")
        }
    }

    /// A line that is typed on the terminal of the process and shown nowhere.
    static func secret(_ prompt: String) throws -> [UInt8] {
        let terminal: FileDescriptor
        do {
            terminal = try unsafe FileDescriptor.open("/dev/tty", .readWrite)
        } catch {
            throw CommandFailure(
                .noKeyFits, "there is no terminal on which to ask for the \(prompt.dropLast(2))",
                hint: "give a file that is not under a passphrase, or run the command on a terminal")
        }
        return try terminal.closeAfter {
            try terminal.writeAll(Array(prompt.utf8))
            var settings = termios()
            guard unsafe tcgetattr(terminal.rawValue, &settings) == 0 else { throw Errno(rawValue: errno) }
            var silent = settings
            silent.c_lflag &= ~tcflag_t(ECHO)
            unsafe tcsetattr(terminal.rawValue, TCSAFLUSH, &silent)
            defer { unsafe tcsetattr(terminal.rawValue, TCSAFLUSH, &settings) }
            let line = try readAll(terminal, limit: 1 << 12) { $0 == UInt8(ascii: "\n") }
            try terminal.writeAll([UInt8(ascii: "\n")])
            return line
        }
    }

    private static func readAll(
        _ descriptor: FileDescriptor, limit: Int, until isEnd: (UInt8) -> Bool
    ) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            var byte: [UInt8] = [0]
            let count = try unsafe byte.withUnsafeMutableBytes { buffer in
                try unsafe descriptor.read(into: buffer)
            }
            if count == 0 || isEnd(byte[0]) { return bytes }
            bytes += byte
        }
        throw CommandFailure(
            .usage, "what was handed over is longer than \(limit) bytes",
            hint: "hand over a file of identities, as 'age-keygen' writes it")
    }
}
