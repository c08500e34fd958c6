import Drivers
import FileTree
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// The lifecycle against a web server that answers as Jenkins does where it is asked.
@Suite struct JenkinsLifecycleTests {
    @Test(arguments: ["", "/"])
    func aServerIsStartedFoundReadyAndStopped(end: String) async throws {
        try await withTemporaryDirectory { directory in
            try Files.replace(directory.appending("login"), with: Array("Sign in\n".utf8))
            let port = try #require(try await BuildbotFixture.freePorts(1).first)
            let start = """
                cd '\(directory)'; setsid /usr/bin/python3 -m http.server --bind 127.0.0.1 \(port) </dev/null >log 2>&1 &
                echo $! > '\(directory)/pid'
                """
            let stop = "kill $(cat '\(directory)/pid'); rm '\(directory)/pid'"
            let driver = try JenkinsDriver(
                Component(
                    name: "jenkins", driver: "jenkins",
                    settings: [
                        "home": .text(directory.string), "url": .text("http://127.0.0.1:\(port)\(end)"),
                        "service": .map(["start": start, "stop": stop]),
                    ]))
            let lifecycle = try #require(driver.lifecycle)
            #expect(try await !lifecycle.isRunning())
            try await lifecycle.start()
            do {
                try await lifecycle.waitUntilReady(limit: .seconds(60))
                #expect(try await lifecycle.isRunning())
                #expect(try await lifecycle.problems().isEmpty)
                let captured = CapturedComponent(name: "jenkins", driver: "jenkins", version: nil, roots: [])
                #expect(
                    try await lifecycle.obstacles(to: captured).contains {
                        $0.reason.hasPrefix("something answers at")
                    })
                try Files.remove(directory.appending("login"))
                #expect(
                    try await lifecycle.problems() == ["http://127.0.0.1:\(port)\(end) answers 404 to /login"]
                )
            } catch {
                try await lifecycle.stop()
                throw error
            }
            try await lifecycle.stop()
            #expect(try await !lifecycle.isRunning())
        }
    }
}
