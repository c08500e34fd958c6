import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What a change asks pip for, on this host and outside of every sandbox.
@Suite struct BuildbotPackagesTests {
    @Test func whatIsNoNameAndNoVersionIsRefused() throws {
        #expect(
            try BuildbotShadow.requirement("zope.interface", "5.0!1rc1+ours_1")
                == "zope.interface==5.0!1rc1+ours_1")
        for name in [
            "x @ git+https://example.org/x#", "-egit+https://example.org/x#egg=x", "--log=/etc/x", "/srv/x",
            "x[y]", ".x", "",
        ] {
            #expect(throws: DriverFailure.self, "\(name)") { _ = try BuildbotShadow.requirement(name, "1.0") }
            #expect(throws: DriverFailure.self, "\(name)") { _ = try BuildbotShadow.plainName(name) }
        }
        #expect(throws: DriverFailure.self) { _ = try BuildbotShadow.requirement("x", "1.0 @ file:///srv/x") }
    }

    /// A dependency may be the address of a source.
    @Test func aPipThatBuildsNothingStartsItselfAlone() async throws {
        try await withTemporaryDirectory { directory in
            try Files.replace(
                directory.appending("sitecustomize.py"), with: Array(BuildbotShadow.buildsNothing.utf8))
            let script = "import subprocess, sys; subprocess.run([sys.argv[1]], check=True)"
            func start(_ program: String, own: String) async throws -> Program.Outcome {
                try await Program(
                    "/usr/bin/python3", ["-c", script, program],
                    environment: ["PYTHONPATH": directory.string, "UNDERSTUDY_PYTHON": own]
                ).run()
            }
            #expect(try await start("/bin/true", own: "/bin/true").status == 0)
            for (program, own) in [("/bin/true", "/bin/false"), ("/usr/bin/python3", "/usr/bin/python3")] {
                let outcome = try await start(program, own: own)
                #expect(outcome.status == 1, "\(program)")
                #expect(outcome.errorOutput.contains("would have to be built"), "\(outcome.errorOutput)")
            }
        }
    }
}
