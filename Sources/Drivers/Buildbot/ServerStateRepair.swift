/// What ``StateRepair`` does to the unfinished work and the clocks of a master whose state is in PostgreSQL.
enum ServerStateRepair {
    /// One transaction; it prints a line for each thing that it changed.
    static let sql = """
        BEGIN;
        SELECT 'cancelled the build ' || b.name || ' #' || x.number || ', which was running when the snapshot was taken'
            FROM builds x JOIN builders b ON b.id = x.builderid WHERE x.complete_at IS NULL ORDER BY b.name, x.number;
        SELECT 'cancelled the request ' || r.id || ' for ' || b.name || ', which was waiting'
            FROM buildrequests r JOIN builders b ON b.id = r.builderid WHERE r.complete = 0
            AND NOT EXISTS (SELECT 1 FROM builds x WHERE x.buildrequestid = r.id AND x.complete_at IS NULL)
            ORDER BY b.name, r.id;
        CREATE TEMPORARY TABLE running_steps ON COMMIT DROP AS
            SELECT id FROM steps WHERE buildid IN (SELECT id FROM builds WHERE complete_at IS NULL);
        UPDATE logs SET complete = 1 WHERE complete = 0 AND stepid IN (SELECT id FROM running_steps);
        UPDATE steps SET results = 6, complete_at = extract(epoch FROM now())::int,
            state_string = 'cancelled by a restore'
            WHERE complete_at IS NULL AND started_at IS NOT NULL AND id IN (SELECT id FROM running_steps);
        UPDATE builds SET results = 6, complete_at = extract(epoch FROM now())::int,
            state_string = 'cancelled by a restore' WHERE complete_at IS NULL;
        DELETE FROM buildrequest_claims WHERE brid IN (SELECT id FROM buildrequests WHERE complete = 0);
        UPDATE buildrequests SET complete = 1, results = 6, complete_at = extract(epoch FROM now())::int
            WHERE complete = 0;
        UPDATE buildsets SET complete = 1, results = 6, complete_at = extract(epoch FROM now())::int
            WHERE complete = 0;
        WITH dropped AS (
            DELETE FROM scheduler_changes WHERE schedulerid IN (SELECT s.id FROM schedulers s WHERE NOT EXISTS (
                SELECT 1 FROM objects o JOIN object_state t ON t.objectid = o.id
                WHERE o.name = s.name AND t.name = 'last_build')) RETURNING schedulerid)
        SELECT 'dropped ' || count(*) || ' changes that waited for a quiet moment in the scheduler ' || s.name
            FROM dropped d JOIN schedulers s ON s.id = d.schedulerid GROUP BY s.name ORDER BY s.name;
        WITH held AS (
            UPDATE object_state t SET value_json = extract(epoch FROM now())::int || '.0' FROM objects o
            WHERE o.id = t.objectid AND t.name = 'last_build' RETURNING o.name)
        SELECT 'the scheduler ' || name || ' counts from now' FROM held ORDER BY name;
        COMMIT;
        """
}
