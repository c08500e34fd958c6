internal import ArgumentParser
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import GitStore
internal import Nightly
internal import SnapshotModel
internal import SystemPackage

struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Let this host run 'understudy nightly' every night.",
        discussion: """
            Where systemd runs, a timer, which runs a missed night after the next boot, and a hardened service; elsewhere \
            a file in /etc/cron.d.

            EXAMPLE
              understudy schedule install --at 02:17
              sudo understudy schedule install --user ci
              understudy schedule show

            EXIT STATUS
              0   done
              1   failed
              7   nothing is installed, or something else than these options say ('show')
              10  there is no store
              64  wrong usage, or a mistake in the system file
            """,
        subcommands: [ScheduleInstall.self, ScheduleRemove.self, ScheduleShow.self])
}

/// How the night is to run; what is not said stays as it is installed.
struct ScheduleWishes: ParsableArguments {
    @Option(help: "When, as HH:MM in this host's time; default: as it is installed, or 02:17.")
    var at: String?

    @Option(help: "Maximum random delay in minutes; default: as it is installed, or 30.")
    var randomDelay: Int?

    @Option(
        help:
            "Who runs it; default: as it is installed, or you. Needs to read what is captured and to write to the store."
    )
    var user: String?

    func validate() throws {
        if let at, Self.time(at) == nil {
            throw ValidationError("'\(at)' is not a time of day, such as 02:17.")
        }
        guard (0...720).contains(randomDelay ?? 0) else {
            throw ValidationError("--random-delay is from 0 to 720 minutes.")
        }
    }

    /// The hour and minute that are asked for.
    var time: (hour: Int, minute: Int)? { at.flatMap { Self.time($0) } }

    private static func time(_ at: String) -> (hour: Int, minute: Int)? {
        let parts = at.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hour = Int(parts[0]),
            let minute = Int(parts[1]),
            (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return (hour, minute)
    }

    /// The user that is asked for, nil for the one of this process.
    func account() throws -> String? {
        guard let user else { return nil }
        guard Accounts.userNumber(user) != nil else {
            throw CommandFailure(
                .usage, "this host has no user '\(user)'",
                hint: "name one with --user, or make it: useradd --system")
        }
        return user
    }
}

/// Which schedule: what the subcommands have in common.
struct ScheduleOptions: ParsableArguments {
    @Option(
        help:
            "Write the files to this directory, for somebody else to install, instead of installing them.",
        completion: .directory)
    var directory: String?

    @Flag(help: "Use a file for cron, even where systemd runs.")
    var cron = false

    /// The schedule that this host would have; without wishes, the one that is installed.
    func schedule(_ session: Session, _ wishes: ScheduleWishes?) async throws -> Schedule {
        let policy = try NotifyPolicy.read(for: session.description)
        let program = try Files.linkTarget("/proc/self/exe")
        let hasSystemd = try Files.isDirectory("/run/systemd/system")
        let textfile = policy.textfile.map { [$0.removingLastComponent().string] } ?? []
        // Even to read a database SQLite writes beside it.
        let masters = session.description.components.filter { $0.driver == BuildbotDriver.name }
            .compactMap { $0.text("master") }
        // A copy in a directory is written to by this host.
        let copies = try await Remotes(try session.store()).list().map { remote in
            remote.url.hasPrefix("file://") ? String(remote.url.dropFirst("file://".count)) : remote.url
        }.filter { $0.hasPrefix("/") }
        let place = try directory.map { try absolute(FilePath($0)) }
        let asked = try wishes?.account()
        let user = asked ?? Accounts.userName(Accounts.ownNumbers.user)
        var wish = Schedule.Wish(
            system: session.system.name, program: String(decoding: program, as: UTF8.self),
            systemFile: try absolute(session.file).string, user: user,
            time: .init(hour: 2, minute: 17, randomDelay: 30), store: session.description.store.string,
            written: textfile + masters + copies, holdsDrills: policy.drillEvery != nil)
        let kind = try kind(of: wish, hasSystemd: hasSystemd)
        for file in Schedule(wish, kind: kind, directory: place).files {
            // Whoever installs it again changes what he names, and nothing else.
            let text = try Files.readIfPresent(file.path, limit: 1 << 20).map {
                String(decoding: $0, as: UTF8.self)
            }
            if let installed = text.flatMap({ Schedule.Time(in: $0) }) { wish.time = installed }
            if asked == nil, let installed = text.flatMap({ Schedule.user(in: $0) }) { wish.user = installed }
        }
        guard wishes == nil || !wish.user.isEmpty else {
            throw CommandFailure(
                .usage, "this host has no name for the user who runs this, \(Accounts.ownNumbers.user)",
                hint: "say who runs the night: --user NAME")
        }
        // A service of a user who went fails before there is anybody to tell it.
        guard wishes == nil || Accounts.userNumber(wish.user) != nil || UInt32(wish.user) != nil else {
            throw CommandFailure(
                .usage, "this host has no user '\(wish.user)', as whom the night is installed to run",
                hint: "name another with --user, or make it: useradd --system")
        }
        if let (hour, minute) = wishes?.time {
            (wish.time.hour, wish.time.minute) = (hour, minute)
        }
        if let randomDelay = wishes?.randomDelay { wish.time.randomDelay = randomDelay }
        return Schedule(wish, kind: kind, directory: place)
    }

