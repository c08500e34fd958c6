import Configuration
import SnapshotModel
import SystemPackage
import Testing

/// What `--map` makes of a system file.
@Suite struct RelocationTests {
    private let description = SystemDescription(
        name: "acme", store: "/srv/ci/acme.git",
        components: [
            Component(
                name: "ci", driver: "jenkins",
                settings: [
                    "home": .text("/srv/ci/home"), "url": .text("http://ci.example:8080/x:8080"),
                    "service": .map([
                        "start": "su ci -c '/srv/ci/run --port=8080 --old=18080 /srv/cibles'", "stop": "x",
                    ]),
                ]),
            Component(
                name: "proxy", driver: "files", settings: ["paths": .list(["/etc/nginx", "/srv/ci2"])]),
        ])

    private func resolved(_ texts: String...) throws -> Relocation {
        var relocation = try Relocation(texts)
        try relocation.resolve(
            for: description, file: "/etc/understudy/acme.yaml", host: "box",
            accounts: ["ci", "root", "both"])
        return relocation
    }

    @Test func pathsMoveWithAllBelowThemAndNothingElse() throws {
        let moved = try resolved("/srv/ci=/data/a=b").applied(to: description)
        #expect(moved.store == "/data/a=b/acme.git")
        #expect(moved.components[0].text("home") == "/data/a=b/home")
        #expect(moved.components[1].list("paths") == ["/etc/nginx", "/srv/ci2"])
        #expect(
            moved.components[0].map("service")["start"]
                == "su ci -c '/data/a=b/run --port=8080 --old=18080 /srv/cibles'")
    }

    @Test func theLongestPathWins() throws {
        let relocation = try resolved("/srv/ci=/a", "/srv/ci/home=/b")
        #expect(relocation.path("/srv/ci/home/x") == "/b/x")
        #expect(relocation.path("/srv/ci/other") == "/a/other")
    }

    @Test func portsHostsAndUsersAreWholeWords() throws {
        let relocation = try resolved("8080=9090", "ci.example=new.example", "user:ci=build", "box=crate")
        let moved = relocation.applied(to: description).components[0]
        #expect(moved.text("url") == "http://new.example:9090/x:8080")
        #expect(
            moved.map("service")["start"] == "su build -c '/srv/ci/run --port=9090 --old=18080 /srv/cibles'")
        #expect(relocation.accounts == ["ci": "build"])
        #expect(
            relocation.changes(of: description) == [
                "ci.service: su ci -c '/srv/ci/run --port=8080 --old=18080 /srv/cibles' → su build -c '/srv/ci/run --port=9090 --old=18080 /srv/cibles'",
                "ci.url: http://ci.example:8080/x:8080 → http://new.example:9090/x:8080", "owner: ci → build",
            ])
    }

    private let stores = SystemDescription(
        name: "acme", store: "/srv/ci/acme.git",
        components: [
            Component(
                name: "db", driver: "postgresql",
                settings: [
                    "url": .text("postgresql://ci@db.example:5432,other/shop?host=/srv/ci/pg&port=5432")
                ]),
            Component(
                name: "tool", driver: "command",
                settings: [
                    "capture": .text("/srv/ci/bin/save -D/srv/ci/d --from=file:///srv/ci/x -d x/srv/ci"),
                    "restore": .text(
                        "psql 'host=/srv/ci/pg port=5432' postgresql:///a?host=%2Fsrv%2Fci%2fpg <dump.sql"),
                    "start": .text("run"), "stop": .text("end"), "limit": .text("5432"),
                ]),
        ])

    private func moved(_ texts: String...) throws -> [Component] {
        var relocation = try Relocation(texts)
        try relocation.resolve(for: stores, file: nil, host: "box", accounts: [])
        return relocation.applied(to: stores).components
    }

    @Test func addressesOfDatabasesMoveWithTheirDirectories() throws {
        let parts = try moved("/srv/ci=/data", "5432=5433", "db.example=new")
        #expect(parts[0].text("url") == "postgresql://ci@new:5433,other/shop?host=/data/pg&port=5433")
    }

    @Test(arguments: [
        ("postgresql:///shop?host=%2Fsrv%2Fci%2Fpg", "postgresql:///shop?host=%2Fdata%2Fpg"),
        ("postgresql://%2Fsrv%2Fci%2Fpg:5432/shop", "postgresql://%2Fdata%2Fpg:5432/shop"),
        (
            "postgresql://[::1]:1/srv/ci?sslrootcert=/srv/ci/ca",
            "postgresql://[::1]:1/srv/ci?sslrootcert=/data/ca"
        ),
        ("postgresql:///srv?x=%zz&host=/srv/cities", "postgresql:///srv?x=%zz&host=/srv/cities"),
    ])
    func everySpellingOfADirectoryMoves(_ old: String, _ new: String) throws {
        var one = stores
        one.components[0].settings["url"] = .text(old)
        var relocation = try Relocation(["/srv/ci=/data"])
        try relocation.resolve(for: one, file: nil, host: "box", accounts: [])
        #expect(relocation.applied(to: one).components[0].text("url") == new)
    }

    @Test func commandsOfAToolMove() throws {
        let tool = try moved("/srv/ci=/data", "5432=5433")[1]
        #expect(tool.text("capture") == "/data/bin/save -D/data/d --from=file:///data/x -d x/srv/ci")
        #expect(
            tool.text("restore")
                == "psql 'host=/data/pg port=5433' postgresql:///a?host=%2Fdata%2fpg <dump.sql")
        #expect(tool.text("limit") == "5432")
    }

    @Test(arguments: [
        "~/srv/ci/x", "${A}/srv/ci", "$(pwd)/srv/ci", "*/srv/ci", "$A/srv/ci", "/srv/ci@tmp", "/srv/ci~",
        "/srv/ci+x",
        "/srv/ci%20x", "%2Fsrv%2Fci%40tmp",
    ])
    func aPartOfAnotherPathStays(_ word: String) throws {
        var one = stores
        one.components[1].settings["capture"] = .text("cat \(word) '/srv/ci'")
        var relocation = try Relocation(["/srv/ci=/data"])
        try relocation.resolve(for: one, file: nil, host: "box", accounts: [])
        #expect(relocation.applied(to: one).components[1].text("capture") == "cat \(word) '/data'")
    }

    @Test func aWordOfACommandIsReplacedOnce() throws {
        #expect(
            try moved("/srv/ci=/srv/x", "/srv=/data")[1].text("capture")
                == "/srv/x/bin/save -D/srv/x/d --from=file:///srv/x/x -d x/srv/ci")
    }

    @Test func whatIsLeftWhereItStoodIsKnown() throws {
        var relocation = try Relocation(["/srv/ci/d=/data"])
        try relocation.resolve(for: stores, file: nil, host: "box", accounts: [])
        #expect(relocation.movesSystem)
        #expect(
            relocation.unmovedDatabase(of: stores.components[0])
                == ["'url' (postgresql://ci@db.example:5432,other/shop?host=/srv/ci/pg&port=5432)"])
        #expect(relocation.unmovedCommands(of: stores.components[1]).count == 1)
        var secured = stores.components[0]
        secured.settings["url"] = .text("postgresql:///shop?sslrootcert=/srv/ci/d/ca")
        #expect(relocation.unmovedDatabase(of: secured).count == 1, "only its certificate is elsewhere")
        secured.settings["url"] = .text("postgresql:///shop?host=/srv/ci/d")
        #expect(relocation.unmovedDatabase(of: secured) == [])
        #expect(relocation.unmovedService(of: stores.components[1]) == ["'start' (run)", "'stop' (end)"])
        #expect(try !resolved("user:ci=build").movesSystem)
    }

    @Test func theSystemFileItselfMayMove() throws {
        #expect(try resolved("/etc/understudy=/opt").path("/etc/understudy/acme.yaml") == "/opt/acme.yaml")
    }

    @Test(arguments: [
        "/nowhere=/x", "9=10", "nobody=x", "/srv/c=/x", "nosign", "/srv/ci=relative", "/srv/ci=/a/../b",
        "8080=0",
        "8080=x", "=x", "ci=", "ci=-rf", "host:nobody=x", "/=/x",
    ])
    func whatTheSystemHasNotOrWhatCannotBeIsRefused(_ text: String) {
        #expect(throws: RelocationFailure.self) { try resolved(text) }
    }

    /// Only who says that it is a host means a word of a command.
    @Test func aHostThatOnlyCommandsNameIsMappedAsOne() throws {
        var one = stores
        one.components[1].settings["capture"] = .text("ssh vault cat /x")
        var bare = try Relocation(["vault=new"])
        #expect(throws: RelocationFailure.self) {
            try bare.resolve(for: one, file: nil, host: "box", accounts: [])
        }
        var relocation = try Relocation(["host:vault=new"])
        try relocation.resolve(for: one, file: nil, host: "box", accounts: [])
        #expect(relocation.applied(to: one).components[1].text("capture") == "ssh new cat /x")
    }

    @Test func aNameOfAHostAndAUserMustSayWhichIsMeant() throws {
        var relocation = try Relocation(["both=x"])
        #expect(throws: RelocationFailure.self) {
            try relocation.resolve(for: description, file: nil, host: "both", accounts: ["both"])
        }
        #expect(throws: RelocationFailure.self) { try resolved("8080=1", "8080=2") }
        #expect(try resolved("both=x").accounts == ["both": "x"])
    }
}
