import FileTree
import Judge
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// Builds that production is asked for, of a web server that answers as Buildbot does.
@Suite struct BuildbotBuildTests {
    /// Answers each path as `answers` has it, but 502, as a proxy does, to the first question of each of these kinds.
    private func handler(refusing paths: String) -> String {
        """
        import json
        answers = {
            'builders': {'builders': [{'builderid': 3, 'name': 'probe', 'masterids': [1]}]},
            'forceschedulers': {'forceschedulers': [{'name': 'force', 'builder_names': ['probe'], 'enabled': True}]},
            'buildrequests': {'buildrequests': [{'complete': True, 'results': 0}]},
            'builds': {'builds': [{'number': 1, 'results': 0, 'started_at': 5, 'complete_at': 7, 'state_string': ''}]},
        }
        refused = '\(paths)'.split()
        class Handler(Base):
            def do_GET(self):
                kind = self.path.split('/')[3].split('?')[0]
                if kind in refused:
                    refused.remove(kind)
                    return self.answer(502)
                self.answer(200, json.dumps(answers[kind]).encode())
            def do_POST(self):
                self.posted()
                with open('posted', 'a') as f: f.write('x')
                if 'post' in refused: return self.answer(502)
                self.answer(200, json.dumps({'result': [1, {'3': 7}]}).encode())
        """
    }

    private func build(refusing paths: String, in directory: FilePath) async throws -> JobRun {
        try await WebServer.with(.handler(handler(refusing: paths), in: directory)) { server in
            let driver = try BuildbotDriver(
                Component(
                    name: "ci", driver: "buildbot",
                    settings: ["master": .text(directory.string), "url": .text(server.url)]))
            let shadow = try #require(driver.shadow)
            return try await shadow.build("probe", limit: .seconds(60))
        }
    }

    /// A breach would take a change back that is well.
    @Test(arguments: ["builders", "forceschedulers", "buildrequests builds"])
    func oneAnswerThatIsNoneIsAskedForAgain(_ paths: String) async throws {
        try await withTemporaryDirectory { directory in
            let run = try await build(refusing: paths, in: directory)
            #expect(run.outcome == .passed)
            #expect(run.seconds == 2)
            #expect(try Files.read(directory.appending("posted")) == Array("x".utf8))
        }
    }

    /// It may have been begun, with all its effects.
    @Test(arguments: ["post", "builders builders"])
    func whatIsBegunIsBegunOnceAndTwoAnswersThatAreNoneAreAFailure(_ paths: String) async throws {
        try await withTemporaryDirectory { directory in
            await #expect(throws: (any Error).self) {
                _ = try await build(refusing: paths, in: directory)
            }
            let posted = try Files.readIfPresent(directory.appending("posted")) ?? []
            #expect(posted.count == (paths == "post" ? 1 : 0))
        }
    }
}
