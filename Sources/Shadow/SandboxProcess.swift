internal import Cfiles
internal import Dispatch
internal import Drivers
internal import FileTree
internal import FoundationEssentials
internal import Glibc
package import Programs
internal import Synchronization
package import SystemPackage

/// A program in a sandbox, which is let run only when what it sees from inside is as it should be.
///
/// The thread that starts it waits for its end: the kernel kills the sandbox, and all that is in it, when that thread ends,
/// and so when we are killed.
package final class SandboxProcess: Sendable {
    /// What was checked from inside before the program ran; all of it holds.
    package let checks: [InsideView.Check]
    /// The file with everything that the program writes.
    package let log: FilePath
    private let child: Child

    private init(_ child: Child, _ checks: [InsideView.Check], log: FilePath) {
        self.child = child
        self.checks = checks
        self.log = log
    }

    /// Starts a program as part of a shadow; its words go to `log`, a new file.
    ///
    /// Throws a ``ShadowFailure`` when there is no sandbox to be had, or when it is not closed: then the program has not run.
    package static func start(
        _ program: Program, in sandbox: Sandbox, within allowance: Allowance, log: FilePath
    ) async throws -> SandboxProcess {
        let command = sandbox.command(
            program, libraries: try ownLibraries(),
            limits: Sandbox.Limits(allowance.limits, usable: try Processors.usable()))
        let child = try Child(allowance.begin(command), log: log)
        let line: [UInt8]
        do {
            line = try await child.firstLine(limit: .seconds(60))
        } catch {
            await child.end()
            throw error
        }
        guard var seen = try? JSONDecoder().decode(InsideView.self, from: Data(line)) else {
            await child.end()
            if let breach = try allowance.breach { throw breach }
            let words = try lastLines(of: log)
            throw ShadowFailure(
                "no sandbox can be made here: \(words.isEmpty ? "bubblewrap ended without a word" : words)",
                hint: "run: apt-get install bubblewrap; user namespaces must be allowed "
                    + "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
            )
        }
        var production: [String: String] = [:]
        do {
            seen.sockets += try BoundSockets().shown(by: sandbox.mounts)
            for mount in sandbox.mounts where mount.source != mount.target {
                production[mount.target.string] = try Files.status(mount.target).map(InsideView.identity)
            }
        } catch {
            await child.end()
            throw error
        }
        let variables = Set(sandbox.environment(of: program).keys).union(["PWD"])
        let checks = seen.checks(environment: variables, production: production)
        let violations = checks.filter { !$0.holds }.map { "\($0.words): \($0.detail)" }
        guard violations.isEmpty else {
            await child.end()
            throw ShadowFailure(
                "the sandbox is not closed, so nothing was run in it; not so: \(violations.joined(separator: "; "))",
                hint: "this is a fault of the host or of Understudy: do not work around it")
        }
        do {
            allowance.watch(try child.member())
            try child.letGo()
        } catch {
            await child.end()
            throw error
        }
        return SandboxProcess(child, checks, log: log)
    }

    /// Runs a program to its end; both its outputs come together.
    ///
    /// `attest` is given what was checked from inside. Any exit status is a result. Throws a ``ShadowFailure``
    /// when it does not end in time, and a ``Breach`` when the shadow went beyond what it may use.
    package static func run(
        _ program: Program, in sandbox: Sandbox, within allowance: Allowance, log: FilePath,
        attest: ([InsideView.Check]) -> Void = { _ in }
    ) async throws -> Program.Outcome {
        let process = try await start(program, in: sandbox, within: allowance, log: log)
        attest(process.checks)
        let ended = await process.child.wait(limit: program.limit)
        if let breach = try allowance.breach { throw breach }
        guard let status = ended else {
            await process.child.end()
            throw ShadowFailure(
                "\(program.name) did not end within \(program.limit) in the sandbox: \(process.lastWords)",
                hint: "look for what it waits for; it has no network", code: .timedOut)
        }
        let output = try Files.readIfPresent(log, limit: program.outputLimit) ?? []
        return Program.Outcome(
            status: status, output: String(decoding: output, as: UTF8.self), errorOutput: "")
    }

    /// Whether it still runs.
    package var isRunning: Bool { child.status == nil }

    /// Ends it and everything in its sandbox.
    package func stop() async { await child.end() }

    /// The end of what it has written.
    package var lastWords: String {
        // What it wrote only makes a failure easier to read.
        (try? lastLines(of: log)) ?? ""
    }

    /// Everything that it has written; throws a ``Breach`` when that is more.
    package func words(limit: Int) throws -> String {
        do {
            return String(decoding: try Files.read(log, limit: limit), as: UTF8.self)
        } catch {
            guard error.reason == .fileTooLarge else { throw error }
            throw Breach(kind: .log(limit: limit))
        }
    }

    /// Directories of libraries that this very binary has loaded from outside the system's own places.
    private static func ownLibraries() throws -> [FilePath] {
        let maps = String(decoding: try Files.read("/proc/self/maps", limit: 16 << 20), as: UTF8.self)
        var directories: Set<FilePath> = []
        for line in maps.split(separator: "\n") {
            guard let slash = line.firstIndex(of: "/"), line.contains(".so") else { continue }
            let path = FilePath(String(line[slash...]))
            guard !SystemPrograms.has(path), !path.starts(with: "/lib"), !path.starts(with: "/lib64")
            else { continue }
            directories.insert(path.removingLastComponent())
        }
        return directories.sorted { $0.string < $1.string }
    }
}

