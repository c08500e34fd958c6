internal import FileTree
internal import Judge
internal import Programs
internal import SystemPackage

/// What a promotion asks of production itself.
extension BuildbotShadow {
    func migrated() throws -> [(root: String, path: FilePath)] {
        guard let file = try driver.databaseFile() else { return [] }
        return [("master", driver.master.appending(file))]
    }

    func migrate() async throws {
        guard let environment = driver.environment, let status = try Files.status(driver.master) else {
            return
        }
        let user = ThisHost.isRoot && status.owner != 0 ? (owner: status.owner, group: status.group) : nil
        let account = ThisHost.account(status.owner)
        do {
            try await Program(
                environment.appending("bin/python").string,
                [
                    environment.appending("bin/buildbot").string, "upgrade-master", "--quiet",
                    driver.master.string,
                ],
                environment: account.map { ["HOME": $0.home, "USER": $0.name, "LOGNAME": $0.name] } ?? [:],
                directory: driver.master, user: user, limit: .seconds(600)
            ).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the database of \(driver.master) cannot be migrated: \(failure)",
                hint: "look at what upgrade-master says")
        }
    }

    private var liveLog: FilePath { driver.master.appending("twistd.log") }

    /// How much of a log is read at once.
    private static let logPiece = 16 << 20

    func logEnd() throws -> LogMark {
        var mark = LogMark()
        if let status = try Files.status(liveLog) { (mark.inode, mark.offset) = (status.inode, status.size) }
        return mark
    }

    func complaints(after mark: inout LogMark) throws -> [Observation] {
        var found: [Observation] = []
        while true {
            let new = try Files.readNew(liveLog, since: mark.inode, mark.offset, limit: Self.logPiece)
            if let inode = mark.inode, new?.inode != inode {
                // Twisted gives a full log another name: what was written to it last is there.
                let rest = try Files.readNew(
                    driver.master.appending("twistd.log.1"), since: inode, mark.offset, limit: Self.logPiece)
                if let rest, rest.inode == inode { mark.held += rest.bytes }
            }
            guard let new else {
                mark = LogMark()
                return found
            }
            mark.inode = new.inode
            mark.offset = new.offset
            let log = TwistedLog(new: mark.held + new.bytes)
            mark.held = log.unfinished
            found += log.complaints.filter { !found.contains($0) }
            guard new.bytes.count == Self.logPiece else { return found }
        }
    }
}
