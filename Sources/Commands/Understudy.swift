package import ArgumentParser
internal import Cryptography
internal import GitStore
internal import Glibc
internal import Shadow
internal import SnapshotModel
internal import SystemPackage

/// The command line.
package struct Understudy: AsyncParsableCommand {
    /// The version of the tool.
    package static let version = "0.1.0"

    /// Name, summary, subcommands.
    package static let configuration = CommandConfiguration(
        commandName: "understudy",
        abstract:
            "The stand-in for a delivery system: snapshots it into git and restores it with one command.",
        discussion: """
            EXAMPLE
              understudy init /var/lib/jenkins
              understudy snapshot
              understudy restore latest --identity KEYFILE

            EXIT STATUS
              0  done
              1  failed
              3  partial: a snapshot, or a comparison that could not look at everything
              4  the canary failed
              5  the canary is inconclusive
              6  verification failed, or the store is damaged
              7  refused: preflight, drift, policy; or 'status --check' found something
              10 no store
              11 another process writes to the store
              12 no key fits what is sealed
              64 wrong usage, or a mistake in the system file
              130 interrupted
            """,
        version: version,
        subcommands: [
            InitCommand.self, SnapshotCommand.self, SnapshotsCommand.self, ShowCommand.self, LogCommand.self,
            DiffCommand.self, VerifyCommand.self, RestoreCommand.self, UndoCommand.self, PruneCommand.self,
            NightlyCommand.self, ScheduleCommand.self,
            DriverCommand.self,
            PushCommand.self, PullCommand.self, RemoteCommand.self, ExportCommand.self, ImportCommand.self,
            KeyCommand.self,
            StatusCommand.self, RunbookCommand.self, DoctorCommand.self, ChangeCommand.self,
            CanaryCommand.self,
            PromoteCommand.self,
            DrillCommand.self, AttestCommand.self,
        ])

    @OptionGroup var options: Options

    /// A command line, for the argument parser.
    package init() {}

    /// Runs the command line and exits: the one place where failures become exit statuses.
    package static func launch() async -> Never {
        refuseWithoutProc()
        signal(SIGPIPE, SIG_IGN)
        occupyClosedDescriptors()
        makeRoomForDescriptors()
        // Beside the parser, which takes as long.
        Task.detached { warmUpCryptography() }
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            handOver()
            // All is written and synced by now; what libraries would free goes with the process, and sooner.
            fflush(nil)
            _exit(EXIT_SUCCESS)
        } catch let error where isUsage(error) {
            handOver()
            exit(withError: error)
        } catch {
            handOver()
            let failure = CommandFailure(error)
            Output.failure(failure, format: wantsJSON(arguments) ? .json : .text)
            exit(withError: ArgumentParser.ExitCode(failure.status.rawValue))
        }
    }

    /// Gives what root wrote into somebody else's store to its owner, and tells what stays of a rehearsal.
    ///
    /// What was asked for is done, so that a failure of this is told and changes no status.
    private static func handOver() {
        for problem in StoreOwner.handOver() + Workspace.leftBehind() {
            let text = printable(text: "note: \(problem)\n")
            // There is nowhere left to say that standard error is closed.
            _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
        }
    }

    /// Exits where there is no `/proc`, as in some rescue systems: Swift reads the command line there, and would take this one for
    /// empty, and its threads are counted there.
    private static func refuseWithoutProc() {
        guard unsafe access("/proc/self/stat", F_OK) != 0 else { return }
        let failure = CommandFailure(
            .failed, "/proc is not there, without which no program of Swift runs",
            hint: "mount it: 'mount -t proc proc /proc'")
        Output.failure(failure, format: .text)
        _exit(failure.status.rawValue)
    }

    /// Whether the failure is about the command line itself, or a request for help.
    private static func isUsage(_ error: any Error) -> Bool {
        error is ArgumentParser.ExitCode || error is ValidationError || error is CleanExit
            || "\(type(of: error))".contains("CommandError")
    }

    private static func wantsJSON(_ arguments: [String]) -> Bool {
        zip(arguments, arguments.dropFirst()).contains { $0 == "--format" && $1 == "json" }
            || arguments.contains("--format=json")
    }

    /// What is closed of standard input, output and error must not become a file that is opened later, and be read for a key or
    /// written a result to: nothing can be read there, nor written.
    private static func occupyClosedDescriptors() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) == -1 {
            // The lowest number that is free is taken; without /dev/null it stays as it was.
            let mode: FileDescriptor.AccessMode = number == STDIN_FILENO ? .writeOnly : .readOnly
            _ = try? FileDescriptor.open(FilePath("/dev/null"), mode)
        }
    }

    /// A walk holds a descriptor for each directory on its way; the default limit is low, and free to raise.
    ///
    /// Linux makes the table of descriptors larger when it is full, and has a process with several threads wait until no
    /// processor can look at the old one: 18 ms each time, for all of them. So it is made large by its only thread.
    private static func makeRoomForDescriptors() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let last = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, CInt(min(limit.rlim_cur, 1 << 14)) - 1)
        if last >= 0 { close(last) }
    }
}