/// The last lines of a file that may be of any size.
private func lastLines(of log: FilePath) throws -> String {
    let file = try FileDescriptor.open(log, .readOnly, options: .closeOnExec)
    // Nothing is written that closing could lose.
    defer { try? file.close() }
    let size = try file.seek(offset: 0, from: .end)
    var bytes = [UInt8](repeating: 0, count: 4000)
    let count = try unsafe bytes.withUnsafeMutableBytes {
        try unsafe file.read(fromAbsoluteOffset: max(0, size - 4000), into: $0)
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self).split(whereSeparator: \.isNewline).suffix(5)
        .joined(separator: "; ")
}

/// The process of bubblewrap, as its parent sees it.
private final class Child: Sendable {
    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let process: pid_t
    private let channel: CInt

    init(_ command: [String], log: FilePath) throws {
        let descriptor = try Files.createExclusively(log, mode: 0o600)
        defer { close(descriptor) }
        let channel = try Channel()
        let filter: CInt?
        do {
            filter = try SystemCallFilter.program.map(opened)
        } catch {
            close(channel.ours)
            close(channel.theirs)
            throw error
        }
        defer { if let filter { close(filter) } }
        let started = Mutex<Result<pid_t, any Error>?>(nil)
        let ready = DispatchSemaphore(value: 0)
        let ended = Ended()
        // One piece of work from the start to the end of the child: as long as it takes, the thread lives.
        DispatchQueue.global().async {
            let result = spawn(command, channel: channel.theirs, filter: filter, log: descriptor)
            started.withLock { $0 = result }
            ready.signal()
            guard case .success(let process) = result else { return }
            var status: CInt = 0
            while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
            ended.set(status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f))
        }
        ready.wait()
        close(channel.theirs)
        self.channel = channel.ours
        switch started.withLock({ $0 }) {
        case .success(let number): process = number
        case .failure(let error):
            close(self.channel)
            throw error
        case nil: preconditionFailure("the thread says how it went before it signals")
        }
        ended.notify { [self] status in
            let waiting = state.withLock { state in
                state.status = status
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    deinit {
        close(channel)
    }

    var status: Int32? { state.withLock(\.status) }

    /// The first line of the child's output, empty when it ended without one.
    func firstLine(limit: Duration) async throws -> [UInt8] {
        let deadline = ContinuousClock().now + limit
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while line.last != UInt8(ascii: "\n"), line.count < 1 << 20 {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe read(channel, $0.baseAddress, $0.count)
            }
            if count == 0 { break }
            if count < 0 {
                guard errno == EAGAIN || errno == EINTR, ContinuousClock().now < deadline else {
                    throw ShadowFailure(
                        "nothing was heard from inside the sandbox within \(limit)",
                        hint: "look whether the host is overloaded, and try again")
                }
                try await Task.sleep(for: .milliseconds(5))
                continue
            }
            line += buffer.prefix(count)
        }
        return line
    }

    /// Lets the program run.
    func letGo() throws {
        let word = Array("go\n".utf8)
        let count = unsafe word.withUnsafeBytes {
            unsafe send(channel, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        guard count == word.count else {
            throw ShadowFailure(
                "the sandbox ended before its program ran: \(Errno(rawValue: errno))",
                hint: "look whether the host is out of memory")
        }
    }

    /// Waits for the end; nil when it did not come in time.
    func wait(limit: Duration) async -> Int32? {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.hasEnded()
                return true
            }
            group.addTask {
                // Cancelled when the other one is first.
                try? await Task.sleep(for: limit)
                return false
            }
            let isEnded = await group.next() ?? false
            if !isEnded { self.kill() }
            group.cancelAll()
            return isEnded ? self.status : nil
        }
    }

    /// Ends it, and with it everything in its sandbox; returns when all of that is gone.
    func end() async {
        kill()
        await hasEnded()
    }

    /// The sandbox as part of a shadow; what attests in it runs.
    func member() throws -> Allowance.Member {
        guard let first = try firstProcesses().first else {
            throw ShadowFailure(
                "the sandbox has no process any more", hint: "look whether the host is out of memory")
        }
        return Allowance.Member(
            view: try OutsideView(firstProcess: first), isRunning: { self.status == nil },
            end: { self.kill() })
    }

    /// The sandbox's own first process, as we number it.
    private func firstProcesses() throws -> [pid_t] {
        try Files.read(FilePath("/proc/\(process)/task/\(process)/children"))
            .split(separator: UInt8(ascii: " ")).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }

    /// Kills the sandbox's own first process: the kernel ends all others in it before bubblewrap hears of that and ends too.
    private func kill() {
        // Not after it was waited for: the number may be another's by then.
        state.withLock { state in
            guard state.status == nil else { return }
            // A sandbox that has no first process yet has nothing in it.
            let first = (try? firstProcesses()) ?? []
            for number in first.isEmpty ? [process] : first { _ = Glibc.kill(number, SIGKILL) }
        }
    }

    private func hasEnded() async {
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status != nil
            }
            if isEnded { continuation.resume() }
        }
    }
}

