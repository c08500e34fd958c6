internal import FileTree
internal import Judge
internal import Programs
internal import SQLite
internal import SystemPackage

/// What a promotion asks of production itself.
extension BuildbotShadow {
    func dataVersion(_ copy: ShadowCopy) throws -> String? {
        guard let path = try database(try master(copy).staged) else { return nil }
        let database = try Database(path, .reading)
        guard try database.hasTable("alembic_version") else { return nil }
        return try database.rows("SELECT version_num FROM alembic_version").first?[0]
    }

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

    func logLength() throws -> Int64 { try Files.status(liveLog)?.size ?? 0 }

    func complaints(after offset: Int64) throws -> [Observation] {
        guard let bytes = try Files.readIfPresent(liveLog) else { return [] }
        // A log that is shorter than it was has been begun anew.
        let start = Int64(bytes.count) < offset ? 0 : Int(offset)
        return TwistedLog(String(decoding: bytes[start...], as: UTF8.self)).complaints
    }
}
