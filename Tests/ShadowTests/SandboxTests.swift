import Drivers
import FileTree
import Glibc
import Judge
import Programs
import Shadow
import SystemPackage
import TestSupport
import Testing

@Suite struct SandboxTests {
    private func sandbox(_ directory: FilePath, at place: FilePath = "/srv/ci") throws -> Sandbox {
        Sandbox(
            launcher: try CommandLineRunner.builtBinary(),
            mounts: [.init(directory, at: place, isWritable: true)], hostName: "shadow")
    }

    private func allowance() throws -> Allowance {
        try LimitKeeper(watchingBecause: "it is a test").allowance("test", ShadowLimits())
    }

    @Test func aProgramSeesItsOwnPlacesAndNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let home = directory.appending("home")
            try Files.makeDirectory(home)
            try Files.replace(home.appending("file"), with: Array("inside\n".utf8))
            let script =
                "cat /srv/ci/file; hostname; ls /home /root /srv 2>&1; env | sort; echo new > /srv/ci/made"
            let outcome = try await SandboxProcess.run(
                Program("sh", ["-c", script], environment: ["COLOUR": "blue"]), in: sandbox(home),
                within: allowance(), log: directory.appending("log"))
            #expect(outcome.status == 0)
            #expect(outcome.output.hasPrefix("inside\nshadow\n"))
            #expect(outcome.output.contains("COLOUR=blue"))
            #expect(outcome.output.contains("HOME=/tmp"))
            #expect(!outcome.output.contains("USER="))
            try #expect(Files.read(home.appending("made")) == Array("new\n".utf8))
        }
    }

    /// People put servers there too, with passwords and sockets.
    @Test func ofUsrLocalItHasWhatIsForProgramsAlone() async throws {
        try await withTemporaryDirectory { directory in
            let script = "ls -A /usr/local; echo; touch /usr/local/made 2>&1; ls /usr/local/etc 2>&1"
            let outcome = try await SandboxProcess.run(
                Program("sh", ["-c", script]), in: sandbox(directory, at: "/usr/local/server/master"),
                within: allowance(), log: directory.appending("log"))
            let names = outcome.output.split(separator: "\n").prefix { !$0.hasPrefix("touch") }.map(
                String.init)
            let usual = SystemPrograms.localDirectories.compactMap { $0.lastComponent?.string }
            #expect(names.contains("server"))
            #expect(Set(names).isSubset(of: usual + ["server"]), "\(outcome.output)")
            #expect(outcome.output.contains("Read-only file system"))
            #expect(outcome.output.contains("/usr/local/etc': No such file"))
        }
    }

    @Test func nobodyGetsOutOfIt() async throws {
        try await withTemporaryDirectory { directory in
            let script = """
                import socket, os
                for family, address in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET, '127.0.0.1')):
                    s = socket.socket(family); s.settimeout(2)
                    try: s.connect((address, 80)); print('connected')
                    except OSError as e: print(e.errno)
                for family in (40, 1):
                    try: socket.socket(family); print('made')
                    except OSError as e: print(e.errno)
                for path in ('/etc/shadow', '/root/.ssh', '/var/run/docker.sock', '/etc/understudy'):
                    print(os.path.exists(path))
                try: os.kill(\(getpid()), 0); print('sees us')
                except OSError as e: print('gone')
                open('/usr/share/made', 'w')
                """
            let outcome = try await SandboxProcess.run(
                Program("/usr/bin/python3", ["-c", script]), in: sandbox(directory),
                within: allowance(), log: directory.appending("log"))
            #expect(outcome.output.contains("101\n111\n97\nmade\nFalse\nFalse\nFalse\nFalse\ngone\n"))
            #expect(outcome.output.contains("Read-only file system"))
        }
    }

    /// A keyring of a session is handed on to every program, in a sandbox too: tickets of Kerberos may be in it.
    @Test func keysThatTheKernelKeepsAreNotToBeHadInIt() async throws {
        #if arch(x86_64)
            let first = 248
        #elseif arch(arm64)
            let first = 217
        #endif
        try await withTemporaryDirectory { directory in
            // add_key, request_key and keyctl, for what is the session's; all of them are ENOSYS.
            let script = """
                import ctypes
                c = ctypes.CDLL(None, use_errno=True)
                for number, arguments in (
                    (\(first), (b'user', b'understudy', b'x', 1, -3)),
                    (\(first + 1), (b'user', b'understudy', 0, 0)), (\(first + 2), (0, -3, 0))):
                    print(c.syscall(number, *arguments), ctypes.get_errno())
                """
            let outcome = try await SandboxProcess.run(
                Program("/usr/bin/python3", ["-c", script]), in: sandbox(directory),
                within: allowance(), log: directory.appending("log"))
            #expect(outcome.output == "-1 38\n-1 38\n-1 38\n")
        }
    }

    /// Such as the lock of `flock FILE understudy canary …`, which every program inherits.
    @Test func whatWeHaveOpenIsNotOpenInIt() async throws {
        try await withTemporaryDirectory { directory in
            try Files.replace(directory.appending("ours"), with: Array("secret\n".utf8))
            // Without close-on-exec.
            let ours = try FileDescriptor.open(directory.appending("ours"), .readOnly)
            let outcome = try await SandboxProcess.run(
                Program("ls", ["/proc/self/fd"]), in: sandbox(directory), within: allowance(),
                log: directory.appending("log"))
            try ours.close()
            // The last one is the directory that is listed.
            #expect(outcome.output == "0\n1\n2\n3\n")
        }
    }

    @Test func aSandboxThatShowsProductionIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            // What stands outside at the place is mounted there: nothing else than production itself.
            let link = directory.appending("link")
            try Files.makeDirectory(directory.appending("production"))
            try Files.makeLink(link, to: directory.appending("production").byteArray)
            let open = Sandbox(
                launcher: try CommandLineRunner.builtBinary(),
                mounts: [.init(link, at: directory.appending("production"))], hostName: "shadow")
            let marker = directory.appending("production/ran")
            await #expect(throws: ShadowFailure.self) {
                _ = try await SandboxProcess.run(
                    Program("touch", [marker.string]), in: open, within: allowance(),
                    log: directory.appending("log"))
            }
            try #expect(!Files.exists(marker))
        }
    }

    /// In programs of the host, which are shown read-only where they are, one can connect to it all the same.
    @Test func aSocketOfTheHostAmongItsProgramsIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let programs = directory.appending("programs")
            try Files.makeDirectory(programs)
            let server = """
                import socket, sys, time
                s = socket.socket(socket.AF_UNIX)
                s.bind(sys.argv[1])
                s.listen(1)
                time.sleep(600)
                """
            let script =
                "python3 -c '\(server)' \"$0\" >/dev/null 2>&1 & echo $! >pid; until test -S \"$0\"; do sleep 0.05; done"
            try await Program(
                "/bin/bash", ["-euc", script, programs.appending("door").string], directory: directory
            ).runSuccessfully()
            let failure = await #expect(throws: ShadowFailure.self) {
                _ = try await SandboxProcess.run(
                    Program("touch", [programs.appending("ran").string]), in: sandbox(programs, at: programs),
                    within: allowance(), log: directory.appending("log"))
            }
            try await Program("/bin/bash", ["-c", "kill $(cat pid)"], directory: directory).runSuccessfully()
            #expect(failure?.description.contains("no socket in sight: ") == true)
            #expect(failure?.description.contains("programs/door") == true)
            try #expect(!Files.exists(programs.appending("ran")))
        }
    }

    @Test func whatTakesTooLongIsEnded() async throws {
        try await withTemporaryDirectory { directory in
            // Nobody else's program has this number.
            let number = Int.random(in: 1_000_000...9_999_999)
            let script =
                "sleep 1000 & setsid sleep \(number) & sleep 0.5; kill -0 $! && touch /srv/ci/begun; sleep 1002"
            let failure = await #expect(throws: ShadowFailure.self) {
                _ = try await SandboxProcess.run(
                    Program("sh", ["-c", script], limit: .seconds(5)), in: sandbox(directory),
                    within: allowance(), log: directory.appending("log"))
            }
            #expect(failure?.code == .timedOut)
            try #expect(Files.exists(directory.appending("begun")))
            try #expect(!isRunning("sleep\u{0}\(number)"))
        }
    }

    @Test func whatIsStoppedIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let number = Int.random(in: 1_000_000...9_999_999)
            let process = try await SandboxProcess.start(
                Program("sleep", ["\(number)"]), in: sandbox(directory), within: allowance(),
                log: directory.appending("log"))
            #expect(process.isRunning)
            // It is let run, and may not have begun.
            try await wait("the program") { try isRunning("sleep\u{0}\(number)") }
            await process.stop()
            #expect(!process.isRunning)
            try #expect(!isRunning("sleep\u{0}\(number)"))
        }
    }

    /// A log may be larger than memory.
    @Test func ofALongLogTheEndIsReadAndTooMuchIsABreach() async throws {
        try await withTemporaryDirectory { directory in
            let process = try await SandboxProcess.start(
                Program("sh", ["-c", "seq 1 100000; echo the end; touch /srv/ci/done; sleep 600"]),
                in: sandbox(directory), within: allowance(), log: directory.appending("log"))
            try await wait("the program") { try Files.exists(directory.appending("done")) }
            #expect(process.lastWords == "99997; 99998; 99999; 100000; the end")
            try #expect(process.words(limit: 1 << 20).hasPrefix("1\n2\n"))
            let breach = #expect(throws: Breach.self) { _ = try process.words(limit: 2 << 16) }
            #expect(breach?.isItsOwn == true && breach?.description.contains("of log") == true)
            await process.stop()
        }
    }

    /// Whether a process with these words in its command line is there.
    private func isRunning(_ words: String) throws -> Bool {
        let words = Array(words.utf8)
        return try Files.names("/proc").contains { name in
            guard let number = Int32(String(decoding: name, as: UTF8.self)), number != getpid() else {
                return false
            }
            // A process that ended meanwhile is not running.
            guard let line = try? Files.readIfPresent(FilePath("/proc/\(number)/cmdline")) else {
                return false
            }
            return line.starts(with: words)
        }
    }
}

