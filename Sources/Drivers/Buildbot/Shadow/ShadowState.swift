internal import FileTree
internal import Programs
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

    /// Rows of a table, or of several with as many columns, from whatever keeps the state; none when there is no state yet, or
    /// not this table.
    ///
    /// Asked inside: beside a database SQLite opens what a hostile shadow may have made a link.
    private func rows(
        _ questions: [(table: String, sql: String)], in room: any ShadowRoom
    ) async throws -> [[String]] {
        let program: Program
        if case .own(let server) = room.copy.database {
            program = server.query(questions.map(\.sql).joined(separator: " UNION ALL "))
        } else {
            let master = try master(room.copy)
            guard let file = try stateFile(master) else { return [] }
            let place = FilePath(master.root.path).appending(file).string
            program = script(
                "python", ["-I", "-c", Self.question, place] + questions.flatMap { [$0.table, $0.sql] },
                room.copy)
        }
        let outcome = try await room.run(program)
        guard outcome.status == 0 else {
            throw DriverFailure(
                "the shadow's database cannot be asked: \(outcome.output.suffix(500))",
                hint: "drill the component that captures it, and see whether it can be loaded")
        }
        return try Self.rows(in: outcome.output)
    }

    /// The rows in an output: what stands before the mark is no answer, such as the words of a Python that starts.
    static func rows(in output: String) throws -> [[String]] {
        guard let start = output.firstIndex(of: "\u{1}") else {
            throw DriverFailure(
                "the shadow's database does not answer: \(output.suffix(500))",
                hint: "drill the component that captures it, and see whether it can be loaded")
        }
        return PythonText.lines(String(output[start...].dropFirst())).filter { !$0.isEmpty }.map {
            $0.split(separator: "\u{1f}", omittingEmptySubsequences: false).map { String($0) }
        }
    }

    /// Asks a SQLite database for tables, one after the other, and prints the rows of those that it has.
    private static let question = """
        import sqlite3, sys
        database = sqlite3.connect(sys.argv[1])
        database.execute('PRAGMA query_only = 1')
        print('\\x01')
        tables = {name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, sql in zip(sys.argv[2::2], sys.argv[3::2]):
            for row in database.execute(sql) if table in tables else []:
                print('\\x1f'.join('' if value is None else str(value) for value in row))
        """

    func census(in room: any ShadowRoom) async throws -> [String: Int] {
        let tables = ["builders", "builds", "buildsets", "changes", "logs", "schedulers", "steps", "workers"]
        var counts: [String: Int] = [:]
        // At once: a program in isolation takes longer to start than a database to count.
        for row in try await rows(tables.map { ($0, "SELECT '\($0)', count(*) FROM \($0)") }, in: room) {
            if row.count == 2, let count = Int(row[1]) { counts[row[0]] = count }
        }
        return counts
    }

    /// How often each builder has built, as the snapshot knows it.
    func buildCounts(_ room: any ShadowRoom) async throws -> [String: Int] {
        let sql =
            "SELECT b.name, count(*) FROM builds x JOIN builders b ON b.id = x.builderid GROUP BY b.name"
        let rows = try await rows([("builds", sql)], in: room).filter { $0.count == 2 }
        return Dictionary(rows.map { ($0[0], Int($0[1]) ?? 0) }) { $0 + $1 }
    }

    func dataVersion(in room: any ShadowRoom) async throws -> String? {
        try await rows([("alembic_version", "SELECT version_num FROM alembic_version")], in: room).first?
            .first
    }

    /// The SQLite database of a copy that is not yet made harmless, as a path below the master; where production has none, that
    /// which its shadow makes.
    ///
    /// Throws a ``DriverFailure`` when it is outside of the copy.
    func database(_ master: StagedComponent.StagedRoot) throws -> String {
        let file = try driver.relocated(to: ["master": master.staged]).databaseFile() ?? "state.sqlite"
        _ = try master.place(of: FilePath(file))
        return file
    }

    /// The same of a copy that was made harmless, as it was written down then; nil when it is not there.
    ///
    /// What has run there may have put links anywhere: none is followed.
    func stateFile(_ master: StagedComponent.StagedRoot) throws -> String? {
        let text = try ShadowCopy.contents(ShadowConfiguration.name, below: master.staged)
        guard
            let file = text.flatMap({
                PythonText.assignment(ShadowConfiguration.stateName, in: String(decoding: $0, as: UTF8.self))
            }).flatMap(PythonText.string)
        else {
            throw DriverFailure(
                "what ran in a shadow has taken away its \(ShadowConfiguration.name), or put something else in its place",
                hint: "look at what the change does with the files of the master")
        }
        return try Files.exists(master.place(of: FilePath(file))) ? file : nil
    }
}
