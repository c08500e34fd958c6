import Configuration
import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing
import YAML

@Suite struct SystemFileTests {
    @Test func everythingInAFullFileIsRead() throws {
        let text = """
            system: acme
            store: acme.git
            recipients: [age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj]
            components:
              jenkins:
                driver: tool
                home: /var/lib/jenkins
                label: 8080
                url: http://127.0.0.1:8080/
                service: {systemd: jenkins}
              proxy: {driver: files, paths: [/etc/nginx, /etc/ssl], after: [jenkins]}
            policies: ../policies
            """
        let description = try parse(text)
        #expect(description.name == "acme")
        #expect(description.store == "/srv/acme.git")
        #expect(description.policies == "/policies")
        #expect(description.recipients.count == 1)
        #expect(description.text == text)
        #expect(description.components.map(\.name) == ["jenkins", "proxy"])
        let jenkins = try #require(description.component("jenkins"))
        #expect(jenkins.driver == "tool")
        #expect(jenkins.text("home") == "/var/lib/jenkins")
        #expect(jenkins.text("label") == "8080")
        #expect(jenkins.map("service") == ["systemd": "jenkins"])
        #expect(description.component("proxy")?.list("paths") == ["/etc/nginx", "/etc/ssl"])
        #expect(description.component("proxy")?.after == ["jenkins"])
    }

