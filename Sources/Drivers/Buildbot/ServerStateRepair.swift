/// What ``StateRepair`` does to the unfinished work and the clocks of a master whose state is in PostgreSQL.
enum ServerStateRepair {
    /// A table by which the schema of the master's tables is found.
    static let table = "builds"

    /// One transaction for the tables in a schema, which is given as SQL spells it; it prints a line for each thing that it
    /// changed.
    ///
    /// Whoever owns the tables may have made functions, operators and triggers, and this may be run by a superuser: each table
    /// is named with its schema, so that the search path need hold the server's own names only, and no trigger is fired but one that
    /// is enabled `ALWAYS`.
    static func sql(schema: String) -> String {
        """
        BEGIN;
        CREATE TEMPORARY TABLE quieted ON COMMIT DROP AS
            SELECT set_config('session_replication_role', 'replica', true) FROM pg_roles
            WHERE rolname = current_user AND rolsuper;
        SELECT 'cancelled the build ' || b.name || ' #' || x.number || ', which was running when the snapshot was taken'
            FROM \(schema).builds x JOIN \(schema).builders b ON b.id = x.builderid WHERE x.complete_at IS NULL ORDER BY b.name, x.number;
        SELECT 'cancelled the request ' || r.id || ' for ' || b.name || ', which was waiting'
            FROM \(schema).buildrequests r JOIN \(schema).builders b ON b.id = r.builderid WHERE r.complete = 0
            AND NOT EXISTS (SELECT 1 FROM \(schema).builds x WHERE x.buildrequestid = r.id AND x.complete_at IS NULL)
            ORDER BY b.name, r.id;
        CREATE TEMPORARY TABLE running_steps ON COMMIT DROP AS
            SELECT id FROM \(schema).steps WHERE buildid IN (SELECT id FROM \(schema).builds WHERE complete_at IS NULL);
        UPDATE \(schema).logs SET complete = 1 WHERE complete = 0 AND stepid IN (SELECT id FROM running_steps);
        UPDATE \(schema).steps SET results = 6, complete_at = extract(epoch FROM now())::int,
            state_string = 'cancelled by a restore'
            WHERE complete_at IS NULL AND started_at IS NOT NULL AND id IN (SELECT id FROM running_steps);
        UPDATE \(schema).builds SET results = 6, complete_at = extract(epoch FROM now())::int,
            state_string = 'cancelled by a restore' WHERE complete_at IS NULL;
        DELETE FROM \(schema).buildrequest_claims WHERE brid IN (SELECT id FROM \(schema).buildrequests WHERE complete = 0);
        UPDATE \(schema).buildrequests SET complete = 1, results = 6, complete_at = extract(epoch FROM now())::int
            WHERE complete = 0;
        UPDATE \(schema).buildsets SET complete = 1, results = 6, complete_at = extract(epoch FROM now())::int
            WHERE complete = 0;
        WITH dropped AS (
            DELETE FROM \(schema).scheduler_changes WHERE schedulerid IN (SELECT s.id FROM \(schema).schedulers s WHERE NOT EXISTS (
                SELECT 1 FROM \(schema).objects o JOIN \(schema).object_state t ON t.objectid = o.id
                WHERE o.name = s.name AND t.name = 'last_build')) RETURNING schedulerid)
        SELECT 'dropped ' || count(*) || ' changes that waited for a quiet moment in the scheduler ' || s.name
            FROM dropped d JOIN \(schema).schedulers s ON s.id = d.schedulerid GROUP BY s.name ORDER BY s.name;
        WITH held AS (
            UPDATE \(schema).object_state t SET value_json = extract(epoch FROM now())::int || '.0' FROM \(schema).objects o
            WHERE o.id = t.objectid AND t.name = 'last_build' RETURNING o.name)
        SELECT 'the scheduler ' || name || ' counts from now' FROM held ORDER BY name;
        COMMIT;
        """
    }
}
