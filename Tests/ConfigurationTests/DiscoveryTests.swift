import Configuration
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@Suite struct DiscoveryTests {
    @Test func aPathThatIsAComponentIsTakenWithoutLookingBelow() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("ci/tool.marker"))
            try makeFile(directory.appending("ci/inner/other.marker"))
            let found = try Discovery(paths: [directory.appending("ci")], kinds: stubKinds)
            #expect(found.components.map(\.name) == ["ci"])
            #expect(found.components.first?.text("home") == directory.appending("ci").string)
            #expect(found.findings.first?.summary == "tool 1.0")
            #expect(found.notes.isEmpty)
        }
    }

    @Test func componentsAreFoundTwoLevelsBelowAndTheRestIsTold() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("b/one/tool.marker"))
            try makeFile(directory.appending("b/note.txt"))
            try makeFile(directory.appending("a/other.marker"))
            try makeFile(directory.appending("c/d/too-deep/tool.marker"))
            try Files.makeLink(directory.appending("link"), to: Array("b/one".utf8))
            let found = try Discovery(paths: [directory], kinds: stubKinds)
            #expect(found.components.map(\.name) == ["a", "one"])
            #expect(found.components.map(\.driver) == ["other", "tool"])
            #expect(found.notes.count == 1)
            let note = found.notes.first ?? ""
            #expect(
                note.hasSuffix(
                    "left out: \(directory)/b/note.txt, \(directory)/c, \(directory)/link"), "\(note)")
        }
    }

    @Test func whatLiesBesideAComponentOfPartsIsFilesHoweverDeepItIsFound() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("srv/master/parts.marker"))
            try makeFile(directory.appending("srv/git/app.git/HEAD"))
            for start in [directory, directory.appending("srv")] {
                let found = try Discovery(paths: [start], kinds: [PartsDriver.self] + stubKinds)
                #expect(found.components.map(\.driver) == ["parts", "files"])
                #expect(
                    found.components.last?.settings["paths"]
                        == .list([directory.appending("srv/git").string]))
                #expect(found.notes.isEmpty)
            }
            try makeFile(directory.appending("srv/note.txt"))
            let found = try Discovery(
                paths: [directory.appending("srv")], kinds: [PartsDriver.self] + stubKinds)
            #expect(found.notes == ["\(directory)/srv/note.txt is in no component: it is no directory"])
        }
    }

    @Test func aDirectoryInWhichNothingIsFoundIsFiles() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("Proxy Files/nginx.conf"))
            let found = try Discovery(paths: [directory.appending("Proxy Files")], kinds: stubKinds)
            #expect(
                found.components == [
                    Component(
                        name: "proxy-files", driver: "files",
                        settings: ["paths": .list([directory.appending("Proxy Files").string])])
                ])
        }
    }

    @Test func namesAreUnique() throws {
        try withTemporaryDirectory { directory in
            for parent in ["a", "b", "c"] {
                try makeFile(directory.appending("\(parent)/ci/tool.marker"))
            }
            let found = try Discovery(paths: [directory], kinds: stubKinds)
            #expect(found.components.map(\.name) == ["ci", "ci-2", "ci-3"])
        }
    }

    @Test func whatWasFoundMakesASystemFileThatIsRead() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("home: #1/tool.marker"))
            let found = try Discovery(paths: [directory], kinds: stubKinds)
            let system = SystemDescription(name: "s", store: "/s.git", components: found.components)
            #expect(try parse(try system.yaml(kinds: stubKinds)).components == found.components)
        }
    }

    @Test func aMissingPathAFileAndNoPathAtAllAreRefused() throws {
        try withTemporaryDirectory { directory in
            try makeFile(directory.appending("file"))
            #expect(refusal([directory.appending("gone")]) == "there is nothing at \(directory)/gone")
            #expect(refusal([directory.appending("file")]) == "\(directory)/file is not a directory")
            #expect(refusal([]) == "no path was given")
        }
    }

    @Test func aPathInsideAnotherIsRefused() throws {
        try withTemporaryDirectory { directory in
            try Files.makeDirectories(directory.appending("a/b"))
            try Files.makeDirectory(directory.appending("ab"))
            try Files.makeLink(directory.appending("link"), to: Array("a".utf8))
            let inner = directory.appending("a/b")
            let outer = directory.appending("a")
            #expect(refusal([inner, outer]) == "\(inner) lies in \(outer)")
            #expect(refusal([outer, outer])?.hasSuffix("are the same directory") == true)
            #expect(
                refusal([outer, directory.appending("link")])?.hasSuffix("are the same directory") == true)
            #expect(refusal([outer, directory.appending("ab")]) == nil)
        }
    }

    @Test func aPathThatIsNotTextIsRefusedAndOneBelowIsTold() throws {
        try withTemporaryDirectory { directory in
            let odd = directory.pushing(FilePath(bytes: [0xff]))
            try Files.makeDirectory(odd)
            try makeFile(directory.appending("ci/tool.marker"))
            #expect(throws: TextFailure.self) { try Discovery(paths: [odd], kinds: stubKinds) }
            let found = try Discovery(paths: [directory], kinds: stubKinds)
            #expect(
                found.notes.first
                    == "\(directory)/\\xff was not looked into: its name is not UTF-8, and a system file is text"
            )
        }
    }

    @Test(
        arguments: [
            ("Jenkins", "jenkins"), ("my  CI!", "my-ci"), (".git", "git"), ("a..b", "a.b"), ("x.lock", "x"),
            ("日本", "component"), ("", "component"), ("-a-", "a"), ("été", "t"), ("a.lock.lock", "a"),
        ])
    func anyTextGivesAValidName(_ wish: String, _ expected: String) {
        #expect(validName(wish) == expected)
        #expect(isName(validName(wish)))
    }

    private func refusal(_ paths: [FilePath]) -> String? {
        do {
            _ = try Discovery(paths: paths, kinds: stubKinds)
            return nil
        } catch {
            return "\(error)"
        }
    }
}