    @Test func everyProblemIsToldAtItsPlace() {
        let lines = problems(
            """
            system: Acme
            store:
            stroe: x
            components:
              jenkins:
                driver: tool
                hme: /var/lib/jenkins
                url: ftp://example
              proxy:
                driver: fils
                anything: 1
              database:
                driver: files
                paths: [srv]
                after: [jenkns]
            """)
        #expect(
            lines == [
                "u.yaml:1:9: found 'Acme', expected as the name of the system a name of a-z, 0-9, '.', '_' and "
                    + "'-' that begins with a letter or digit",
                "u.yaml:2:7: found nothing, expected the path of the store",
                "u.yaml:3:1: found the unknown key 'stroe' in the system file, expected system, store, "
                    + "recipients, signers, signing-key, components or policies",
                "u.yaml:7:5: found the unknown key 'hme' in component 'jenkins', expected driver, after, home, "
                    + "label, url or service; did you mean 'home'?",
                "u.yaml:8:10: found 'ftp://example', expected for 'url' an address, http://… or https://…",
                "u.yaml:10:13: found the unknown driver 'fils', expected tool, other or files; "
                    + "did you mean 'files'?",
                "u.yaml:14:13: found 'srv', expected an absolute path",
                "u.yaml:15:13: found the unknown component 'jenkns', expected jenkins or proxy; "
                    + "did you mean 'jenkins'?",
            ])
    }

    @Test func aMisspeltKeyIsNotAlsoMissing() {
        let lines = problems("sistem: a\nstore: s\ncomponents: {x: {drivr: tool, home: /x}}\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("did you mean 'system'?") == true)
        #expect(lines.last?.hasSuffix("did you mean 'driver'?") == true)
    }

    @Test(
        arguments: [
            ("", "u.yaml:1:1: found nothing in the file"),
            ("# only this", "u.yaml:1:1: found nothing in the file"),
            ("- a", "u.yaml:1:1: found a list, expected the system file"),
            ("store: s\ncomponents: {x: {driver: tool, home: /x}}", "u.yaml:1:1: found no 'system'"),
            ("a: 1\na: 2", "u.yaml:1:1: found the key 'a' more than once"),
            ("a: [1", "u.yaml:2:1: not YAML: while parsing a flow sequence"),
            ("a: 1\n---\nb: 2", "u.yaml:2:1: not YAML: expected a single document"),
            ("a: \u{7}", "u.yaml:1:4: not YAML: control characters are not allowed"),
            ("a: &x 1\nb: *x", "u.yaml:1:4: found an anchor"),
            ("a: *x", "u.yaml:1:4: found an alias"),
            ("a: {b: 1, c: {}, c: 2, 'c': 3}", "u.yaml:1:11: found the key 'c' more than once"),
            (
                String(repeating: "[", count: 5000),
                "u.yaml:1:101: found 100 lists and mappings within each other"
            ),
            ("{? [x] : 1, system: s, store: s, components: {}}", "u.yaml:1:4: found a list as a key"),
        ])
    func whatIsNoSystemFileIsRefused(_ text: String, _ expected: String) {
        #expect(problems(text).first?.hasPrefix(expected) == true, "\(problems(text))")
    }

    @Test(arguments: ["snapshot.json", "understudy.yaml", "understudy.policies"])
    func aNameThatASnapshotHasItselfIsNoComponents(_ name: String) {
        let lines = problems("system: s\nstore: /s\ncomponents:\n  \(name): {driver: files, paths: [/a]}\n")
        let expected = "u.yaml:4:3: found '\(name)', which a snapshot has"
        #expect(lines.count == 1 && lines[0].hasPrefix(expected), "\(lines)")
        #expect(validName(name) == "component")
    }

    @Test(
        arguments: [
            ("{driver: tool, home: relative}", "found 'relative', expected for 'home' an absolute path"),
            ("{driver: tool, home: /a/../b}", "without '.' and '..'"),
            ("{driver: tool, home: [/a]}", "found a list, expected for 'home' an absolute path"),
            ("{driver: tool}", "found no 'home' in component 'x', expected it among its keys"),
            ("{driver: tool, home: /a, label: \"a\\nb\"}", "found a line break or control character"),
            ("{driver: tool, home: /a, label: }", "found nothing, expected for 'label'"),
            ("{driver: tool, home: /a, url: \"http://\"}", "expected for 'url' an address"),
            ("{driver: tool, home: /a, url: \"http://u:hunter2@h/\"}", "found a user name or password"),
            ("{driver: tool, home: /a, service: nginx}", "expected for 'service' {systemd: UNIT} or"),
            ("{driver: tool, home: /a, service: {start: x}}", "found 'start' in 'service'"),
            ("{driver: tool, home: /a, service: {}}", "found nothing in 'service'"),
            ("{driver: tool, home: /a, service: {systmd: x}}", "did you mean 'systemd'?"),
            ("{driver: files, paths: []}", "found an empty list"),
            ("{driver: files, paths: /a}", "found '/a', expected for 'paths' a list of absolute paths"),
            ("{driver: files, paths: [/a, /a]}", "found '/a' twice"),
            ("{driver: files, paths: [/a], after: [x]}", "found 'x' in its own 'after'"),
            ("{driver: files, paths: [/a], after: x}", "expected a list of the components"),
            ("{home: /a}", "found no 'driver' in component 'x', expected a driver: tool, other or files"),
            ("tool", "found 'tool', expected the settings of component 'x'"),
        ])
    func aSettingOfTheWrongShapeIsToldOnce(_ settings: String, _ expected: String) {
        let lines = problems("system: s\nstore: /s\ncomponents:\n  x: \(settings)\n")
        #expect(lines.count == 1 && lines[0].contains(expected), "\(lines)")
        #expect(!lines.joined().contains("hunter2"))
    }

    @Test func aSecretKeyAmongTheRecipientsIsRefusedAndNotRepeated() {
        let lines = problems(
            "system: s\nstore: s\nrecipients: [AGE-SECRET-KEY-1ABC, nonsense]\n"
                + "components: {x: {driver: tool, home: /x}}\n")
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("u.yaml:3:14: found a secret key"))
        #expect(!lines[0].contains("1ABC"))
        #expect(lines[1].hasPrefix("u.yaml:3:35: found 'nonsense', expected a public recovery key"))
    }

    @Test func aCycleIsShownWhereItCloses() {
        let lines = problems(
            """
            system: s
            store: /s
            components:
              a: {driver: files, paths: [/a], after: [b]}
              b: {driver: files, paths: [/b], after: [d, c]}
              c: {driver: files, paths: [/c], after: [b]}
              d: {driver: files, paths: [/d]}
            """)
        #expect(
            lines == [
                "u.yaml:5:46: found a cycle, b after c after b, expected an order in which all can start"
            ])
    }

    @Test func aFileThatIsNotUTF8IsRefusedAtTheFirstBadByte() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("u.yaml")
            try Files.replace(path, with: Array("system: ä\nstore: ".utf8) + [0xff])
            let failure = try #require(throws: SystemFileFailure.self) {
                try SystemFile.read(path, kinds: stubKinds)
            }
            #expect(failure.problems.map(\.position) == [Position(line: 2, column: 8)])
        }
    }

    @Test func whatCannotBeReadIsSaidWithTheReason() throws {
        try withTemporaryDirectory { directory in
            let missing = try #require(throws: SystemFileFailure.self) {
                try SystemFile.read(directory.appending("u.yaml"), kinds: stubKinds)
            }
            #expect(missing.description == "\(directory)/u.yaml: cannot open it: No such file or directory")
            let noFile = try #require(throws: SystemFileFailure.self) {
                try SystemFile.read(directory, kinds: stubKinds)
            }
            #expect(noFile.description == "\(directory): cannot read it: it is not a regular file")
        }
    }

    @Test func relativePathsStartAtTheFilesDirectory() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("u.yaml")
            try makeFile(path, "system: s\nstore: a/s.git\ncomponents: {x: {driver: tool, home: /x}}\n")
            #expect(try SystemFile.read(path, kinds: stubKinds).store == directory.appending("a/s.git"))
        }
    }

    @Test func theOptionWinsOverTheVariableAndBothOverTheUsualPlaces() {
        let both = SystemFile.places(option: "/a.yaml", variable: "/b.yaml", directory: "/w")
        #expect(both == ["/a.yaml"])
        #expect(SystemFile.places(option: nil, variable: "b.yaml", directory: "/w") == ["/w/b.yaml"])
        #expect(
            SystemFile.places(option: nil, variable: "", directory: "/w")
                == ["/w/understudy.yaml", "/etc/understudy/understudy.yaml"])
    }

    @Test func theFileInTheWorkingDirectoryIsFound() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("understudy.yaml"))
            let found = try SystemFile.find(option: nil, variable: nil, directory: directory)
            #expect(found == directory.appending("understudy.yaml"))
        }
    }

    @Test func aMissingFileIsToldWithThePlacesAndWhoNamedThem() throws {
        try withTemporaryDirectory { directory in
            let named = try #require(throws: SystemFileMissing.self) {
                try SystemFile.find(option: nil, variable: "/nowhere/u.yaml", directory: directory)
            }
            #expect(
                named.description
                    == "there is no system file at /nowhere/u.yaml, which $UNDERSTUDY_SYSTEM names")
            let option = try #require(throws: SystemFileMissing.self) {
                try SystemFile.find(option: "u.yaml", variable: "/x", directory: directory)
            }
            #expect(option.origin == "--system")
        }
    }

    @Test func theMessageOfNoFileAtAllPointsToInit() {
        let failure = SystemFileMissing(looked: ["./u.yaml", "/etc/u.yaml"], origin: nil)
        #expect(failure.description == "there is no system file: looked for ./u.yaml and /etc/u.yaml")
        #expect(failure.hint.contains("understudy init PATH"))
    }
}
