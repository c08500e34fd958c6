internal import FileTree
internal import Glibc
internal import SystemPackage

/// The processes of a master or a worker, found by what they are and where they run, not by what a file says.
///
/// A `twistd.pid` may be stale, and its number may belong to anyone by now.
struct BuildbotProcesses: Sendable {
    /// The base directory.
    var directory: FilePath

    /// The numbers of the processes that serve the directory now.
    func running() throws -> [Int32] {
        let places = try places
        return try Files.names("/proc").compactMap { name -> Int32? in
            guard let number = Int32(String(decoding: name, as: UTF8.self)), number > 1 else { return nil }
            return try serves(number, places) ? number : nil
        }
    }

    /// When a process was started, in seconds since 1970, nil when it is gone.
    static func started(_ number: Int32) throws -> Int64? {
        guard let bytes = try readIfThere(FilePath("/proc/\(number)/stat")),
            let system = try readIfThere("/proc/stat"),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
        let boot = PythonText.lines(String(decoding: system, as: UTF8.self))
            .first { $0.hasPrefix("btime ") }.flatMap { Int64($0.dropFirst("btime ".count)) }
        guard fields.count > 19, let ticks = Int64(fields[19]), let boot else { return nil }
        return boot + ticks / Int64(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// A variable of a process's environment, nil when it has none of that name, is gone, or hides from us.
    static func variable(_ name: String, of number: Int32) throws -> String? {
        guard let bytes = try readIfThere(FilePath("/proc/\(number)/environ")) else { return nil }
        let start = Array("\(name)=".utf8)
        return bytes.split(separator: 0).first { $0.starts(with: start) }
            .map { String(decoding: $0.dropFirst(start.count), as: UTF8.self) }
    }

    /// Ends them: asks, waits, and after `grace` kills; a master without its database does not end when asked.
    func stop(grace: Duration) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + grace
        var asked: Set<Int32> = []
        while true {
            let running = try running()
            guard !running.isEmpty else { return }
            let isLate = clock.now >= deadline
            for number in running where isLate || asked.insert(number).inserted {
                // It may be gone by now, which is what is wanted.
                guard kill(number, isLate ? SIGKILL : SIGTERM) == 0 || errno == ESRCH else {
                    throw DriverFailure(
                        "cannot stop process \(number) of \(directory): \(Errno(rawValue: errno))",
                        hint: "run as the user that it belongs to, or as root")
                }
            }
            if clock.now >= deadline + .seconds(10) {
                throw DriverFailure(
                    "process \(running[0]) of \(directory) does not end, not even when killed",
                    hint: "it may wait for a disk or a network file system; look at /proc/\(running[0])/stack"
                )
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// The directory by every name that a process may have for it.
    private var places: Set<[UInt8]> {
        get throws {
            var places: Set = [directory.byteArray]
            if try Files.exists(directory) { places.insert(try Files.resolved(directory).byteArray) }
            let parent = directory.removingLastComponent()
            if let name = directory.lastComponent, try Files.exists(parent) {
                places.insert(try Files.resolved(parent).appending(name).byteArray)
            }
            return places
        }
    }

    private func serves(_ number: Int32, _ places: Set<[UInt8]>) throws -> Bool {
        guard let line = try readIfThere(FilePath("/proc/\(number)/cmdline")), !line.isEmpty else {
            return false
        }
        let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        guard isServer(words) else { return false }
        let isNamed = words.contains { word in
            places.contains { word == "\(FilePath(bytes: $0))/buildbot.tac" }
        }
        guard let working = try workingDirectory(number) else { return isNamed }
        // A directory that was removed under its process is still its own.
        let deleted = Array(" (deleted)".utf8)
        let place =
            working.suffix(deleted.count).elementsEqual(deleted)
            ? working.dropLast(deleted.count) : working[...]
        return isNamed || places.contains(Array(place))
    }
}

/// Whether a command line is that of a twistd, however it was started.
private func isServer(_ words: [String]) -> Bool {
    let bases = words.map { $0.split(separator: "/").last ?? "" }
    guard let first = bases.first, first.hasPrefix("python") || bases[0] == "twistd" || isCommand(bases[0])
    else {
        return false
    }
    // `buildbot start` goes on as the server itself; `buildbot checkconfig` and the like are none.
    let isStart = bases.contains(where: isCommand) && (words.contains("start") || words.contains("restart"))
    return isStart || bases.contains("twistd")
        || words.contains { $0.contains("twisted.scripts import twistd") || $0.hasSuffix("buildbot.tac") }
}

private func isCommand(_ base: Substring) -> Bool { base == "buildbot" || base == "buildbot-worker" }

/// Where a process works, nil when it is gone or another user's, whose processes are not ours to stop.
private func workingDirectory(_ number: Int32) throws(FileFailure) -> [UInt8]? {
    do throws(FileFailure) {
        return try Files.linkTarget(FilePath("/proc/\(number)/cwd"))
    } catch {
        let isHidden = [Errno.noSuchFileOrDirectory, .permissionDenied, .noSuchProcess].contains(error.reason)
        guard isHidden else { throw error }
        return nil
    }
}

/// The contents of a file of `/proc`, nil when the process ended while we looked, or hides from us.
private func readIfThere(_ path: FilePath) throws(FileFailure) -> [UInt8]? {
    do throws(FileFailure) {
        return try Files.readIfPresent(path, limit: 8 << 20)
    } catch {
        guard [Errno.noSuchProcess, .permissionDenied].contains(error.reason) else { throw error }
        return nil
    }
}
