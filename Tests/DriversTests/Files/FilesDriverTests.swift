import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@Suite struct FilesDriverTests {
    @Test func eachDirectoryIsARootByItsPath() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectories(directory.appending("etc/nginx"))
            let driver = try makeFiles(["\(directory)/etc/nginx/"])
            let roots = try driver.roots()
            #expect(roots.map(\.path) == ["\(directory)/etc/nginx"])
            #expect(roots.map(\.name) == ["\(directory.string.dropFirst())/etc/nginx"])
            let moved = driver.relocated(to: [roots[0].name: directory])
            #expect(try moved.roots().map(\.path) == [directory.string])
        }
    }

    @Test(arguments: [
        ["/etc/a", "/etc/a"], ["/etc", "/etc/nginx"], ["/etc/nginx", "/etc"], ["etc"], ["/"], [],
    ])
    func pathsThatAreNoneOrMeetAreRefused(_ paths: [String]) {
        #expect(throws: DriverFailure.self) { try makeFiles(paths) }
    }

    @Test func commandsThatStartSomethingNeedAnAddressThatTellsWhetherItRuns() throws {
        func driver(_ settings: [String: SettingValue]) throws -> FilesDriver {
            let all = settings.merging(["paths": .list(["/etc/nginx"])]) { first, _ in first }
            return try FilesDriver(Component(name: "proxy", driver: "files", settings: all))
        }
        let commands = SettingValue.map(["start": "nginx", "stop": "nginx -s stop"])
        #expect(try driver([:]).lifecycle == nil)
        #expect(try driver(["service": .map(["systemd": "nginx"])]).lifecycle != nil)
        #expect(try driver(["service": commands, "url": .text("http://127.0.0.1/")]).lifecycle != nil)
        let failure = #expect(throws: DriverFailure.self) { try driver(["service": commands]) }
        #expect(failure?.hint.contains("add url:") == true)
    }

    @Test func namesThatOnlyBeginAlikeAreTwo() throws {
        #expect(throws: Never.self) { try makeFiles(["/etc/nginx", "/etc/nginx-extra"]) }
    }

    @Test func whatIsMissingOrNoDirectoryIsRefusedWithItsPath() throws {
        try withTemporaryDirectory { directory in
            let file = directory.appending("file")
            try Files.replace(file, with: [])
            try Files.makeLink(directory.appending("link"), to: directory.byteArray)
            for name in ["missing", "file", "link"] {
                let driver = try makeFiles(["\(directory)/\(name)"])
                let failure = #expect(throws: DriverFailure.self) { try driver.roots() }
                #expect(failure?.description.contains("\(directory)/\(name)") == true)
                try Files.makeDirectories(directory.appending("there"))
                let both = try makeFiles(["\(directory)/there", "\(directory)/\(name)"])
                #expect(both.faults().map(\.root) == [both.places()[1].name])
                #expect(both.faults().first?.failure == failure)
            }
        }
    }

    @Test(arguments: [
        ("nginx.conf", EntryClass.config), ("tls/site.key", .secret), ("deploy/.ssh/known_hosts", .secret),
        (".htpasswd", .secret), ("app.git/objects/ab/cdef", .source), ("app.git/HEAD", .config),
        ("objects/pack/pack-1.idx", .source), (".git/objects/12/34", .source),
        ("live/terraform.tfstate", .secret), ("app.db", .database), ("var/app.db-wal", .database),
        ("var/app.db-shm", .database), ("a.sqlite-journal", .database), ("a/b/c.sqlite3", .database),
        ("a.sqlite3-wal", .database), ("app.db.conf", .config), ("db", .config), ("app.db-walk", .config),
        (".gnupg/trust.db", .secret), ("app.git/objects/ab/c.db", .source), ("krb5.keytab", .secret),
    ]) func pathsHaveTheirClass(_ path: String, _ expected: EntryClass) throws {
        let classification = try makeFiles(["/etc/nginx"]).classification(of: "etc/nginx")
        #expect(classification.entryClass(of: EntryPath(path), isDirectory: false) == expected)
    }
}

private func makeFiles(_ paths: [String]) throws -> FilesDriver {
    try FilesDriver(Component(name: "proxy", driver: "files", settings: ["paths": .list(paths)]))
}
