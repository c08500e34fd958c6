import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Secrets in files that nobody classed as secret.
@Suite struct LeakJourneyTests {
    private func start(_ directory: FilePath) async throws -> CommandLineRunner {
        _ = try await shell(
            "mkdir tree; printf 'listen 443;\\nupstream_password = hunter2-leak\\n' >tree/site.conf; echo 'listen 80;' >tree/open.conf",
            in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        return runner
    }

    private func leaked(_ text: String, _ directory: FilePath) async throws -> Bool {
        try await shell(
            "set -o pipefail; git -C tree.git cat-file --batch-all-objects --batch | { grep -acF '\(text)' || true; }",
            in: directory) != "0\n"
    }

    @Test func aPasswordInAReadableFileIsSealedAndTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let output = try await runner.succeed("snapshot")
            #expect(
                output.contains("sealed 1 new file")
                    && output.contains("tree/site.conf (a password, line 2)"))
            #expect(!output.contains("hunter2-leak"))
            #expect(try await !leaked("hunter2-leak", directory))
            #expect(try await leaked("listen 80;", directory))
            #expect(try await !runner.succeed("snapshot").contains("sealed"), "it is told once")
            _ = try await shell("echo 'and more' >>tree/site.conf; cp -a tree reference", in: directory)
            let difference = try await runner.succeed("diff")
            #expect(difference.contains("tree/site.conf") && !difference.contains("hunter2-leak"))
            try await runner.succeed("snapshot")
            let history = try await shell("git -C tree.git log -p --stat tree", in: directory)
            #expect(history.contains("site.conf.age") && !history.contains("hunter2-leak"))
            _ = try await shell("rm -r tree", in: directory)
            #expect(try await runner.succeed("restore").contains("it has the snapshot's own tree"))
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
        }
    }

    /// It is binary, so that nothing in it tells what it is.
    @Test func aSecretThatHasAnotherNameInClearIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell(
                "printf 'a\\000b' >tree/site.p12; ln tree/site.p12 tree/kept.bin; printf 'c\\000' >tree/x.p12; ln tree/x.p12 tree/y.p12",
                in: directory)
            // Also when nothing has changed.
            for _ in 1...2 {
                let output = try await runner.succeed("snapshot")
                #expect(
                    output.contains("tree/kept.bin is captured in clear, and is the file that is sealed as "))
                #expect(
                    output.contains("tree/site.p12: class it") && !output.contains("tree/y.p12"), "\(output)")
            }
        }
    }

    @Test func aPasswordInTheSystemFileIsTold() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell("echo '# https://ci:hunter2-leak@host/' >>understudy.yaml", in: directory)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("understudy.yaml is in clear in every snapshot"), "\(output)")
            #expect(!output.contains("hunter2-leak"))
        }
    }

    @Test func aTokenFarDownInALongLogIsSealedBeforeItsChunkIsStored() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let token = "gh" + "p_0123456789abcdefghijABCDEFGHIJ012345"
            _ = try await shell(
                "yes 'a line of a log, as there are many' | head -c 11000000 >tree/build.log; echo 'cloning with \(token)' >>tree/build.log; yes rest | head -c 500000 >>tree/build.log; cp -a tree reference",
                in: directory)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("tree/build.log (a token)"))
            #expect(try await !leaked(token, directory))
            _ = try await shell("rm -r tree", in: directory)
            try await runner.succeed("restore")
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
        }
    }

    @Test func thePolicyAllowsContentsByPathAndDigestAndRefuses() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            _ = try await shell(
                "sed -i 's/^leaks: seal/leaks: refuse/' policies/snapshot.yaml", in: directory)
            for _ in 0..<2 {
                let refused = try await runner.run("snapshot")
                #expect(refused.status == 7, "\(refused.output)")
                #expect(
                    refused.errorOutput.contains("tree/site.conf")
                        && refused.errorOutput.contains("allowInClear"))
            }
            #expect(try await !leaked("hunter2-leak", directory))
            _ = try await shell(
                "digest=$(sha256sum tree/site.conf | cut -d' ' -f1); sed -i \"s|^allowInClear: .*|allowInClear: [{component: tree, path: ${PWD#/}/tree/site.conf, sha256: \\\"$digest\\\", reason: the manual says so}]|\" policies/snapshot.yaml",
                in: directory)
            try await runner.succeed("snapshot")
            #expect(try await leaked("hunter2-leak", directory), "these very contents are allowed")
            _ = try await shell("echo 'upstream_password = another-leak' >tree/site.conf", in: directory)
            #expect(try await runner.run("snapshot").status == 7)
            _ = try await shell("sed -i 's/sha256: \"./sha256: \"/' policies/snapshot.yaml", in: directory)
            let wrong = try await runner.run("snapshot")
            #expect(
                wrong.status == 64 && wrong.errorOutput.contains("a SHA-256 as 'sha256sum FILE' prints it"))
        }
    }

    @Test func aJobThatIsSealedFromNowOnIsNotTakenForRemoved() async throws {
        try await withTemporaryDirectory { directory in
            let builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            try builder.make()
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("jenkins")
            _ = try await shell("sed -i '/^recipients:/,/^  - /d' understudy.yaml", in: directory)
            try await runner.succeed("snapshot")
            let job = "jobs/target/config.xml"
            _ = try await shell(
                "sed -i 's|</project>|<authToken>deploy-me-leak</authToken></project>|' jenkins/\(job); grep -q deploy-me-leak jenkins/\(job)",
                in: directory)
            let recipient = try runner.recipient()
            try await runner.succeed("key", "add", recipient)
            let output = try await runner.succeed("snapshot")
            #expect(output.contains("sealed 1 new file") && !output.contains("removed"), "\(output)")
            #expect(output.contains(job))
            #expect(
                try await shell(
                    "set -o pipefail; git -C jenkins.git cat-file --batch-all-objects --batch | { grep -acF deploy-me-leak || true; }",
                    in: directory) == "0\n")
            _ = try await shell("cp -a jenkins reference; rm -r jenkins", in: directory)
            try await runner.succeed("restore", "--no-start")
        }
    }
}
