import Cryptography
import FileTree
import Foundation
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

/// Changes of a Jenkins, as far as they can be judged where none can be booted: no registry has its war.
@Suite struct JenkinsCanaryTests {
    private struct Document: Decodable { var verdict: Verdict }

    private struct Outcome {
        var verdict: Verdict
        var parts: String
        var status: Int32

        func result(_ stage: Stage) -> StageVerdict.Result? {
            verdict.stages.first { $0.name == stage }?.result
        }

        func findings(_ kind: String) -> [String] {
            verdict.stages.flatMap(\.findings).filter { $0.kind == kind }.map(\.object.name)
        }
    }

    private struct Unjudged: Error { var words: String }

    /// A controller with three plugins that depend on each other, and a job that uses one of them.
    private struct Production {
        var directory: FilePath
        var runner: CommandLineRunner
        var builder: JenkinsHomeBuilder
        var home: FilePath { builder.home }
        var archives: FilePath { directory.appending("archives") }

        init(_ directory: FilePath, war: Bool = false) async throws {
            var builder = JenkinsHomeBuilder(directory.appending("jenkins"))
            try builder.makeSound()
            try builder.makePlugin("viewer", version: "1.0", file: "viewer.jpi")
            self.directory = directory
            self.builder = builder
            runner = try CommandLineRunner(directory)
            try Files.makeDirectory(archives)
            try await runner.initialize("jenkins", "--name", "acme")
            if war {
                try JenkinsHomeBuilder.writeWar("2.462.3", to: directory.appending("jenkins.war"))
                try replaceText(
                    "driver: jenkins\n", with: "driver: jenkins\n    war: \(directory)/jenkins.war\n",
                    in: directory.appending("understudy.yaml"))
            }
            try await runner.succeed("snapshot")
        }

        func archive(_ name: String, _ version: String, needs: String? = nil) throws -> FilePath {
            let path = archives.appending("\(name).hpi")
            try JenkinsHomeBuilder.writePlugin(name, version: version, to: path, needs: needs)
            return path
        }

        func canary(_ arguments: String...) async throws -> Outcome {
            let outcome = try await runner.run(
                [
                    "--format", "json", "canary", "--seed", "7", "--archives", archives.string, "--report",
                    "report",
                ] + arguments, limit: .seconds(300))
            guard let data = outcome.output.data(using: .utf8), !data.isEmpty else {
                throw Unjudged(words: outcome.errorOutput)
            }
            return Outcome(
                verdict: try JSONDecoder().decode(Document.self, from: data).verdict,
                parts: String(
                    decoding: try Files.read(directory.appending("report/report.html")), as: UTF8.self),
                status: outcome.status)
        }
    }