    /// What is asked for, else what is installed, else what the host has.
    private func kind(of wish: Schedule.Wish, hasSystemd: Bool) throws -> Schedule.Kind {
        guard !cron, directory == nil else { return cron ? .cron : .systemd }
        func isInstalled(_ kind: Schedule.Kind) throws -> Bool {
            try Schedule(wish, kind: kind).files.contains { try Files.exists($0.path) }
        }
        guard hasSystemd else { return .cron }
        return try isInstalled(.cron) && !isInstalled(.systemd) ? .cron : .systemd
    }
}

/// What is done about a schedule, and how it stands.
struct ScheduleResult: Encodable {
    struct File: Encodable {
        var path: String
        var text: String
        /// `missing`, `same` or `different`: as it was found.
        var found: String
    }

    var kind: String
    /// Who runs it.
    var user: String
    var files: [File]
    var commands: [[String]]
    /// Why that user would take no snapshot, nil where nothing is known to be in the way.
    var problem: String?

    init(_ schedule: Schedule, commands: [[String]], store: FilePath? = nil) throws {
        kind = schedule.kind.rawValue
        user = schedule.user
        problem = try store.flatMap { try Self.problem(of: schedule.user, at: $0) }
        self.commands = commands
        files = try schedule.files.map { file in
            let found = try Files.readIfPresent(file.path, limit: 1 << 20)
            let state = found.map { $0 == Array(file.text.utf8) ? "same" : "different" } ?? "missing"
            return File(path: file.path.string, text: file.text, found: state)
        }
    }

    /// Whether all files are as they should be.
    var isInstalled: Bool { files.allSatisfy { $0.found == "same" } }

    /// What keeps a user from a store that belongs to another, and that its owner alone may enter.
    private static func problem(of user: String, at store: FilePath) throws -> String? {
        guard let number = Accounts.userNumber(user) ?? UInt32(user), number != 0,
            let status = try Files.status(Files.resolved(store)), status.owner != number,
            status.mode & 0o077 == 0
        else { return nil }
        let owner = Accounts.shown(user: status.owner)
        return
            "\(user) cannot enter the store \(store), which belongs to \(owner): name \(owner) with --user, or, as root, "
            + "'chown -R \(user) \(store)'"
    }

    /// The files whole, the commands, and who runs it.
    var plan: String {
        let texts = files.map { "# \($0.path)\n\($0.text)" }
        let then = commands.map { "# then: \($0.joined(separator: " "))" }
        return (texts + then + userWords.map { "# \($0)" }).joined(separator: "\n")
    }

    /// Who runs it, for people, and what keeps that user from it.
    var userWords: [String] {
        let isOwn = user == Accounts.userName(Accounts.ownNumbers.user)
        return ["the night runs as \(user)\(isOwn ? ", who runs this; --user names somebody else" : "")"]
            + (problem.map { ["NOT READY: \($0)"] } ?? [])
    }
}
