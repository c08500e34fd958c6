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

    @Test func theSystemFileItselfMayMove() throws {
        #expect(try resolved("/etc/understudy=/opt").path("/etc/understudy/acme.yaml") == "/opt/acme.yaml")
    }

    @Test(arguments: [
        "/nowhere=/x", "9=10", "nobody=x", "/srv/c=/x", "nosign", "/srv/ci=relative", "/srv/ci=/a/../b",
        "8080=0",
        "8080=x", "=x", "ci=", "ci=-rf", "host:ci=x", "/=/x",
    ])
    func whatTheSystemHasNotOrWhatCannotBeIsRefused(_ text: String) {
        #expect(throws: RelocationFailure.self) { try resolved(text) }
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
