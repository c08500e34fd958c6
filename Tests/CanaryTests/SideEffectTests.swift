import FileTree
import Foundation
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

/// A production that reaches out in every way that a master can, of which a canary must let nothing happen.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct SideEffectTests {
    private struct Document: Decodable { var verdict: Verdict }

    /// Secrets where production keeps them: a file, a literal, a worker's password, the text of a log.
    private static let tokens = ["q7RzK2mWx9Lp", "hT5vN8cYb3Ds", "Zk4PwJ6gQ1fX", "mB9sV2tHn7Rk"]

    @Test func nothingLeavesAShadowAndNoSecretIsInIt() async throws {
        try await CanaryProduction.with(prepare: prepare) { production in
            let directory = production.fixture.directory
            let counter = directory.appending("connections")
            let policy = """
                stages: [static, boot, probes]
                probes: {names: [reach], usingChange: false, mostUsed: 0, atMost: 1}
                looks: [{runs: 4, alpha: 0.05}]
                margin: 10
                floor: 60s
                """
            let change = try production.changed(["jobs/notes.txt": "nothing that matters\n"])
            let outcome = try await production.canary(rules: policy, ["--files", change.string])
            let verdict = try JSONDecoder().decode(Document.self, from: Data(outcome.document.utf8)).verdict
            // The build itself looks for a way out and for the secrets, and fails when it finds one.
            #expect(verdict.result == .pass, "\(verdict.headline) \(outcome.errors)")
            try #expect(Files.readIfPresent(counter) == nil)
            let cut = Set(verdict.notCovered.map(\.object.name))
            for name in [
                "HttpStatusPush", "MailNotifier", "GitPoller", "Nightly every-minute",
                "www change_hook_dialects",
            ] {
                #expect(cut.contains { $0.hasPrefix(name) }, "\(name): \(cut)")
            }

            // The same look from outside finds all of it: it can see what it is to see.
            let arguments = try Files.read(directory.appending("reach-arguments"))
                .split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
            let look = try await Program("/usr/bin/python3", arguments).run()
            #expect(look.status == 1)
            #expect(look.output.split(separator: "\n").count { $0.hasPrefix("connected") } == 2)
            for number in Self.tokens.indices {
                #expect(look.output.contains("word \(number) as it is in"), "\(number)")
            }
            #expect(look.output.contains("word 0 in base64 in"))
            try #expect(Files.readIfPresent(counter)?.split(separator: UInt8(ascii: "\n")).count == 2)
        }
    }

    private func prepare(_ fixture: BuildbotFixture) async throws {
        let directory = fixture.directory
        let fixtures = BuildbotFixture.templates
        let (socket, ready) = (directory.appending("host.sock"), directory.appending("ports"))
        try await Program(
            "/usr/bin/python3",
            [
                fixtures.appending("sinks.py").string, directory.appending("connections").string,
                socket.string,
                ready.string,
            ], directory: directory
        ).runSuccessfully()
        let ports = String(decoding: try Files.read(ready), as: UTF8.self).split { $0 == " " || $0 == "\n" }
        let master = fixture.master
        try Files.replace(master.appending("reach.py"), with: try Files.read(fixtures.appending("reach.py")))
        try Files.replace(
            master.appending("secrets/upload"), with: Array("\(Self.tokens[0])\n".utf8), mode: 0o600)
        try Files.replace(
            fixture.workers[0].appending("info/admin"), with: Array("password = '\(Self.tokens[2])'\n".utf8))
        try await Program(
            "/usr/bin/python3",
            [
                "-c",
                """
                import sqlite3, sys
                with sqlite3.connect(sys.argv[1]) as database:
                    database.execute('PRAGMA foreign_keys = OFF')
                    database.execute('INSERT INTO logchunks (logid, first_line, last_line, content, compressed)'
                        ' VALUES (1, 0, 0, ?, 0)', ('token ' + sys.argv[2],))
                """, master.appending("state.sqlite").string, Self.tokens[3],
            ]
        ).runSuccessfully()
        let spelled = Self.tokens.map { String($0.reversed()) }
        let look = [String(ports[2]), socket.string]
        let text = String(decoding: try Files.read(master.appending("master.cfg")), as: UTF8.self)
        let encoded = Data("ci:\(Self.tokens[0])".utf8).base64EncodedString()
        let reaching = """

            from buildbot.plugins import reporters, steps
            c['services'] = [
                reporters.HttpStatusPush('http://127.0.0.1:\(ports[0])/', headers={'Authorization': 'Basic \(encoded)'}),
                reporters.MailNotifier(
                    fromaddr='ci@acme.test', relayhost='127.0.0.1', smtpPort=\(ports[1]), smtpUser='ci',
                    smtpPassword='\(Self.tokens[1])', extraRecipients=['all@acme.test']),
            ]
            c['change_source'].append(changes.GitPoller(
                repourl='http://127.0.0.1:\(ports[0])/x.git', branches=['main'], pollInterval=1, pollAtLaunch=True,
                workdir='second-poller'))
            c['schedulers'].append(schedulers.Nightly(name='every-minute', builderNames=['reach']))
            c['www']['change_hook_dialects'] = {'base': True}
            spare_password = '\(Self.tokens[2])'
            c['builders'].append(util.BuilderConfig(name='reach', workernames=[c['workers'][0].name],
                factory=util.BuildFactory([steps.ShellCommand(name='reach', command=[
                    '/usr/bin/python3', os.path.join(basedir, 'reach.py'), \((look + ["/"] + spelled).map { "'\($0)'" }.joined(separator: ", "))])])))

            """
        try Files.replace(master.appending("master.cfg"), with: Array((text + reaching).utf8))
        let arguments = [master.appending("reach.py").string] + look + [directory.string] + spelled
        try Files.replace(
            directory.appending("reach-arguments"), with: Array(arguments.joined(separator: "\n").utf8))
    }
}