    @Test func whatWouldNotLoadIsStoppedBeforeABoot() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            _ = try production.archive("viewer", "2.0", needs: "git:9.0;resolution:=optional")
            let old = try await production.canary("--offline", "--plugin", "viewer@2.0")
            #expect(old.status == 4)
            #expect(old.result(.static) == .fail)
            #expect(old.result(.boot) == .skipped)
            #expect(old.findings("plugin-failed") == ["viewer"])
            let missing = try await production.canary("--offline", "--plugin", "viewer@9")
            #expect(missing.status == 4)
            #expect(missing.findings("resolution") == ["viewer"])
        }
    }

    @Test func aPluginThatAJobUsesIsNotRemoved() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let used = try await production.canary("--offline", "--remove-plugin", "git")
            #expect(used.status == 4)
            #expect(used.findings("unreadable-data") == ["git"])
            let needed = try await production.canary("--offline", "--remove-plugin", "git-client")
            #expect(needed.findings("plugin-failed") == ["git"])
            let unused = try await production.canary("--offline", "--remove-plugin", "viewer")
            #expect(unused.result(.static) == .pass)
        }
    }

    @Test func whatWasNeverBootedDoesNotPass() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let before = try Files.read(production.home.appending("plugins/git.jpi"))
            _ = try production.archive("git", "5.3", needs: "git-client:4.5")
            _ = try production.archive("git-client", "4.6")
            let outcome = try await production.canary("--offline", "--plugin", "git@5.3")
            #expect(outcome.status == 1)
            #expect(outcome.verdict.result == .error)
            #expect(outcome.result(.static) == .pass)
            let boot = try #require(outcome.verdict.stages.first { $0.name == .boot })
            #expect(boot.reason.contains("nothing was booted: the snapshot has no war"))
            #expect(outcome.parts.contains("4.0 → 4.6") && outcome.parts.contains("5.2.1 → 5.3"))
            #expect(try Files.read(production.home.appending("plugins/git.jpi")) == before)
        }
    }

    @Test func aWarThatIsNoServerBreaksTheCanary() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory, war: true)
            let next = directory.appending("next.war")
            try JenkinsHomeBuilder.writeWar("2.479.1", to: next)
            let outcome = try await production.canary("--offline", "--core", next.string)
            #expect(outcome.status == 1)
            #expect(outcome.verdict.riskClass == .core)
            #expect(outcome.result(.static) == .pass)
            #expect(outcome.result(.boot) == .error)
            #expect(outcome.parts.contains("2.462.3 → 2.479.1"))
        }
    }

    /// The name of the one file of a root, and the lock that names it, must not depend on where it is staged.
    @Test func aWarIsRestored() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory, war: true)
            let war = directory.appending("jenkins.war")
            let before = try Files.read(war)
            try Files.remove(war)
            try await production.runner.succeed("restore")
            #expect(try Files.read(war) == before)
            try await production.runner.succeed("restore", "--to", "beside")
            #expect(try Files.read(directory.pushing("beside/jenkins/war/jenkins.war")) == before)
            let drill = try await production.runner.run("drill")
            #expect(drill.output.contains("captured again it is the snapshot's own"))
        }
    }

    @Test(.enabled(if: try Files.exists("/usr/bin/java"), "SKIPPED: this host has no Java"))
    func aWarThatIsNoServerMakesADrillRed() async throws {
        try await withTemporaryDirectory { directory in
            let drill = try await Production(directory, war: true).runner.run("drill")
            #expect(drill.status == 6)
            #expect(drill.output.contains("no main manifest attribute"), "\(drill.output)")
        }
    }

    @Test func aVersionThatWasCapturedOnceNeedsNoArchive() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            try production.builder.makePlugin(
                "git", version: "5.3", file: "git.jpi", needs: "git-client:4.0")
            try await production.runner.succeed("snapshot")
            let outcome = try await production.canary("--offline", "--plugin", "git@5.2.1")
            #expect(outcome.parts.contains("5.3 → 5.2.1"))
            #expect(outcome.result(.static) == .pass)
        }
    }

    /// What becomes harmless in both arms is not what was tried.
    @Test func aChangeOfWhichNothingIsLeftDoesNotPass() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let files = directory.appending("files/home")
            try Files.makeDirectories(files)
            let own = production.home.appending("config.xml")
            var text = String(decoding: try Files.read(own), as: UTF8.self)
            text.replace("</hudson>", with: "<clouds/></hudson>")
            try Files.replace(own, with: Array(text.utf8))
            try await production.runner.succeed("snapshot")
            text.replace("<clouds/>", with: "<clouds><acme.Cloud><label>gpu</label></acme.Cloud></clouds>")
            try Files.replace(files.appending("config.xml"), with: Array(text.utf8))
            // A file that is given as it is already is no change.
            let job = "jobs/job-0/config.xml"
            try Files.makeDirectories(files.appending("jobs/job-0"))
            try Files.replace(
                files.pushing(FilePath(job)),
                with: try Files.read(production.home.pushing(FilePath(job))))
            let outcome = try await production.canary(
                "--offline", "--files", directory.appending("files").string)
            #expect(outcome.status == 4, "\(outcome.verdict.headline)")
            #expect(outcome.findings("not-rehearsed") == ["home/config.xml"])
        }
    }

    /// What was seen is told at once, and kept when the other writer is done.
    @Test func whatWasSeenWaitsForAnotherWriter() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let page = directory.appending("report/report.html")
            let holder = Program(
                "flock",
                [
                    directory.appending("acme.git/understudy/lock").string, "sh", "-c",
                    "touch held; until [ -e \(page) ]; do sleep 0.1; done; sleep 2",
                ], directory: directory, limit: .seconds(300))
            async let held = holder.runSuccessfully()
            try await wait("the other writer") { try Files.exists(directory.appending("held")) }
            let outcome = try await production.canary("--offline", "--remove-plugin", "git")
            #expect(outcome.status == 4)
            _ = try await held
            let list = try await production.runner.succeed("canary", "list")
            #expect(list.contains(outcome.verdict.id), "\(list)")
        }
    }

    // MARK: - Drift

    private struct Plan: Decodable { var seen: [String], refusals: [String] }

    /// The first build of a Jenkins that was booted makes keys, and nobody has changed anything by that.
    @Test func aKeyThatJenkinsMadeForItselfIsSeenAndVoidsNoVerdict() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            // What is told without a boot is enough for this policy, so that there is a verdict to promote.
            let text = "classes: {plugin-patch: {stages: [static], approvals: 0}}\n"
            try Files.replace(directory.appending("policies/canary.yaml"), with: Array(text.utf8))
            _ = try production.archive("viewer", "1.1")
            let canary = try await production.canary("--offline", "--plugin", "viewer@1.1")
            #expect(canary.status == 0, "\(canary.verdict.headline)")
            func plan(_ status: Int32, _ location: SourceLocation = #_sourceLocation) async throws -> Plan {
                let outcome = try await production.runner.run(
                    "--format", "json", "promote", "--dry-run", "latest")
                #expect(outcome.status == status, "\(outcome.output)", sourceLocation: location)
                return try JSONDecoder().decode(Plan.self, from: Data(outcome.output.utf8))
            }
            #expect(try await plan(0).seen.isEmpty)
            let secrets = production.home.appending("secrets")
            let key = secrets.appending("hudson.console.AnnotatedLargeText.consoleAnnotator")
            try Files.replace(key, with: Array("a key".utf8), mode: 0o600)
            let seen = try await plan(0)
            #expect(
                seen.seen == [
                    "home/secrets/hudson.console.AnnotatedLargeText.consoleAnnotator is new: production made it for itself"
                ])
            let words = try await production.runner.succeed("promote", "--dry-run", "latest")
            #expect(words.contains("seen: home/secrets/hudson.console"), "\(words)")

            // Whatever else happens to secrets is somebody's doing.
            try Files.makeDirectory(secrets.appending("filepath-filters.d"))
            let rule = secrets.appending("filepath-filters.d/99-ours.conf")
            try Files.replace(rule, with: Array("allow all".utf8))
            #expect(try await plan(7).refusals.first?.contains("filepath-filters.d") == true)
            try Files.removeTree(secrets.appending("filepath-filters.d"))
            let names = secrets.appending("hudson.model.User.DIRNAMES")
            let before = try Files.read(names)
            try Files.replace(names, with: before.reversed(), mode: 0o600)
            #expect(try await plan(7).refusals.first?.contains("DIRNAMES (changed)") == true)
            try Files.remove(names)
            #expect(try await plan(7).refusals.first?.contains("DIRNAMES (removed)") == true)
            try Files.replace(names, with: before, mode: 0o600)
            #expect(try await plan(0).seen == seen.seen)
        }
    }

    // MARK: - Update centres

    /// An update centre that has one version of git, with a warning about some versions of it.
    private func index(_ archive: FilePath, address: String, version: String, warned: String) throws -> String
    {
        let digest = Data(SHA256.digest(try Files.read(archive))).base64EncodedString()
        return """
            updateCenter.post(
            {"updateCenterVersion": 1, "plugins": {"git": {"version": "\(version)", "url": "\(address)",
              "sha256": "\(digest)", "dependencies": [{"name": "git-client", "version": "4.0"}]}},
             "warnings": [{"id": "SECURITY-1", "type": "plugin", "name": "git", "message": "It leaks",
              "url": "https://x.invalid", "versions": [{"pattern": "\(warned)"}]}]}
            );
            """
    }

    /// Lets the policy take update centres that are not signed.
    private func acceptUnsigned(_ directory: FilePath) throws {
        try replaceText(
            "acceptUnsigned: false", with: "acceptUnsigned: true",
            in: directory.appending("policies/canary.yaml"))
    }

    @Test func anUpdateCentreIsBelievedOnlyWhenItIsSignedAsItMustBe() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let archive = try production.archive("git", "5.3", needs: "git-client:4.0")
            let file = directory.appending("update-center.json")
            let text = try index(archive, address: "none", version: "5.3", warned: "1")
            try Files.replace(file, with: Array(text.utf8))
            func refusal() async throws -> String {
                let outcome = try await production.runner.run(
                    [
                        "canary", "--quiet", "--archives", production.archives.string, "--plugin", "git@5.3",
                        "--index", file.string,
                    ], limit: .seconds(120))
                #expect(outcome.status == 1, "\(outcome.output)")
                return outcome.errorOutput
            }
            #expect(try await refusal().contains("is not believed: it is not signed"))

            // Signed by somebody, whom the policy then names.
            let root = directory.appending("root.pem")
            try await Program(
                "openssl",
                [
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-subj",
                    "/CN=acme",
                    "-days", "9", "-out", root.string,
                ], directory: directory
            ).runSuccessfully()
            let start = try #require(text.firstIndex(of: "{"))
            let end = try #require(text.lastIndex(of: "}"))
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(text[start...end].utf8)) as? [String: Any])
            let plain = directory.appending("plain")
            try JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]
            )
            .write(to: URL(filePath: plain.string))
            try await Program(
                "openssl", ["dgst", "-sha512", "-sign", "root.key", "-out", "signature", "plain"],
                directory: directory
            ).runSuccessfully()
            let certificate = String(decoding: try Files.read(root), as: UTF8.self).split(separator: "\n")
                .filter { !$0.hasPrefix("-----") }.joined()
            let signed = object.merging([
                "signature": [
                    "certificates": [certificate],
                    "correct_signature512": hex(try Files.read(directory.appending("signature"))),
                ]
            ]) { old, _ in old }
            try JSONSerialization.data(withJSONObject: signed).write(to: URL(filePath: file.string))
            #expect(try await refusal().contains("leads to no root that is trusted"))
            try replaceText(
                "roots: []", with: "roots: [\(root)]", in: directory.appending("policies/canary.yaml"))
            let believed = try await production.canary("--index", file.string, "--plugin", "git@5.3")
            #expect(believed.parts.contains("5.2.1 → 5.3"))
        }
    }

    @Test func aKnownWeaknessStopsAChangeAndAForgedArchiveToo() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            try acceptUnsigned(directory)
            let archive = try production.archive("git", "5.3", needs: "git-client:4.0")
            let file = directory.appending("update-center.json")
            let text = try index(archive, address: "none", version: "5.3", warned: "5[.]3")
            try Files.replace(file, with: Array(text.utf8))
            let weak = try await production.canary("--index", file.string, "--plugin", "git@5.3")
            #expect(weak.status == 4)
            #expect(weak.findings("weakness") == ["git"])
            _ = try production.archive("git", "5.3", needs: "git-client:4.0, viewer:1.0")
            let forged = try await production.canary("--index", file.string, "--plugin", "git@5.3")
            #expect(forged.status == 4)
            #expect(forged.findings("forged") == ["git"])
        }
    }

    @Test func whatIsMissingIsFetchedAndComparedWithItsDigest() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            try acceptUnsigned(directory)
            let web = directory.appending("web")
            try Files.makeDirectory(web)
            let archive = web.appending("git.hpi")
            try JenkinsHomeBuilder.writePlugin("git", version: "5.3", to: archive, needs: "git-client:4.0")
            let text = try index(
                archive, address: "http://127.0.0.1:@PORT@/git.hpi", version: "5.3", warned: "1")
            func canary() async throws -> String {
                try await WebServer.with(.files(web)) { server in
                    let index = text.replacing("@PORT@", with: "\(server.port)")
                    try Files.replace(web.appending("update-center.json"), with: Array(index.utf8))
                    let outcome = try await production.runner.run(
                        "canary", "--plugin", "git@5.3", "--index", "\(server.url)update-center.json")
                    return outcome.output + outcome.errorOutput
                }
            }
            let good = try await canary()
            #expect(good.contains("5.2.1 → 5.3"), "\(good)")
            #expect(good.contains("nothing was booted"))
            try JenkinsHomeBuilder.writePlugin("git", version: "5.3", to: archive, needs: "viewer:1.0")
            let bad = try await canary()
            #expect(bad.contains("git.hpi is not what was published"), "\(bad)")
        }
    }

    // MARK: - Drills

    @Test func eachComponentOfADrillHasAPlaceOfItsOwn() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["one", "two"] {
                var builder = JenkinsHomeBuilder(directory.appending(name))
                try builder.makeSound()
            }
            try Files.makeDirectory(directory.appending("proxy"))
            try Files.replace(directory.appending("proxy/site.conf"), with: Array("listen 80\n".utf8))
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("one", "two", "proxy", "--name", "acme")
            try await runner.succeed("snapshot")
            let drill = try await runner.run("drill")
            #expect(drill.status == 5, "\(drill.output)\(drill.errorOutput)")
            #expect(drill.output.hasPrefix("checked, not started: "), "\(drill.output)")
        }
    }

    @Test func aDrillSaysWhatItCannotBootAndFindsWhatIsBroken() async throws {
        try await withTemporaryDirectory { directory in
            let production = try await Production(directory)
            let green = try await production.runner.run("drill")
            #expect(green.status == 5 && green.output.hasPrefix("checked, not started: "), "\(green.output)")
            #expect(
                green.output.contains("nothing was booted") && green.output.contains("are predicted to load"))
            let status = try await production.runner.succeed("status")
            #expect(
                status.contains("proven  no") && status.contains("checked, not started: jenkins"), "\(status)"
            )
            try Files.remove(production.home.appending("plugins/git-client.jpi"))
            try await production.runner.succeed("snapshot")
            let missing = try await production.runner.run("drill")
            #expect(missing.status == 6, "\(missing.output)\(missing.errorOutput)")
            #expect(missing.output.contains("needs git-client 4.0, which is not there"))
            try production.builder.makePlugin("git-client", version: "4.0", file: "git-client.jpi")
            try Files.replace(
                production.home.pushing("jobs/job-0/config.xml"), with: Array("<project><open>".utf8))
            try await production.runner.succeed("snapshot")
            let broken = try await production.runner.run("drill")
            #expect(broken.status == 6, "\(broken.output)\(broken.errorOutput)")
            #expect(broken.output.contains("jobs/job-0/config.xml: "))
        }
    }
}