@Suite struct InsideViewTests {
    private let closed = InsideView(
        interfaces: ["lo"], connections: ["192.0.2.1:80": "ENETUNREACH"], resolvesNames: false, sockets: [],
        environment: ["PATH"], places: ["/srv/ci": "1:2"], processes: 2, capabilities: "0000000000000000")

    private func violations(_ view: InsideView) -> [InsideView.Check] {
        view.checks(environment: ["PATH"], production: ["/srv/ci": "1:3"]).filter { !$0.holds }
    }

    @Test func aClosedSandboxHasNoViolations() {
        #expect(violations(closed).isEmpty)
    }

    @Test func everyOpeningIsNamed() {
        let openings: [(words: String, open: (inout InsideView) -> Void)] = [
            ("lo, eth0", { $0.interfaces.append("eth0") }),
            ("192.0.2.1:80 connected", { $0.connections["192.0.2.1:80"] = "connected" }),
            ("192.0.2.1:80 EINPROGRESS", { $0.connections["192.0.2.1:80"] = "EINPROGRESS" }),
            (
                "192.0.2.1:80 ENETUNREACH, vsock error 22",
                { $0.connections["vsock"] = "error 22" }
            ),
            ("", { $0.connections = [:] }),
            ("resolved", { $0.resolvesNames = true }),
            ("/run/docker.sock", { $0.sockets = ["/run/docker.sock"] }),
            ("SSH_AUTH_SOCK", { $0.environment.append("SSH_AUTH_SOCK") }),
            ("/srv/ci", { $0.places["/srv/ci"] = "1:3" }),
            ("14 processes", { $0.processes = 14 }),
            ("00000000a80425fb", { $0.capabilities = "00000000a80425fb" }),
        ]
        for (words, open) in openings {
            var view = closed
            open(&view)
            #expect(violations(view).map(\.detail) == [words])
        }
    }
}
