import FileTree
import Foundation
import Judge
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What is made of jobs of shadows whose servers wrote reports, or died.
@Suite struct ShadowJobsTests {
    /// A room in which nothing runs.
    private struct DeadRoom: ShadowRoom {
        var copy: ShadowCopy
        var isServerRunning: Bool { false }
        func run(_ program: Program) async throws -> Program.Outcome { try await program.run() }
        func install(_ program: Program) async throws -> Program.Outcome { try await program.run() }
        func log() throws -> String { "" }
    }

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
