package import Programs
package import SystemPackage

/// A terminal of its own for a program, on which somebody types a passphrase whenever it is asked for.
package struct PassphraseTerminal {
    /// What is typed.
    package var passphrase: String

    /// A terminal on which `passphrase` is typed.
    package init(passphrase: String) { self.passphrase = passphrase }

    /// Runs a program there, and returns its status and, as its output, all that the terminal showed.
    package func run(
        _ command: [String], environment: [String: String] = [:], in directory: FilePath
    ) async throws -> Program.Outcome {
        // What is typed before the program has made the terminal silent is thrown away.
        let script = """
            import os, pty, select, sys, termios
            pid, terminal = pty.fork()
            if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
            shown = asked = b""
            while True:
                if select.select([terminal], [], [], 0.02)[0]:
                    try: piece = os.read(terminal, 1024)
                    except OSError: break
                    if not piece: break
                    shown += piece
                    asked += piece
                elif b": " in asked and not termios.tcgetattr(terminal)[3] & termios.ECHO:
                    os.write(terminal, sys.argv[1].encode() + b"\\n")
                    asked = b""
            os.write(1, shown)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
        return try await Program(
            "python3", ["-c", script, passphrase] + command, environment: environment, directory: directory
        ).run()
    }
}
