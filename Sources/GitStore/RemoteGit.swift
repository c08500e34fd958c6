internal import FileTree
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// The stock `git` program, where it speaks to other repositories: with its user's configuration, so that ssh, credential
/// helpers and proxies work as they do by hand; and asking nobody, since nobody is there at night.
enum RemoteGit {
    /// What git, ssh and credential helpers find their user's settings by.
    private static let inherited = [
        "HOME", "USER", "LOGNAME", "SUDO_UID", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
        "SSH_AUTH_SOCK",
        "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM",
        "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY", "no_proxy", "NO_PROXY",
    ]

    /// Fetching a large snapshot over a slow line takes its time; a line that hangs must end some day.
    private static let limit = Duration.seconds(6 * 3600)

    /// A run in a repository, or nowhere.
    static func program(_ repository: FilePath?, _ arguments: [String], input: [UInt8] = []) -> Program {
        var environment = Program.inherited(inherited)
        environment["GIT_TERMINAL_PROMPT"] = "0"
        // ssh asks this for passphrases and unknown hosts, and git for passwords that no helper knows: it says no.
        environment["SSH_ASKPASS"] = "/bin/false"
        environment["SSH_ASKPASS_REQUIRE"] = "force"
        let place = repository.map { ["--git-dir=\($0)"] } ?? []
        let settings = [
            "core.fsync=all", "transfer.unpackLimit=1", "maintenance.auto=false", "push.followTags=false",
            "push.recurseSubmodules=no", "fetch.recurseSubmodules=no", "fetch.prune=false",
        ]
        return Program(
            "git", place + settings.flatMap { ["-c", $0] } + arguments, environment: environment,
            input: input,
            limit: limit, outputLimit: 1 << 26)
    }

    /// Refuses a repository of somebody else, whose configuration may name programs, unless git is told that it is safe.
    ///
    /// git itself only looks at one that it finds, and not at one that it is given.
    static func refuseForeign(_ repository: FilePath) async throws {
        let owner = try Files.status(repository)?.owner
        guard owner != Accounts.ownNumbers.user else { return }
        let outcome = try await program(
            nil, ["-C", repository.string, "-c", "safe.bareRepository=all", "rev-parse", "--git-dir"]
        ).run()
        guard outcome.status != 0 else { return }
        throw StoreFailure(
            .refused,
            "\(repository) belongs to another user, and git runs the programs that its configuration names",
            hint:
                "run the command as its owner, or 'chown -R' it; 'git config --global --add safe.directory \(repository)' if you trust it"
        )
    }

    /// What a run that failed comes to, in its own words.
    static func failure(_ operation: String, _ remote: Remote, _ outcome: Program.Outcome) -> StoreFailure {
        let reason = reason(outcome.errorOutput)
        return StoreFailure(
            .failed, "cannot \(operation) \(remote.name) (\(remote.shownURL)): \(reason)",
            hint: hint(remote, reason))
    }

    /// What to do about a run that failed for a reason.
    static func hint(_ remote: Remote, _ reason: String) -> String {
        // The other side may have said something else besides.
        let full = reason.split(separator: "; ").first { ProgramFailure.saysDiskIsFull(String($0)) }
        if let full {
            let isTheirs = [theirs, "error: remote ", "! [remote "].contains { full.hasPrefix($0) }
            let place = isTheirs ? "the remote \(remote.name) is" : "the store is"
            return "free some space where \(place) and run the command again"
        }
        if reason.contains(theirs) || reason.contains("[remote rejected]") {
            return "it can be reached and refused this: find out there why, and run the command again"
        }
        if !remote.url.contains(":"), reason.contains("does not appear to be a git repository") {
            return
                "check the path, and whether its disk is mounted; 'git init --bare' of that directory begins a new copy"
        }
        return "'git ls-remote \(remote.shownURL)' by hand shows whether it can be reached"
    }

    /// What git puts before each line that the other side says.
    private static let theirs = "remote: "

    /// Why a run failed: git's own complaints, or what the program said by which it speaks to the other side, as ssh, where git
    /// only says that this one failed.
    static func reason(_ output: String) -> String {
        // ssh ends its lines as a terminal in raw mode wants it.
        let lines = output.split(whereSeparator: \.isNewline).map {
            printable($0.split(whereSeparator: \.isWhitespace).joined(separator: " ").utf8)
        }.filter { !$0.isEmpty }
        let said = lines.filter { line in !consequences.contains { line.hasPrefix($0) } }
        let complaints = said.filter { line in
            let own = line.hasPrefix(theirs) ? line.dropFirst(theirs.count) : line[...]
            return own.hasPrefix("fatal:") || own.hasPrefix("error:") || line.contains("[re")
        }
        guard said.count == lines.count else {
            let last = said.suffix(3)
            let before = complaints.filter { $0.hasPrefix(theirs) && !last.contains($0) }
            return (said.isEmpty ? Array(lines.prefix(1)) : before + Array(last)).joined(separator: "; ")
        }
        return (complaints.isEmpty ? Array(lines.suffix(2)) : complaints).joined(separator: "; ")
    }

    /// What git adds when the program by which it speaks to the other side has failed, and that says nothing of why; and what
    /// ssh says of a host that it did not know.
    private static let consequences = [
        "fatal: Could not read from remote repository", "fatal: the remote end hung up unexpectedly",
        "Please make sure you have the correct access rights", "and the repository exists.",
        "Warning: Permanently added ",
    ]
}
