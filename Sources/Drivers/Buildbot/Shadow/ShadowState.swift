internal import FileTree
internal import Programs
internal import SQLite
internal import SnapshotModel
internal import SystemPackage

/// Where a master in isolation keeps its state, and what is read from there: a SQLite file of its own, or a server of its own.
extension BuildbotShadow {
    func database(_ copy: ShadowCopy) throws -> StateDatabase? {
        let configuration = try driver.relocated(to: ["master": master(copy).staged]).configuration()
        let name: String?
        switch configuration?.stateStore {
        case .server(_, let database): name = database
        // An expression may say anything: whoever named a component for it knows that it is a server.
        case .unknown where driver.component.text("database") != nil: name = nil
        default: return nil
        }
        return StateDatabase(
            component: driver.component.text("database"), name: name,
            omissions: [
                "logchunks": .rows, "users": .fields(["bb_username", "bb_password"]),
                "object_state": .rowsWhere(column: "name", value: "session_secret"),
            ])
    }

    /// The database of a copy that has a server.
    func database(of copy: ShadowCopy) -> String? {
        guard case .own(let database) = copy.database else { return nil }
        return database.name
    }

    /// Rows of a table or a query, whichever keeps the state; nil when there is no state yet, or not this table.
    private func rows(
        _ sql: String, from table: String, in room: any ShadowRoom
    ) async throws -> [[String?]]? {
        if case .own(let server) = room.copy.database {
            let outcome = try await room.run(server.query(sql))
            guard outcome.status == 0 else {
                throw DriverFailure(
                    "the shadow's database cannot be asked: \(outcome.output.suffix(500))",
                    hint: "drill the component that captures it, and see whether its dump loads")
            }
            return PythonText.lines(outcome.output).filter { !$0.isEmpty }.map {
                $0.split(separator: "\u{1f}", omittingEmptySubsequences: false).map { String($0) }
            }
        }
        guard let path = try database(try master(room.copy)) else { return nil }
        let database = try Database(path, .reading)
        return try database.hasTable(table) ? database.rows(sql) : nil
    }

    func census(in room: any ShadowRoom) async throws -> [String: Int] {
        let tables = ["builders", "builds", "buildsets", "changes", "logs", "schedulers", "steps", "workers"]
        var counts: [String: Int] = [:]
        // One question, for a program in isolation takes longer to start than a server to count.
        let all = tables.map { "SELECT '\($0)', count(*) FROM \($0)" }.joined(separator: " UNION ALL ")
        if database(of: room.copy) != nil {
            for row in try await rows(all, from: "builders", in: room) ?? [] {
                if let name = row[0], let count = row[1].flatMap({ Int($0) }) { counts[name] = count }
            }
            return counts
        }
        for table in tables {
            let rows = try await rows("SELECT count(*) FROM \(table)", from: table, in: room)
            counts[table] = rows?.first?.first.flatMap { $0 }.flatMap { Int($0) }
        }
        return counts
    }

    /// How often each builder has built, as the snapshot knows it.
    func buildCounts(_ room: any ShadowRoom) async throws -> [String: Int] {
        let rows = try await rows(
            "SELECT b.name, count(*) FROM builds x JOIN builders b ON b.id = x.builderid GROUP BY b.name",
            from: "builds", in: room)
        return Dictionary((rows ?? []).map { ($0[0] ?? "", $0[1].flatMap { Int($0) } ?? 0) }) { $0 + $1 }
    }

    func dataVersion(in room: any ShadowRoom) async throws -> String? {
        try await rows("SELECT version_num FROM alembic_version", from: "alembic_version", in: room)?.first?
            .first
            .flatMap { $0 }
    }

    /// The copied SQLite database, nil when the snapshot has none.
    ///
    /// A master that is already made harmless runs another configuration, which names the one of production. Throws a
    /// ``DriverFailure`` when it is outside of the copy.
    func database(_ master: StagedComponent.StagedRoot) throws -> FilePath? {
        let staged = master.staged
        let here = driver.relocated(to: ["master": staged])
        var file = try here.databaseFile()
        if let bytes = try Files.readIfPresent(staged.appending(ShadowConfiguration.name)),
            let name = PythonText.assignment(
                ShadowConfiguration.productionName, in: String(decoding: bytes, as: UTF8.self)
            ).flatMap(PythonText.string)
        {
            let source = try Files.readIfPresent(staged.appending(name)) ?? []
            let configuration = MasterConfiguration(source: String(decoding: source, as: UTF8.self))
            file = try here.databaseFile(of: configuration) ?? "state.sqlite"
        }
        guard let file else { return nil }
        let place = try master.place(of: FilePath(file))
        return try Files.exists(place) ? place : nil
    }
}
