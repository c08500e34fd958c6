import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Large SQLite databases: what a night adds to the store, and that they come back.
@Suite struct DatabaseFileTests {
    /// The blocks that the snapshot holds of the database that was not asked for before: ids and sizes.
    private func newBlocks(in directory: FilePath) async throws -> [Substring] {
        let output = try await shell(
            #"""
            touch seen; git -C tree.git for-each-ref --format='%(refname)' refs/snapshots | grep -vxFf seen >new; cat new >>seen
            git -C tree.git ls-tree --format='%(objectname) %(objectsize)' "$(cat new):tree/files$PWD/tree/state.sqlite.chunks"
            """#, in: directory)
        return output.split(separator: "\n")
    }

    @Test(arguments: [(4_096, 8_192), (32_768, 32_768)])
    func aRowThatChangesAddsTheBlockItIsInAndTheFirst(_ pageSize: Int, _ blockSize: Int) async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                #"""
                mkdir tree; python3 - tree/state.sqlite \#(pageSize) <<'END'
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1])
                database.execute(f"PRAGMA page_size = {sys.argv[2]}")
                database.execute("CREATE TABLE builds (id INTEGER PRIMARY KEY, log TEXT)")
                database.executemany("INSERT INTO builds VALUES (?, ?)", ((n, f"{n} success " * 40) for n in range(25_000)))
                database.commit()
                END
                """#, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            // The sizes are those of what is in clear; a row of the policy wins over the name.
            _ = try await shell(
                """
                sed -i 's/^classify: .*/classify: [{component: tree, path: state.sqlite, class: state, note: in clear}]/' \
                    policies/snapshot.yaml
                """, in: directory)
            try await runner.succeed("snapshot")
            let before = try await newBlocks(in: directory)
            _ = try await shell(
                #"""
                python3 - tree/state.sqlite <<'END'
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1])
                database.execute("UPDATE builds SET log = replace(log, 'success', 'failure') WHERE id = 12345")
                database.commit()
                END
                cp -a tree reference
                """#, in: directory)
            try await runner.succeed("snapshot")
            let after = try await newBlocks(in: directory)
            #expect(before.count == after.count && before.count > 8_388_608 / blockSize)
            #expect(after.dropLast().allSatisfy { $0.hasSuffix(" \(blockSize)") })
            let changed = after.indices.filter { before[$0] != after[$0] }
            // The first page counts the changes of the file.
            #expect(changed.count == 2 && changed.first == 0)
            try await runner.succeed("verify", "--all")
            _ = try await shell("rm -r tree", in: directory)
            try await runner.succeed("restore")
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
        }
    }

    /// Makes a master that never ran in `tree/master`: where its configuration says that its database is, and where that is.
    private func makeMaster(_ place: String, _ file: String, in directory: FilePath) async throws {
        _ = try await shell(
            #"""
            mkdir -p tree/master
            cat >tree/master/buildbot.tac <<'END'
            basedir = '.'
            application = service.Application('buildmaster')
            END
            echo "c['db_url'] = 'sqlite:///\#(place)'" >tree/master/master.cfg
            python3 - \#(file) <<'END'
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            for table, columns in (
                    ('alembic_version', 'version_num'), ('builder_masters', 'id, builderid'),
                    ('builders', 'id, name, description'), ('configured_workers', 'buildermasterid, workerid'),
                    ('workers', 'id, name'), ('builders_tags', 'builderid, tagid'), ('tags', 'id, name'),
                    ('schedulers', 'id, name, enabled'), ('scheduler_masters', 'schedulerid'),
                    ('changesources', 'id, name'), ('changesource_masters', 'changesourceid'),
                    ('masters', 'id, name, active, last_active'), ('buildrequests', 'id, complete'),
                    ('objects', 'id, name, class_name'), ('object_state', 'objectid, name, value_json')):
                database.execute(f"CREATE TABLE {table} ({columns})")
            database.execute("INSERT INTO alembic_version VALUES ('1')")
            database.commit()
            END
            """#, in: directory)
    }

    /// What SQLite keeps beside a database would be played into the one that comes.
    @Test func theLogOfTheOldDatabaseGoesWithIt() async throws {
        try await withTemporaryDirectory { directory in
            try await makeMaster("state.sqlite", "tree/master/state.sqlite", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree/master", "--name", "acme")
            try await runner.succeed("snapshot")
            func sql(_ text: String) async throws -> String {
                try await shell(
                    """
                    python3 - <<'END'
                    import sqlite3
                    database = sqlite3.connect('tree/master/state.sqlite')
                    print(database.execute("\(text)").fetchall())
                    database.commit()
                    END
                    """, in: directory)
            }
            _ = try await sql("UPDATE alembic_version SET version_num = '2'")
            // None that SQLite plays: the first byte of a journal that counts is another. A log it takes away when it comes by.
            _ = try await shell(
                "cd tree/master; for end in wal journal; do printf '\\0old' > state.sqlite-$end; done; cp state.sqlite-journal ../../old",
                in: directory)
            let report = try await runner.succeed(
                "restore", "--resume-work", "--only", "file:\(directory)/tree/master/state.sqlite")
            let beside = "ls tree/master/state.sqlite?* || true"
            #expect(try await shell(beside, in: directory) == "", "\(report)")
            #expect(try await sql("SELECT * FROM alembic_version") == "[('1',)]\n")
            try await runner.succeed("undo")
            _ = try await shell("cmp old tree/master/state.sqlite-journal", in: directory)
            #expect(try await sql("SELECT * FROM alembic_version") == "[('2',)]\n")
        }
    }

    /// Whoever is killed leaves a log, and SQLite plays it into whatever database stands there.
    @Test func theLogOfAKilledServerGoesWithItsOwnDatabase() async throws {
        try await withTemporaryDirectory { directory in
            let write = #"""
                import os, sqlite3, sys
                database = sqlite3.connect("tree/state.sqlite")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("CREATE TABLE IF NOT EXISTS builds (number)")
                database.execute("DELETE FROM builds")
                database.execute("INSERT INTO builds VALUES (?)", (sys.argv[1],))
                database.commit()
                if len(sys.argv) > 2: os._exit(0)
                database.close()
                """#
            let read = #"""
                import sqlite3
                database = sqlite3.connect("tree/state.sqlite")
                print(database.execute("PRAGMA integrity_check").fetchone()[0])
                print(database.execute("SELECT number FROM builds").fetchone()[0])
                database.close()
                """#
            try Files.replace(directory.appending("write.py"), with: Array(write.utf8))
            try Files.replace(directory.appending("read.py"), with: Array(read.utf8))
            _ = try await shell("mkdir tree; python3 write.py 1", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            for old in ["python3 write.py 2 killed; test -s tree/state.sqlite-wal", "python3 write.py 2"] {
                _ = try await shell(old, in: directory)
                try await runner.succeed("restore", "--only", "file:\(directory)/tree/state.sqlite")
                #expect(try await shell("python3 read.py", in: directory) == "ok\n1\n")
                _ = try await shell(
                    "python3 write.py 3 killed; test -s tree/state.sqlite-wal", in: directory)
                try await runner.succeed("undo")
                #expect(try await shell("python3 read.py", in: directory) == "ok\n2\n")
            }
        }
    }

    /// One that no driver knows is copied as it lies: what was committed may be in its log alone.
    @Test func aDatabaseOfOthersIsSealedAndComesBackWithItsLog() async throws {
        try await withTemporaryDirectory { directory in
            let write = #"""
                import os, sqlite3, sys
                database = sqlite3.connect("tree/app.db")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("CREATE TABLE IF NOT EXISTS users (name)")
                database.execute("INSERT INTO users VALUES (?)", (sys.argv[1],))
                database.commit()
                os._exit(0)
                """#
            let read = #"""
                import sqlite3
                print(sqlite3.connect("tree/app.db").execute("SELECT group_concat(name) FROM users").fetchone()[0])
                """#
            try Files.replace(directory.appending("write.py"), with: Array(write.utf8))
            try Files.replace(directory.appending("read.py"), with: Array(read.utf8))
            _ = try await shell(
                """
                mkdir tree; python3 write.py hunter-one; test -s tree/app.db-wal
                echo a >tree/site.conf; cp -a tree reference; touch -d '2 days ago' tree/* reference/*
                """, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let names = try await shell(
                """
                snapshot=$(git -C tree.git for-each-ref --format='%(refname)' refs/snapshots)
                git -C tree.git ls-tree -r --name-only "$snapshot" | grep -o 'app.*' | LC_ALL=C sort
                git -C tree.git ls-tree -r --name-only refs/heads/tree | grep app || echo none
                """, in: directory)
            #expect(names == "app.db-shm.age\napp.db-wal.age\napp.db.age\nnone\n")
            #expect(try await runner.succeed("snapshot").contains("no change"))
            #expect(try await runner.succeed("verify", "--all").contains("ok"))
            try await runner.succeed("diff")
            let drill = try await runner.run(["drill"], limit: .seconds(300))
            #expect(drill.status == 0 && drill.output.contains("1 database is whole"), "\(drill.output)")
            try await runner.succeed("export", "latest", "shelf.tar.zst")

            _ = try await shell("rm tree/app.db*", in: directory)
            try await runner.succeed("restore")
            let place = directory.appending("tree")
            #expect(try await runner.differences(directory.appending("reference"), place) == "")
            #expect(try await shell("python3 read.py", in: directory) == "hunter-one\n")
            // Whoever opens what came takes its log away, and may leave another: none of it is in the way of an undo.
            for old in ["python3 write.py another", "python3 write.py another; python3 read.py"] {
                _ = try await shell("rm tree/app.db*; \(old)", in: directory)
                for next in ["true", "python3 write.py third"] {
                    try await runner.succeed("restore", "--only", "file:\(directory)/tree/app.db")
                    #expect(try await shell("python3 read.py", in: directory) == "hunter-one\n")
                    _ = try await shell(next, in: directory)
                    try await runner.succeed("undo")
                    #expect(try await shell("python3 read.py", in: directory) == "another\n")
                }
            }

            // Without recipients it is in clear, and that is said.
            _ = try await shell("sed -i '/^recipients:/,/^  - /d' understudy.yaml", in: directory)
            let open = try await runner.succeed("snapshot")
            #expect(open.contains("in the store in clear, since the system file"), "\(open)")
            try await runner.succeed("restore", "--to", "out")
        }
    }

    @Test func aDatabaseBehindALinkMakesTheSnapshotPartial() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                "mkdir -p tree/master live; ln -s \"$PWD/live\" tree/master/db", in: directory)
            try await makeMaster("db/state.sqlite", "live/state.sqlite", in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree/master", "--name", "acme")
            let taken = try await runner.run("snapshot")
            #expect(taken.status == 3, "\(taken.output) \(taken.errorOutput)")
            #expect((taken.output + taken.errorOutput).contains("master/db is a link"))
        }
    }
}