/// The end of a process, told once, to whoever asks before or after it.
private final class Ended: Sendable {
    private struct State {
        var status: Int32?
        var observer: (@Sendable (Int32) -> Void)?
    }
    private let state = Mutex(State())

    func set(_ status: Int32) {
        let observer = state.withLock { state in
            state.status = status
            return state.observer
        }
        observer?(status)
    }

    func notify(_ observer: @escaping @Sendable (Int32) -> Void) {
        let status = state.withLock { state in
            state.observer = observer
            return state.status
        }
        if let status { observer(status) }
    }
}

/// Two ends of a connection that no other child inherits; ours does not wait.
private struct Channel {
    var ours: CInt
    var theirs: CInt

    init() throws {
        var ends: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw ShadowFailure(
                "no connection to a sandbox can be made: \(Errno(rawValue: errno))",
                hint: "too many files are open")
        }
        (ours, theirs) = (ends[0], ends[1])
        _ = fcntl(ours, F_SETFL, O_NONBLOCK)
    }
}

/// A descriptor from which these bytes are read, and then their end; there is room for a few thousand.
private func opened(_ bytes: [UInt8]) throws -> CInt {
    let channel = try Channel()
    let count = unsafe bytes.withUnsafeBytes {
        unsafe send(channel.ours, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
    }
    let reason = Errno(rawValue: errno)
    close(channel.ours)
    guard count == bytes.count else {
        close(channel.theirs)
        throw ShadowFailure(
            "no filter can be given to a sandbox: \(reason)", hint: "look whether the host is out of memory")
    }
    return channel.theirs
}

private func spawn(
    _ command: [String], channel: CInt, filter: CInt?, log: CInt
) -> Result<pid_t, any Error> {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, channel, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, channel, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, log, 2)
    // Last of these: another one may have its number until then.
    if let filter {
        unsafe posix_spawn_file_actions_adddup2(&actions, filter, SystemCallFilter.descriptor)
    }
    // Whoever called us may have left files open, and bubblewrap would hand them on.
    unsafe cfiles_close_from(
        &actions, filter == nil ? SystemCallFilter.descriptor : SystemCallFilter.descriptor + 1)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // A process group of its own: what is typed on our terminal is for us. Signals as a program expects them.
    var all = sigset_t()
    var none = sigset_t()
    unsafe sigfillset(&all)
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(
        &attributes,
        Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    // bubblewrap itself needs a path to be found by, and nothing else of ours.
    let path = unsafe strdup("PATH=\(Program.usualEnvironment["PATH"] ?? "/usr/bin:/bin")")
    defer { unsafe free(path) }
    var variables = unsafe [path, nil]
    var process: pid_t = 0
    let status = unsafe posix_spawnp(
        &process, command[0], &actions, &attributes, &arguments, &variables)
    guard status == 0 else {
        return .failure(
            ShadowFailure(
                "\(command[0]) cannot be run: \(Errno(rawValue: status))",
                hint: "run: apt-get install bubblewrap"))
    }
    return .success(process)
}
