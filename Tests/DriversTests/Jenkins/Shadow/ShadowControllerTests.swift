import FileTree
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What is read of a shadow's answers, its log and its rewritten files.
@Suite struct ShadowControllerTests {
    @Test func versionsOfJavaAreReadInBothSpellings() {
        #expect(JavaRuntime.version(in: "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime") == 17)
        #expect(JavaRuntime.version(in: "java version \"1.8.0_402\"") == 8)
        #expect(JavaRuntime.version(in: "openjdk version \"21\" 2023-09-19") == 21)
        #expect(JavaRuntime.version(in: "no such thing") == nil)
    }

    /// A core that is changed may run on another Java than production's.
    @Test func everyJavaOfThisHostIsInASandbox() {
        let programs = [
            "/usr/lib/jvm/java-17/bin/java", "/opt/jdk-21/bin/java", "/usr/local/jdk/bin/java",
            "/opt/jdk-21/bin/java", "/bin/java", "/usr/local/bin/java", "/usr/local/lib/jdk/bin/java",
        ].map { JavaRuntime(path: FilePath($0)) }
        #expect(JavaRuntime.places(of: programs) == ["/opt/jdk-21", "/usr/local/jdk"])
    }

    @Test func jobsAreAddressedThroughTheirFolders() {
        #expect(JenkinsShadow.address(ofJob: "team/deploy") == "/job/team/job/deploy")
        // A branch's name is encoded once already.
        #expect(JenkinsShadow.address(ofJob: "s/feature%2Fx y") == "/job/s/job/feature%252Fx%20y")
        #expect(JenkinsShadow.address(ofJob: "é?") == "/job/%C3%A9%3F")
        #expect(JenkinsShadow.queueItem("http://shadow.invalid/queue/item/12/") == 12)
        #expect(JenkinsShadow.queueItem("http://shadow.invalid/job/x/") == nil)
    }

    /// A server that answers one request as Jenkins answers a request for a build.
    private static let server = """
        import http.server, os, socketserver, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def address_string(self): return ''
            def log_message(self, *words): pass
            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                self.send_response(201)
                self.send_header('Location', 'http://shadow.invalid/queue/item/12/')
                self.end_headers()
                self.wfile.write(self.headers['Authorization'].encode() + b' asked for ' + self.path.encode())
        with socketserver.UnixStreamServer(sys.argv[1] + '.new', Handler) as server:
            os.rename(sys.argv[1] + '.new', sys.argv[1])
            server.handle_request()
        """

    @Test func whereABuildCanBeWatchedIsReadOffTheAnswer() async throws {
        let directory = try ScratchDirectory()
        let socket = directory.appending("s")
        async let ended = Program(
            "/usr/bin/python3", ["-c", Self.server, socket.string], limit: .seconds(60)
        ).runSuccessfully()
        try await wait("the server") { try Files.exists(socket) }
        let probe = HTTPProbe(
            "http://shadow.invalid", socket: socket, headers: ["Authorization: Basic eA=="],
            limit: .seconds(30))
        let (answer, location) = try await probe.begin("/job/x/build?delay=0sec")
        #expect(answer.status == 201)
        #expect(answer.body == "Basic eA== asked for /job/x/build?delay=0sec")
        #expect(location.flatMap(JenkinsShadow.queueItem) == 12)
        _ = try await ended
    }

    @Test func aFailedBuildIsKnownByItsError() {
        let one = "Started by user\nERROR: script returned exit code 1 after 12 ms\nFinished: FAILURE\n"
        let other = "Started by user\nERROR: script returned exit code 1 after 99 ms\nFinished: FAILURE\n"
        #expect(
            JenkinsShadow.signature(ofConsole: one) == JenkinsShadow.signature(ofConsole: other))
        #expect(JenkinsShadow.signature(ofConsole: "make: no rule\nFinished: FAILURE\n") == "make: no rule")
    }

    @Test func theLogsComplaintsAreSaidOnceAndWithoutTimes() {
        let log = """
            2026-01-01 12:00:00.123+0000 [id=31]\tSEVERE\tjenkins.InitReactorRunner$1#onTaskFailed: Failed Loading plugin X
            2026-01-01 12:00:01.456+0000 [id=32]\tSEVERE\tjenkins.InitReactorRunner$1#onTaskFailed: Failed Loading plugin X
            2026-01-01 12:00:02.000+0000 [id=33]\tINFO\thudson.WebAppMain$3#run: Jenkins is fully up and running
            java.io.IOException: not a line of the log
            2026-01-01 12:00:03.000+0000 [id=33]\tWARNING\thudson.Foo#bar: look

            """
        let complaints = JenkinsLog(log).complaints
        #expect(complaints.map(\.kind) == ["log-error", "log-warning"])
        #expect(complaints.map(\.object.name) == ["jenkins.InitReactorRunner$1", "hudson.Foo"])
        #expect(complaints.first?.detail == "Failed Loading plugin X")
    }

    @Test func whatASaveWouldLoseIsFoundAndWhatItOnlySpellsOtherwiseIsNot() throws {
        let file = Array(
            "<?xml version='1.1'?><project plugin=\"a@1\"><builders><acme.Step><x>1</x></acme.Step><b/></builders></project>"
                .utf8)
        let same = Array(
            "<?xml version='1.1'?>\n<project plugin=\"a@2\">\n  <builders><b/><acme.Step>\n<x>1</x></acme.Step></builders><new/>\n</project>"
                .utf8)
        let less = Array("<project><builders><b/></builders></project>".utf8)
        #expect(try #require(RewrittenConfiguration(file: file, written: same)).observation(of: "f") == nil)
        let loss = try #require(RewrittenConfiguration(file: file, written: less)).observation(of: "f")
        #expect(loss?.detail == "not written again: project/builders/acme.Step")
        #expect(loss?.object == ObjectName("file", "f"))
        #expect(RewrittenConfiguration(file: file, written: Array("<a>".utf8)) == nil)
    }

    /// The report as Groovy's `JsonOutput` writes it.
    @Test func theReportOfTheFirstScriptIsRead() throws {
        let directory = try ScratchDirectory()
        #expect(try ShadowHooks.report(in: directory.path) == nil)
        let text = """
            {"version":"2.462.3","failed":[{"name":"x","reason":"boo"}],"unreadable":[],"jobs":[{"name":"a/b",\
            "buildable":true,"parameterized":false,"builds":3}],"nodes":[],"views":["all"],\
            "written":[{"file":"jobs/a/config.xml","copy":"written-0.xml"}],"errors":[]}
            """
        try Files.replace(directory.appending("report.json"), with: Array(text.utf8))
        let report = try #require(try ShadowHooks.report(in: directory.path))
        #expect(report.jobs.first?.builds == 3)
        #expect(report.failed.first?.reason == "boo")
    }

    /// Production's scripts may be a link to where production's administrator keeps them.
    @Test func scriptsAreNeverWrittenThroughALink() throws {
        let directory = try ScratchDirectory()
        let (home, outside) = (directory.appending("home"), directory.appending("outside"))
        try Files.makeDirectory(home)
        try Files.makeDirectory(outside)
        try Files.makeLink(home.appending("init.groovy.d"), to: outside.byteArray)
        try ShadowHooks.write(to: home)
        #expect(try Files.names(outside).isEmpty)
        #expect(try Files.exists(home.appending("init.groovy.d/zzz-understudy.groovy")))
        #expect(try Files.exists(home.appending("boot-failure.groovy.d/zzz-understudy.groovy")))
    }
}
