internal import Cryptography
internal import SQLite
internal import SystemPackage

/// The changes in a staged state database that a restored master needs.
///
/// All of them are one transaction; a database that needs none is not written to.
struct StateRepair {
    /// The database.
    var path: FilePath
    /// The names that the master may have had: host and base directory.
    var capturedNames: [String]
    /// The name that it will have.
    var name: String
    /// Whether work that was in flight goes on by itself.
    var resumesWork: Bool
    /// Seconds since 1970.
    var now: Int64

    /// Makes the changes.
    func run() throws -> [Fix] {
        let database = try Database(path, .writing)
        guard try database.hasTable("masters"), try database.hasTable("buildrequests") else {
            throw DriverFailure(
                "\(path) is not a Buildbot database: it has no masters",
                hint: "verify the snapshot; the database may be that of a version before 0.9")
        }
        try database.execute("BEGIN IMMEDIATE")
        var fixes = try changeIdentity(database)
        if !resumesWork { fixes += try cancelWork(database) }
        fixes += try holdTriggers(database)
        // Nothing was changed when there is nothing to tell: the file keeps its bytes.
        try database.execute(fixes.isEmpty ? "ROLLBACK" : "COMMIT")
        return fixes
    }

    /// Gives the master's row the name that the master will look for, so that claims, schedulers and builds stay its own.
    private func changeIdentity(_ database: borrowing Database) throws -> [Fix] {
        let rows = try database.rows("SELECT id, name, active FROM masters ORDER BY last_active DESC, id")
        guard !rows.isEmpty else { return [] }
        let own =
            rows.first { capturedNames.contains($0[1] ?? "") } ?? rows.first { $0[2] == "1" } ?? rows[0]
        guard let id = own[0], let old = own[1], old != name else { return [] }
        for stale in rows where stale[1] == name {
            // Names are unique: the row of a master that once had the name steps aside.
            let aside = "\(name) (before restore \(now))"
            try database.rows(
                "UPDATE masters SET name = ?, name_hash = ?, active = 0 WHERE id = ?",
                [aside, nameHash(aside), stale[0]])
        }
        try database.rows(
            "UPDATE masters SET name = ?, name_hash = ? WHERE id = ?", [name, nameHash(name), id])
        return [
            Fix(
                "master \(old)",
                "renamed to \(name), which is what it calls itself here; its builds and schedulers stay its own"
            )
        ]
    }

    /// Ends what was running or waiting: at its next start the master would run it again, a deployment too.
    private func cancelWork(_ database: borrowing Database) throws -> [Fix] {
        var fixes: [Fix] = []
        let builds = try database.rows(
            """
            SELECT b.name, x.number FROM builds x JOIN builders b ON b.id = x.builderid
            WHERE x.complete_at IS NULL ORDER BY b.name, x.number
            """)
        for row in builds {
            fixes.append(
                Fix(
                    "build \(row[0] ?? "") #\(row[1] ?? "")",
                    "cancelled: it was running when the snapshot was taken, and would have run again"))
        }
        let requests = try database.rows(
            """
            SELECT b.name, r.id, s.reason FROM buildrequests r JOIN builders b ON b.id = r.builderid
            JOIN buildsets s ON s.id = r.buildsetid WHERE r.complete = 0
            AND NOT EXISTS (SELECT 1 FROM builds x WHERE x.buildrequestid = r.id AND x.complete_at IS NULL)
            ORDER BY b.name, r.id
            """)
        for row in requests {
            fixes.append(
                Fix(
                    "request \(row[1] ?? "") for \(row[0] ?? "") (\(row[2] ?? ""))",
                    "cancelled: it was waiting when the snapshot was taken"))
        }
        // A scheduler that runs by the clock keeps what it has collected for its next time.
        let collected = """
            scheduler_changes WHERE schedulerid IN (SELECT s.id FROM schedulers s WHERE NOT EXISTS (
                SELECT 1 FROM objects o JOIN object_state t ON t.objectid = o.id
                WHERE o.name = s.name AND t.name = 'last_build'))
            """
        let waiting = try database.rows(
            """
            SELECT s.name, count(*) FROM schedulers s JOIN (SELECT schedulerid FROM \(collected)) c
            ON c.schedulerid = s.id GROUP BY s.name ORDER BY s.name
            """)
        for row in waiting {
            fixes.append(
                Fix(
                    "scheduler \(row[0] ?? "")",
                    "dropped \(row[1] ?? "") changes that waited for a quiet moment"))
        }
        guard !fixes.isEmpty else { return [] }
        let steps = "SELECT id FROM steps WHERE buildid IN (SELECT id FROM builds WHERE complete_at IS NULL)"
        try database.execute(
            """
            UPDATE logs SET complete = 1 WHERE complete = 0 AND stepid IN (\(steps));
            UPDATE steps SET results = 6, complete_at = \(now), state_string = 'cancelled by a restore'
                WHERE complete_at IS NULL AND started_at IS NOT NULL AND id IN (\(steps));
            UPDATE builds SET results = 6, complete_at = \(now), state_string = 'cancelled by a restore'
                WHERE complete_at IS NULL;
            DELETE FROM buildrequest_claims WHERE brid IN (SELECT id FROM buildrequests WHERE complete = 0);
            UPDATE buildrequests SET complete = 1, results = 6, complete_at = \(now) WHERE complete = 0;
            UPDATE buildsets SET complete = 1, results = 6, complete_at = \(now) WHERE complete = 0;
            DELETE FROM \(collected);
            """)
        return fixes
    }

    /// Lets schedulers that run by the clock count from now: what fell due since the snapshot would run at once.
    private func holdTriggers(_ database: borrowing Database) throws -> [Fix] {
        let rows = try database.rows(
            """
            SELECT o.id, o.name, t.value_json FROM objects o JOIN object_state t ON t.objectid = o.id
            WHERE t.name = 'last_build' ORDER BY o.name
            """)
        var fixes: [Fix] = []
        for row in rows {
            guard let last = row[2].flatMap(Double.init), last < Double(now) else { continue }
            try database.rows(
                "UPDATE object_state SET value_json = ? WHERE objectid = ? AND name = 'last_build'",
                ["\(now).0", row[0]])
            fixes.append(
                Fix(
                    "scheduler \(row[1] ?? "")",
                    "counts from now: what fell due since the snapshot is not run at the start"))
        }
        return fixes
    }
}

/// The fingerprint by which Buildbot finds a name: SHA-1 in hex.
private func nameHash(_ name: String) -> String {
    var hash = SHA1()
    hash.update(Array(name.utf8))
    return hex(hash.finish())
}
