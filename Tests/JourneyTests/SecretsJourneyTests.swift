import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Secrets of every kind that we know of, in a system of files, Jenkins and Buildbot: none of them gets out.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct SecretsJourneyTests {
    /// Runs the binary so that the arguments and the environment of every program that it starts are kept in `programs`,
    /// and what it says in `said`.
    private func record(_ runner: CommandLineRunner, _ arguments: String..., status: Int32? = 0) async throws
    {
        let outcome = try await runner.run(
            under: [
                "strace", "-f", "-qq", "-v", "-s", "1000000", "-e", "trace=execve", "-A", "-o", "programs",
            ], arguments)
        #expect(
            status == nil || outcome.status == status, "\(arguments): \(outcome.output)\(outcome.errorOutput)"
        )
        let said = runner.directory.appending("said")
        let before = try Files.readIfPresent(said) ?? []
        try Files.replace(said, with: before + Array((outcome.output + outcome.errorOutput).utf8))
    }

    @Test func noneIsInAnyObjectReportArgumentOrEnvironmentAndAllComeBack() async throws {
        try await BuildbotFixture.with { fixture in
            let directory = fixture.directory
            let tac = try Files.read(directory.appending("w1/buildbot.tac"))
            let secrets = try SeededSecret.all(worker: String(decoding: tac, as: UTF8.self))
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            (builder.jobs, builder.builds, builder.plugins) = (1, 1, 2)
            builder.masterKey = "5ca1ab1e0ddba11c0ffee000deadbeef"
            try builder.make()
            for secret in secrets { try secret.plant(below: directory) }
            try Files.replace(directory.appending("tree/open.conf"), with: Array("listen 443;\n".utf8))
            #expect(secrets.count >= 40 && Set(secrets.map(\.kind)).count == secrets.count)
            let runner = try await describe(fixture)
            try await take(runner)
            try await compareAfterRestore(secrets, runner)
            let recovery = try await shell("tail -n 1 recovery.key | tr -d '\\n'", in: directory)
            let needles =
                secrets.map { "\($0.kind)\t\($0.needle)" } + [
                    "the master key of Jenkins\t\(builder.masterKey)", "the recovery key\t\(recovery)",
                ]
            try Files.replace(
                directory.appending("needles"), with: Array(needles.joined(separator: "\n").utf8))
            let found = try await search(directory)
            #expect(found == "", "\(found)")
        }
    }

    /// Files, Jenkins and Buildbot in one system, with a remote.
    private func describe(_ fixture: BuildbotFixture) async throws -> CommandLineRunner {
        let directory = fixture.directory
        let runner = try CommandLineRunner(directory)
        _ = try await shell("mkdir empty; git init -q --bare offsite.git", in: directory)
        try await runner.initialize(
            "empty", "--name", "acme", "--output", "unused.yaml", "--signing-key", "keys/signing")
        let text = """
            system: acme
            store: acme.git
            recipients: [\(try runner.recipient())]
            signers: ["\(try await shell("cut -d' ' -f1,2 keys/signing.pub | tr -d '\\n'", in: directory))"]
            signing-key: \(directory)/keys/signing
            policies: policies
            components:
              tree: {driver: files, paths: [\(directory)/tree]}
              jenkins: {driver: jenkins, home: \(directory)/jenkins}
              ci: {driver: buildbot, master: \(fixture.master), workers: [\(fixture.workers[0])]}

            """
        try Files.replace(directory.appending("understudy.yaml"), with: Array(text.utf8))
        return runner
    }

    /// A day with all commands that read or say anything, and mistakes among them.
    private func take(_ runner: CommandLineRunner) async throws {
        let directory = runner.directory
        try await record(runner, "remote", "add", "offsite", "\(directory)/offsite.git")
        try await record(runner, "--verbose", "snapshot")
        _ = try await shell(
            "for f in tree/app.yaml jenkins/jobs/target/config.xml master/mail.py; do echo '# changed' >>$f; done",
            in: directory)
        for command in ["diff", "status", "doctor"] {
            try await record(runner, "--verbose", command, status: nil)
        }
        try await record(runner, "--verbose", "snapshot")
        try await record(runner, "--format", "json", "show", "latest")
        try await record(runner, "log")
        try await record(runner, "diff", "latest~1", "latest", "--raw")
        try await record(runner, "verify", "--all", "--identity", "recovery.key")
        try await record(runner, "key", "check")
        try await record(runner, "push")
        try await record(runner, "export", "latest", "acme.tar.zst")
        _ = try await shell("age-keygen -o wrong.key 2>/dev/null", in: directory)
        try await record(runner, "restore", "--identity", "wrong.key", status: 12)
        try await record(runner, "restore", "--identity", "tree/app.yaml", status: 64)
    }

    /// Everything is lost and comes back as it was at the first snapshot.
    private func compareAfterRestore(_ secrets: [SeededSecret], _ runner: CommandLineRunner) async throws {
        _ = try await shell("rm -r tree jenkins master w1", in: runner.directory)
        try await record(runner, "--verbose", "restore", "latest~1", "--no-start")
        for secret in secrets {
            let file = runner.directory.pushing(FilePath(secret.path))
            #expect(try Files.readIfPresent(file) == secret.contents, "\(secret.kind)")
        }
    }

    /// The kinds that are found, and where: raw, in hex, as an address spells it, and in base 64 wherever it stands in a
    /// longer text; in every object here and on the remote, in the exported file, in what was said, and in what every
    /// program was called with and found in its environment.
    private func search(_ directory: FilePath) async throws -> String {
        let script = #"""
            import base64, subprocess, urllib.parse
            def objects(store):
                return subprocess.run(['git', '-C', store, 'cat-file', '--batch-all-objects', '--batch'], check=True, capture_output=True).stdout
            subprocess.run('mkdir shelf; tar --zstd -xf acme.tar.zst -C shelf', shell=True, check=True)
            places = {'object': objects('acme.git'), 'object on the remote': objects('offsite.git'),
                      'object of the file': objects('shelf/acme.git'), 'output': open('said', 'rb').read(),
                      'program': open('programs', 'rb').read()}
            # What must be found, or else nothing was looked through.
            assert b'listen 443;' in places['object'] and b'"git"' in places['program'] and b'LC_ALL=' in places['program']
            assert b'snapshot ' in places['output'] and len(places['object of the file']) > 10000
            def spellings(s):
                yield s; yield s.hex().encode(); yield s.hex().upper().encode()
                yield urllib.parse.quote(s, safe='').encode()
                for encode in base64.b64encode, base64.urlsafe_b64encode:
                    for skip in range(3):
                        yield encode(b'\0' * skip + s)[skip + 1:-4]
            for line in open('needles').read().split('\n'):
                kind, needle = line.split('\t')
                for spelling in spellings(needle.strip().encode()):
                    for place, text in places.items():
                        if spelling in text: print(f'{kind} is in an {place}: {spelling}')
            """#
        try Files.replace(directory.appending("search.py"), with: Array(script.utf8))
        return try await shell("python3 search.py", in: directory)
    }
}
