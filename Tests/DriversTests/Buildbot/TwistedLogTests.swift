import Judge
import Testing

@testable import Drivers

/// What is told of a log of Twisted when a server did not start.
@Suite struct TwistedLogTests {
    private static let head = "2026-11-29 09:00:00+0000 [-] "
    /// A start before, which failed for another reason.
    private static let earlier =
        head + "Loading buildbot.tac...\n\tTraceback (most recent call last):\n\tbuiltins.KeyError: 'old'\n"
    private static let end =
        [
            "BuildMaster startup failed", "BuildMaster is stopped", "Main loop terminated.",
            "Server Shut Down.",
        ].map { head + $0 + "\n" }.joined()

    @Test(arguments: [
        (
            "while starting BuildMaster\n\tTraceback (most recent call last):\n\t  File \"x.py\", line 1, in y\n\t    z\n"
                + "\t--- <exception caught here> ---\n\t  File \"x.py\", line 2, in y\n"
                + "\ttwisted.internet.error.CannotListenError: Couldn't listen on any:8010: [Errno 98] Address already in use.\n\t\n",
            "twisted.internet.error.CannotListenError: Couldn't listen on any:8010: [Errno 98] Address already in use."
        ),
        (
            "Configuration Errors:\n2026-11-29 09:00:00+0000 [-]   builder 'a' has no worker\n"
                + "2026-11-29 09:00:00+0000 [-] Halting master.\n",
            "builder 'a' has no worker"
        ),
        (
            "it says nothing\n",
            "BuildMaster startup failed; BuildMaster is stopped; Main loop terminated.; Server Shut Down."
        ),
    ])
    func theCauseIsTold(_ said: String, _ words: String) {
        let start = Self.head + "Loading buildbot.tac...\n" + Self.head
        #expect(TwistedLog.lastWords(Self.earlier + start + said + Self.end) == words)
    }

    @Test func aTracebackOfCheckconfigIsOneError() {
        let output = """
            Configuration Errors:
              encountered a SyntaxError while parsing config file:
            Traceback (most recent call last):
              File "/srv/environment/buildbot/config/master.py", line 103, in loadConfigDict
                execfile(filename, localDict)
              File "/srv/master/master.cfg", line 1
                syntax error(
                            ^
            SyntaxError: '(' was never closed
             

              builder 'a' has no worker

            """
        #expect(
            TwistedLog.configurationErrors(output) == [
                "encountered a SyntaxError while parsing config file: SyntaxError: '(' was never closed",
                "builder 'a' has no worker",
            ])
        #expect(TwistedLog.configurationErrors("python: not found\n").isEmpty)
    }

    @Test func theMarkOfACaughtExceptionIsNoException() {
        let log =
            "\tTraceback (most recent call last):\n\t--- <exception caught here> ---\n\t  File \"x.py\", line 2, in y\n"
            + "\tbuiltins.ValueError: no\n"
        #expect(TwistedLog(log).complaints.map(\.detail) == ["builtins.ValueError: no"])
    }
}
