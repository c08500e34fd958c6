internal import ArgumentParser
internal import FileTree
internal import FoundationEssentials
internal import Glibc
internal import Programs
internal import Shadow
internal import SystemPackage

/// The first program in a sandbox: says what it sees, waits to be told, and becomes the program that is to run.
///
/// Not for people: `canary` and `drill` start it.
struct AttestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attest", abstract: "Say what can be seen from inside a sandbox, then run a program.",
        discussion: """
            EXAMPLE
              bwrap … understudy attest --place /srv/ci -- /usr/bin/true

            EXIT STATUS
              that of the program, or 1 when it was not let run
            """, shouldDisplay: false)

    @Option(help: "Address space of a process, in bytes.") var addressSpace: UInt64
    @Option(help: "The largest file, in bytes.") var fileSize: UInt64
    @Option(help: "Processes and threads.") var processes: UInt64
    @Option(name: .customLong("processor"), help: "What it runs on.") var processors: [Int]
    @Option(name: .customLong("place"), help: "What is mounted into the sandbox.") var places: [String] = []
    @Argument(parsing: .postTerminator) var command: [String]

    func run() throws {
        let seen = try InsideView.observe(places: places.map { FilePath($0) })
        let line = try JSONEncoder().encode(seen) + [UInt8(ascii: "\n")]
        _ = try FileDescriptor.standardOutput.writeAll(line)
        guard readLine(strippingNewline: true) == "go" else { throw ExitCode(1) }
        try limit(RLIMIT_AS, addressSpace)
        try limit(RLIMIT_FSIZE, fileSize)
        try limit(__RLIMIT_NPROC, processes)
        try limit(RLIMIT_CORE, 0)
        try Processors.use(processors)
        // When the host has no memory left, no process of production is to end before those of shadows.
        try Files.set("/proc/self/oom_score_adj", to: "1000")
        let nothing = try FileDescriptor.open(FilePath("/dev/null"), .readOnly)
        _ = try nothing.duplicate(as: .standardInput)
        try nothing.close()
        _ = try FileDescriptor.standardError.duplicate(as: .standardOutput)
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        unsafe execvp(command[0], &arguments)
        throw CommandFailure(
            .failed, "\(command[0]) cannot be run in the sandbox: \(Errno(rawValue: errno))",
            hint: "check whether it is in the snapshot, or installed on this host")
    }

    private func limit(_ resource: __rlimit_resource, _ value: UInt64) throws {
        var limit = rlimit()
        let kind = __rlimit_resource_t(resource.rawValue)
        guard unsafe getrlimit(kind, &limit) == 0 else { throw ExitCode(1) }
        limit.rlim_max = min(limit.rlim_max, rlim_t(value))
        limit.rlim_cur = limit.rlim_max
        guard unsafe setrlimit(kind, &limit) == 0 else { throw ExitCode(1) }
    }
}
