import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// A server behind a proxy, which answers in its place.
@Suite struct ProxyTests {
    private func jenkins(_ url: String) throws -> JenkinsLifecycle {
        let component = Component(
            name: "ci", driver: "jenkins", settings: ["service": .map(["start": "true", "stop": "true"])])
        return JenkinsLifecycle(
            service: try #require(try ServiceCommands(component)), home: "/nowhere", url: url, hasWar: false)
    }

    @Test func aJenkinsBehindAProxyThatSaysSoDoesNotRun() async throws {
        try await WebServer.with(.always(502, "Bad Gateway")) { server in
            let jenkins = try jenkins(server.url)
            #expect(try await !jenkins.isRunning())
            try await jenkins.stop()
            let captured = CapturedComponent(name: "ci", driver: "jenkins", version: nil, roots: [])
            #expect(try await jenkins.obstacles(to: captured).isEmpty)
            let failure = await #expect(throws: DriverFailure.self) {
                try await jenkins.waitUntilReady(limit: .milliseconds(100))
            }
            #expect(failure?.description.contains("status 502") == true)
        }
    }

    @Test(arguments: [
        (200, "", true), (403, "", true), (500, "", true), (502, "", false), (504, "", false),
        (503, "<title>Service Unavailable</title>", false), (503, "Please wait while Jenkins is", true),
    ]) func onlyAProxysOwnWordsAreNoAnswerOfJenkins(_ status: Int, _ body: String, _ isOwn: Bool) {
        #expect(JenkinsLifecycle.isOwn(.init(status: status, body: body)) == isOwn)
    }

    @Test(
        arguments: [
            (6, false, false), (7, false, false), (28, false, false), (28, true, true), (52, true, true),
            (56, true, true), (18, true, true), (35, true, nil), (60, true, nil), (3, false, nil),
        ] as [(Int32, Bool, Bool?)]
    ) func aHostThatIsGoneServesNothing(_ code: Int32, _ isConnected: Bool, _ isServed: Bool?) {
        let failure = HTTPFailure(address: "", code: code, message: "", isConnected: isConnected)
        #expect(failure.isServed == isServed)
    }

    @Test func whatCurlSaysHasNoEndOfALine() async throws {
        let failure = await #expect(throws: HTTPFailure.self) {
            try await HTTPProbe("http://no.invalid").get("/", attempts: 1)
        }
        #expect(failure?.message.isEmpty == false)
        #expect(failure?.message.contains(where: \.isNewline) == false)
    }

    @Test func nothingRunsAtANameThatIsNone() async throws {
        let jenkins = try jenkins("http://no.invalid")
        #expect(try await !jenkins.isRunning())
        let captured = CapturedComponent(name: "ci", driver: "jenkins", version: nil, roots: [])
        #expect(try await jenkins.obstacles(to: captured).isEmpty)
        // What is no address tells nothing.
        let failure = await #expect(throws: DriverFailure.self) {
            try await HTTPProbe("ftp://no.invalid").isAnswered()
        }
        #expect(failure?.description.contains("ftp://no.invalid") == true)
    }

    /// One connection waits to be taken, and one is dropped when the queue is full: by a host that is gone, each is.
    @Test func aServerThatIsSlowRunsAndOneThatDropsDoesNot() async throws {
        try await withTemporaryDirectory { directory in
            let server = """
                import socket, time
                s = socket.socket()
                s.bind(("127.0.0.1", 0))
                s.listen(0)
                print(s.getsockname()[1], flush=True)
                time.sleep(600)
                """
            let script =
                "python3 -c '\(server)' >port 2>/dev/null & echo $! >pid; until test -s port; do sleep 0.05; done"
            try await shell(script, in: directory)
            let port = String(decoding: try Files.read(directory.appending("port")), as: UTF8.self)
            let probe = HTTPProbe("http://127.0.0.1:\(port.prefix { $0 != "\n" })")
            let ending = Program("/bin/bash", ["-c", "kill $(cat pid)"], directory: directory)
            do {
                #expect(try await probe.isAnswered())
                // Whoever went away again still waits in the queue, which is full with one.
                #expect(try await !probe.isAnswered())
            } catch {
                try await ending.runSuccessfully()
                throw error
            }
            try await ending.runSuccessfully()
        }
    }

    /// Whoever waits for a master takes this for no answer yet.
    @Test func aMasterBehindAProxyHasNotAnswered() async throws {
        try await WebServer.with(.always(502, "Bad Gateway")) { server in
            let failure = await #expect(throws: HTTPFailure.self) {
                try await BuildbotREST(probe: HTTPProbe(server.url)).masters()
            }
            #expect(failure?.description.contains("status 502") == true)
        }
        try await WebServer.with(.always(404, "")) { server in
            _ = await #expect(throws: DriverFailure.self) {
                try await BuildbotREST(probe: HTTPProbe(server.url)).masters()
            }
        }
    }
}
