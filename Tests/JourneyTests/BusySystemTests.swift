import FileTree
import Programs
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A snapshot of a system on which everybody goes on working.
@Suite(.enabled(if: ReferenceSystem.isAvailable, Comment(rawValue: ReferenceSystem.whySkipped)))
struct BusySystemTests {
    /// The longest that each kind of writer waited for one write.
    private typealias Waits = [String: Duration]

    /// What several writers do until it is over.
    private final class Work: Sendable {
        private let isOver = Mutex(false)

        /// Writes one after the other, and returns the longest time that one took.
        func loop(_ write: @Sendable (Int) async throws -> Duration) async throws -> Duration {
            var longest = Duration.zero
            var number = 0
            while !isOver.withLock({ $0 }) {
                number += 1
                longest = max(longest, try await write(number))
            }
            return longest
        }

        func end() { isOver.withLock { $0 = true } }
    }

    private static let order = """
        INSERT INTO orders DEFAULT VALUES;
        INSERT INTO items ("order") SELECT max(id) FROM orders;
        """

    @Test func writersGoOnDuringASnapshotAndEachComponentIsConsistentInItself() async throws {
        try await ReferenceSystem.with { system in
            try await system.server.sql(
                """
                CREATE TABLE orders (id serial PRIMARY KEY);
                CREATE TABLE items (id serial PRIMARY KEY, "order" integer NOT NULL REFERENCES orders);
                """, in: "buildbot")
            // A machine that is busy with something else makes a writer wait now and then, with and without a snapshot; what
            // a snapshot blocks waits each time.
            var blocked: Waits = [:]
            for attempt in 1...3 {
                let before = try await waits(of: system) { try await Task.sleep(for: .seconds(2)) }
                let during = try await waits(of: system) {
                    let taken = try await system.runner.succeed("snapshot")
                    #expect(taken.contains("complete"), "\(taken)")
                }
                print("writers' longest waits: \(before), and during snapshot \(attempt) \(during)")
                #expect(during.count == 3)
                for (writer, wait) in during {
                    let longer = wait - (before[writer] ?? .zero)
                    blocked[writer] = min(blocked[writer] ?? longer, longer)
                }
                if blocked.values.allSatisfy({ $0 <= .seconds(1) }) { break }
            }
            #expect(blocked.values.allSatisfy { $0 <= .seconds(1) }, "\(blocked)")

            try await system.runner.succeed("restore", "latest", "--to", "copy")
            let copy = system.directory.appending("copy")
            for name in ReferenceSystem.names {
                let root = copy.appending("sources").appending(
                    String(system.repositories.string.dropFirst()))
                let path = root.appending("\(name).git")
                try await system.buildbot.git(["fsck", "--full", "--strict"], in: path)
            }
            try await checkDatabase(system, copy.appending("database/database/buildbot/dump.sql"))
        }
    }

    /// Pushes, asks for builds and writes to the database while `body` runs, each one write after the other.
    private func waits(
        of system: ReferenceSystem, during body: () async throws -> Void
    ) async throws -> Waits {
        let work = Work()
        async let pushes = work.loop { number in
            try await system.buildbot.commit("f\(number).txt", "\(number) \(ContinuousClock().now)\n")
            return try await ContinuousClock().measure {
                try await system.buildbot.git(["push", "-q", "origin", "main"])
            }
        }
        async let builds = work.loop { _ in
            try await ContinuousClock().measure { _ = try await system.front.force("probe") }
        }
        async let rows = work.loop { _ in
            try await ContinuousClock().measure {
                try await system.server.sql(Self.order, in: "buildbot")
            }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        work.end()
        let waits = try await ["push": pushes, "build": builds, "row": rows]
        try result.get()
        return waits
    }

    /// Loads a dump into a database of its own, which its foreign keys let happen only when it is of one moment.
    private func checkDatabase(_ system: ReferenceSystem, _ dump: FilePath) async throws {
        let server = system.server
        // The server's user may not look into the directory of the test.
        let file = server.directory.appending("dump.sql")
        try Files.replace(file, with: try Files.read(dump), mode: 0o644)
        try await server.sql("CREATE DATABASE copy OWNER ci;")
        try await server.run(
            "psql",
            [
                "-h", server.directory.string, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "copy", "-f",
                file.string,
            ])
        let counts = try await server.sql("SELECT count(*) > 0, count(*) = max(id) FROM orders;", in: "copy")
        #expect(counts == "t|t\n")
        let keys = try await server.sql(
            "SELECT count(*) > 10, bool_and(convalidated) FROM pg_constraint WHERE contype = 'f';", in: "copy"
        )
        #expect(keys == "t|t\n")
        let gaps = try await server.sql(
            """
            SELECT builderid FROM builds GROUP BY builderid HAVING count(*) <> max(number) OR min(number) <> 1;
            SELECT b.id FROM builds b LEFT JOIN buildrequests r ON r.id = b.buildrequestid WHERE r.id IS NULL;
            """, in: "copy")
        #expect(gaps == "", "build numbers are without gaps, and each build has its request")
        #expect(try await server.sql("SELECT count(*) > 0 FROM builds;", in: "copy") == "t\n")
    }
}
