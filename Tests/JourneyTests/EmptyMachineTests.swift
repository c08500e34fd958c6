import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// A real Buildbot, with its Python environment, comes up on a machine that has nothing but the binary and a copy.
@Suite(.enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct EmptyMachineTests {
    /// A Buildbot with two builds behind it, a copy of its store in `copy.git` and one file with all of it.
    private func start(_ fixture: BuildbotFixture) async throws {
        try await fixture.start()
        for _ in 0..<2 { #expect(try await fixture.build("probe") == 0) }
        let directory = fixture.directory
        let runner = try CommandLineRunner(directory)
        try Files.makeDirectory(directory.appending("empty"))
        try await runner.initialize(
            "empty", "--name", "acme", "--store", "acme.git", "--output", "unused.yaml")
        let text = """
            system: acme
            store: \(directory)/acme.git
            recipients: [\(try runner.recipient())]
            \(fixture.components)
            """
        try Files.replace(directory.appending("understudy.yaml"), with: Array(text.utf8))
        try await runner.succeed("snapshot")
        try await runner.succeed("export", "latest", "acme.tar.zst")
        try await fixture.stop()
        _ = try await shell("git clone --quiet --mirror acme.git copy.git", in: directory)
    }

    /// What is done on the empty machine: one command, and then questions to the Buildbot that it started.
    private func script(from source: String, _ fixture: BuildbotFixture) -> String {
        """
        test ! -e \(fixture.directory) && test ! -e \(fixture.environment)
        understudy restore --from \(source) --identity /media/recovery.key
        python3 - \(fixture.url) <<'END'
        import json, sys, time, urllib.request as web
        def ask(path, body=None):
            request = web.Request(sys.argv[1] + 'api/v2/' + path, body and json.dumps(body).encode(), {'Content-Type': 'application/json'})
            return json.load(web.urlopen(request, timeout=10))
        def builds(): return [(b['number'], b['results']) for b in ask('builders/probe/builds?complete=true&order=number')['builds']]
        print('had', builds())
        ask('forceschedulers/force', {'jsonrpc': '2.0', 'id': 1, 'method': 'force', 'params': {'builderNames': ['probe'], 'reason': 'alive', 'seconds': '0'}})
        deadline = time.time() + 60
        while len(builds()) < 3 and time.time() < deadline: time.sleep(0.1)
        print('has', builds())
        END
        """
    }

    private func expectBuildbot(_ outcome: Program.Outcome) {
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
        for words in [
            "started and healthy: ci", "proven", "had [(1, 0), (2, 0)]", "has [(1, 0), (2, 0), (3, 0)]",
        ] {
            #expect(outcome.output.contains(words), "\(outcome.output)\(outcome.errorOutput)")
        }
    }

    @Test func aCopyAFileAndAVaultEachBringItBackWithItsHistory() async throws {
        try await BuildbotFixture.with { fixture in
            try await start(fixture)
            let directory = fixture.directory
            let key = (here: directory.appending("recovery.key"), there: FilePath("/media/recovery.key"))
            let copy = directory.appending("copy.git")
            let file = directory.appending("acme.tar.zst")
            let ssh = try await makeVault(directory)
            func machine(_ here: FilePath, _ there: FilePath) throws -> EmptyMachine {
                try EmptyMachine(directory, media: [key, (here, there)])
            }
            // One after the other: each keeps both processors busy.
            let fromCopy = try await machine(copy, "/media/copy.git").run(
                script(from: "/media/copy.git", fixture))
            expectBuildbot(fromCopy)
            let fromFile = try await machine(file, "/media/acme.tar.zst").run(
                script(from: "/media/acme.tar.zst", fixture))
            expectBuildbot(fromFile)
            let fromVault = try await machine(ssh, "/root/.ssh").run(
                script(from: "ssh://vault\(copy)", fixture),
                after: "/usr/sbin/sshd -f $PWD/vault/sshd_config -E $PWD/vault/log")
            expectBuildbot(fromVault)
            #expect(
                try await shell("cat vault/log", in: directory).contains("Accepted publickey"),
                "it came by ssh")
        }
    }

    /// A server of ssh with keys of its own, for whoever runs this; and what its client has in `~/.ssh`.
    private func makeVault(_ directory: FilePath) async throws -> FilePath {
        _ = try await shell(
            """
            mkdir -m 700 vault ssh; ssh-keygen -q -t ed25519 -N '' -f vault/host; ssh-keygen -q -t ed25519 -N '' -f ssh/id_ed25519
            cp ssh/id_ed25519.pub vault/authorized
            cat >vault/sshd_config <<END
            ListenAddress 127.0.0.1
            Port 2222
            HostKey $PWD/vault/host
            AuthorizedKeysFile $PWD/vault/authorized
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            PermitRootLogin prohibit-password
            PidFile none
            END
            echo "[127.0.0.1]:2222 $(cut -d' ' -f1,2 vault/host.pub)" >ssh/known_hosts
            printf 'Host vault\\n  HostName 127.0.0.1\\n  Port 2222\\n  User %s\\n  ConnectionAttempts 30\\n' "$(id -un)" >ssh/config
            """, in: directory)
        return directory.appending("ssh")
    }
}

/// What an empty machine lacks is said at once.
@Suite struct PreflightTests {
    /// A Jenkins that systemd starts with a Java of the host, its unit, and files of somebody; of it a copy of the store.
    private func start(_ directory: FilePath) async throws -> EmptyMachine {
        var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
        (builder.jobs, builder.builds, builder.plugins) = (1, 1, 2)
        try builder.make()
        try JenkinsHomeBuilder.writeWar("2.462.3", to: directory.appending("jenkins.war"))
        _ = try await shell(
            "mkdir units www; echo '[Service]' >units/jenkins.service; echo x >www/x", in: directory)
        if Accounts.ownNumbers.user == 0 { _ = try await shell("chown games:games www/x", in: directory) }
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("www", "--name", "acme", "--output", "unused.yaml", "--store", "acme.git")
        let text = """
            system: acme
            store: \(directory)/acme.git
            recipients: [\(try runner.recipient())]
            components:
              jenkins:
                driver: jenkins
                home: \(directory)/jenkins
                war: \(directory)/jenkins.war
                url: http://127.0.0.1:18080/
                service: {systemd: jenkins}
              proxy: {driver: files, paths: [\(directory)/www]}
              units: {driver: files, paths: [\(directory)/units]}

            """
        try Files.replace(directory.appending("understudy.yaml"), with: Array(text.utf8))
        try await runner.succeed("snapshot")
        let media = [("recovery.key", "/media/recovery.key"), ("acme.git", "/media/copy.git")]
        return try EmptyMachine(
            directory, media: media.map { (here: directory.appending($0.0), there: FilePath($0.1)) })
    }

    @Test func javaUnitsAndOwnersThatAreMissingAreSaidTogether() async throws {
        try await withTemporaryDirectory { directory in
            let machine = try await start(directory)
            let restore = "understudy restore --from /media/copy.git --identity /media/recovery.key"
            let refused = try await machine.run(restore)
            #expect(refused.status == 7, "\(refused.output)\(refused.errorOutput)")
            var expected = [
                "Jenkins 2.462.3 needs Java 11 or newer, and this host has none",
                "apt-get install openjdk-17-jre-headless",
                "the service 'jenkins' is a systemd unit, and systemd does not run on this host",
            ]
            if Accounts.ownNumbers.user == 0 { expected.append("files belong to the user 'games'") }
            for words in expected { #expect(refused.errorOutput.contains(words), "\(refused.errorOutput)") }

            // With systemd, an old Java and the account; the unit is missing, or comes with the restore itself.
            func plan(java: String, map: String) async throws -> Program.Outcome {
                let account = Accounts.ownNumbers.user == 0 ? "--map games=root" : ""
                return try await machine.run(
                    #"""
                    mkdir -p /run/systemd/system /opt/jdk/bin
                    printf '%s\n' '#!/bin/sh' "echo 'openjdk version \"\#(java)\"' >&2" >/opt/jdk/bin/java; chmod +x /opt/jdk/bin/java
                    \#(restore) --dry-run \#(account) \#(map)
                    """#)
            }
            let old = try await plan(java: "1.8.0_402", map: "")
            #expect(old.status == 7, "\(old.output)\(old.errorOutput)")
            #expect(old.output.contains("needs Java 11 or newer, and /opt/jdk/bin/java is Java 8"))
            #expect(
                old.output.contains(
                    "the service 'jenkins' is a systemd unit that does not exist on this host"))
            #expect(!old.output.contains("games'"), "\(old.output)")
            let fit = try await plan(java: "17.0.15", map: "--map \(directory)/units=/etc/systemd/system")
            #expect(fit.status == 0, "\(fit.output)\(fit.errorOutput)")
        }
    }
}
