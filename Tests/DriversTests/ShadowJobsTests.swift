import FileTree
import Foundation
import Judge
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// A room in which nothing runs.
struct DeadRoom: ShadowRoom {
    var copy: ShadowCopy
    var isServerRunning: Bool { false }
    func run(_ program: Program) async throws -> Program.Outcome { try await program.run() }
    func install(_ program: Program) async throws -> Program.Outcome { try await program.run() }
    func log() throws -> String { "" }
}

/// What is made of jobs of shadows whose servers wrote reports, or died.
@Suite struct ShadowJobsTests {
    private func room(_ directory: FilePath) throws -> DeadRoom {
        try Files.makeDirectory(directory)
        let captured = CapturedComponent(name: "ci", driver: "", version: nil, roots: [])
        return DeadRoom(
            copy: ShadowCopy(
                staged: StagedComponent(
                    captured: captured, roots: [], artifacts: nil, resumesWork: false, capturedHost: "ci"),
                socketDirectory: directory, workspace: directory))
    }

    private func jenkins() throws -> any ShadowDriver {
        try #require(
            try JenkinsDriver(
                Component(name: "ci", driver: "jenkins", settings: ["home": .text("/srv/ci")])
            ).shadow)
    }

    private func buildbot() throws -> any ShadowDriver {
        try #require(try makeDriver(master: "/srv/ci").shadow)
    }

    @Test func aServerThatDiedIsAnErrorOfItsJobs() async throws {
        try await withTemporaryDirectory { directory in
            let room = try room(directory.appending("s"))
            let run = try await buildbot().run(ObjectName("builder", "unit"), in: room, limit: .seconds(60))
            #expect(run.outcome == .errored && run.signature == "the server does not answer")
            let report = """
                {"version": "2", "failed": [], "unreadable": [], "nodes": [], "views": [], "written": [], "errors": [],
                "jobs": [{"name": "unit", "buildable": true, "parameterized": false, "builds": 1}]}
                """
            try Files.replace(room.copy.socketDirectory.appending("report.json"), with: Array(report.utf8))
            let other = try await jenkins().run(ObjectName("job", "unit"), in: room, limit: .seconds(60))
            #expect(other.outcome == .errored && other.signature == "the server does not answer")
        }
    }

    @Test func aLinkOfAHostileShadowLeadsToNobody() async throws {
        try await withTemporaryDirectory { directory in
            let room = try room(directory.appending("s"))
            let place = room.copy.socketDirectory
            // Reports as they would be, and the socket of another server of this host.
            let outside = directory.appending("outside")
            try Files.makeDirectory(outside)
            let report = """
                {"version": "2", "failed": [], "unreadable": [], "nodes": [], "views": [], "written": [], "errors": [],
                "jobs": [{"name": "unit", "buildable": true, "parameterized": false, "builds": 1}]}
                """
            try Files.replace(outside.appending("report.json"), with: Array(report.utf8))
            let asked = outside.appending("asked")
            let script = """
                import os, socket, sys
                server = socket.socket(socket.AF_UNIX)
                server.bind(sys.argv[1])
                server.listen(1)
                open(sys.argv[1] + '.ready', 'w').close()
                peer, _ = server.accept()
                open(sys.argv[2], 'w').close()
                peer.recv(65536)
                peer.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n{"masters": [{"active": true}]}')
                """
            let socket = outside.appending("o")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await Program(
                        "python3", ["-c", script, socket.string, asked.string], limit: .seconds(60)
                    ).run()
                }
                try await wait("the server") { try Files.exists(outside.appending("o.ready")) }
                for (name, target) in [
                    (ShadowHooks.report, outside.appending("report.json")), (ShadowHooks.socket, socket),
                    (ShadowConfiguration.socket, socket),
                ] {
                    try Files.makeLink(place.appending(name), to: Array(target.string.utf8))
                }
                for shadow in [try jenkins(), try buildbot()] {
                    let isServing = try await shadow.isServing(in: room)
                    #expect(!isServing)
                }
                let run = try await jenkins().run(ObjectName("job", "unit"), in: room, limit: .seconds(60))
                #expect(run.outcome == .missing)
                #expect(try !Files.exists(asked))
                // The same server by its own name.
                let answer = try await HTTPProbe("http://shadow.invalid", socket: socket).get("/")
                #expect(answer.status == 200)
                #expect(try Files.exists(asked))
                try await group.waitForAll()
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aFileIsReadBelowItsDirectoryAlone() async throws {
        try await withTemporaryDirectory { directory in
            let place = directory.appending("s")
            let outside = directory.appending("outside")
            for path in [place.appending("a"), outside] {
                try Files.makeDirectories(path)
                try Files.replace(path.appending("b"), with: Array("1".utf8))
            }
            try Files.makeLink(place.appending("way"), to: outside.byteArray)
            try Files.makeLink(place.appending("inner"), to: Array("a".utf8))
            try Files.makeLink(place.appending("a/end"), to: outside.appending("b").byteArray)
            try await Program("mkfifo", [place.appending("a/pipe").string]).runSuccessfully()
            #expect(try ShadowCopy.contents("a/b", below: place) == Array("1".utf8))
            for path in ["way/b", "inner/b", "a/end", "a/pipe", "a", "a/none", "none/b", "a/b/c"] {
                #expect(try ShadowCopy.contents(path, below: place) == nil, "\(path)")
            }
        }
    }

    @Test func aLinkInTheHomeOfAHostileShadowIsNotReadAsItsRecord() throws {
        try withTemporaryDirectory { directory in
            var room = try room(directory.appending("s"))
            let home = directory.appending("home")
            try Files.makeDirectory(home)
            room.copy.staged.roots = [
                .init(root: Root(name: "home", path: "/srv/ci"), staged: home, live: nil)
            ]
            let record = "{}"
            let outside = directory.appending("outside")
            try Files.replace(outside, with: Array(record.utf8))
            try Files.makeLink(home.appending(JenkinsShadow.Record.name), to: outside.byteArray)
            #expect(throws: DriverFailure.self) { try jenkins().notCovered(in: room) }
        }
    }

    @Test func jobsThatAreWrittenOtherwiseUseWhatIsChanged() throws {
        try withTemporaryDirectory { directory in
            func room(_ name: String, _ jobs: [(file: String, text: String)]) throws -> DeadRoom {
                let room = try self.room(directory.appending(name))
                for (index, job) in jobs.enumerated() {
                    try Files.replace(
                        room.copy.socketDirectory.appending("written-\(index).xml"),
                        with: Array(job.text.utf8))
                }
                let written = jobs.enumerated().map {
                    "{\"file\": \"\($0.element.file)\", \"copy\": \"written-\($0.offset).xml\"}"
                }.joined(separator: ",")
                let report = """
                    {"version": "2", "failed": [], "unreadable": [], "nodes": [], "views": [], "errors": [],
                    "jobs": [], "written": [\(written)]}
                    """
                try Files.replace(
                    room.copy.socketDirectory.appending("report.json"), with: Array(report.utf8))
                return room
            }
            let one = try room(
                "a",
                [
                    ("config.xml", "1"), ("jobs/a/config.xml", "git@1"),
                    ("jobs/t/jobs/b/config.xml", "git@1"),
                    ("jobs/c/config.xml", "x"),
                ])
            let other = try room(
                "b",
                [
                    ("jobs/c/config.xml", "x"), ("jobs/t/jobs/b/config.xml", "git@2"), ("config.xml", "2"),
                    ("jobs/new/config.xml", "y"),
                ])
            #expect(try jenkins().affectedJobs(in: one, other) == [ObjectName("job", "t/b")])
        }
    }
}
