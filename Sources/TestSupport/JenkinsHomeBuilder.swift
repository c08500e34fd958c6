internal import Archive
internal import Cryptography
internal import FileTree
package import SystemPackage

/// A JENKINS_HOME in the shapes that docs/jenkins.md describes: nested folders, a multibranch project, unicode names,
/// both XML headers, legacy links, dangling links, real plugin archives, and a key chain made by the real algorithm.
package struct JenkinsHomeBuilder: Sendable {
    /// Where the home is made.
    package let home: FilePath
    /// How many plugins.
    package var plugins = 6
    /// How many freestyle jobs beside the special ones.
    package var jobs = 4
    /// How many builds each of those has.
    package var builds = 3
    /// The bytes of `master.key`.
    package var masterKey = "0123456789abcdef0123456789abcdef"

    /// A builder of a home at a path where nothing is yet.
    package init(_ home: FilePath) {
        self.home = home
    }

    /// Makes the home.
    package func make() throws {
        try Files.makeDirectories(home)
        try makeSystem()
        try makeKeys()
        try makePlugins()
        try makeJobs()
        try makeUsers()
    }

    /// Makes a home with one job and one build, in which nothing is broken on purpose and nothing lacks its plugin, and two
    /// plugins of which one needs the other.
    package mutating func makeSound() throws {
        (jobs, builds) = (1, 1)
        try make()
        for path in [
            "jobs/broken", "jobs/team", "jobs/service", "jobs/org", "plugins/ace-editor.jpi",
            "plugins/plugin-0.hpi",
        ] {
            try Files.removeTree(home.pushing(FilePath(path)))
        }
        try makePlugin("git-client", version: "4.0", file: "git-client.jpi")
        try makePlugin("git", version: "5.2.1", file: "git.jpi", needs: "git-client:4.0")
    }

    private func write(_ path: String, _ text: String, mode: UInt16 = 0o644) throws {
        try write(path, Array(text.utf8), mode: mode)
    }

    private func write(_ path: String, _ bytes: [UInt8], mode: UInt16 = 0o644) throws {
        let place = home.pushing(FilePath(path))
        try Files.makeDirectories(place.removingLastComponent())
        try Files.createForTest(place, bytes, mode: mode)
    }

    private static let header11 = "<?xml version='1.1' encoding='UTF-8'?>\n"
    private static let header10 = "<?xml version='1.0' encoding='UTF-8'?>\n"

    private func makeSystem() throws {
        try write(
            "config.xml",
            Self.header11
                + "<hudson>\n  <version>2.462.3</version>\n  <numExecutors>2</numExecutors>\n  <views>\n    <hudson.model.AllView>\n"
                + "      <name>all</name>\n    </hudson.model.AllView>\n  </views>\n</hudson>\n")
        try write("jenkins.install.InstallUtil.lastExecVersion", "2.462.3")
        try write("jenkins.install.UpgradeWizard.state", "2.462.3")
        try write("secret.key.not-so-secret", "")
        try write("hudson.tasks.Mailer.xml", Self.header10 + "<hudson.tasks.Mailer_-DescriptorImpl/>\n")
        try write(
            "queue.xml",
            "<hudson.model.Queue_-State>\n  <hudson.model.Queue_-WaitingItem/>\n</hudson.model.Queue_-State>\n"
        )
        try write(
            "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml",
            "<list>\n  <flow-owner plugin=\"workflow-job@1400\">\n    <job>team/deploy</job>\n    <id>7</id>\n  </flow-owner>\n</list>\n"
        )
        try write("nodes/agent1/config.xml", Self.header11 + "<slave>\n  <name>agent1</name>\n</slave>\n")
        try write("userContent/readme.txt", "hello\n")
        try write("log/audit.xml", Self.header11 + "<log/>\n")
        try write("logs/tasks/Fingerprint cleanup.log", "derived\n")
        try write("war/WEB-INF/web.xml", "derived\n")
        try write("updates/default.json", "{}")
        try write("jobless stranger/mysql/data.bin", [0, 1, 2, 3, 255])
        try write("init.groovy.d/setup.groovy", "println 'hello'\n")
        try write("atomic123tmp", "derived")
    }

    /// The value of `secrets/hudson.util.Secret` when it is open.
    private static let secretPayload = (0..<256).map { UInt8($0) }
    private static let magic = Array("::::MAGIC::::".utf8)

    /// `{AQAAA…}`: a text as Jenkins encrypts it with this home's key.
    package static func encrypted(_ text: String) throws -> String {
        let vector = (0..<16).map { UInt8($0 * 3) }
        guard
            let data = AES128.encrypted(
                Array(text.utf8), key: Array(secretPayload.prefix(16)),
                mode: .cipherBlockChaining(vector: vector))
        else { throw FixtureFailure("AES refused its key") }
        let length = (0..<4).reversed().map { UInt8(truncatingIfNeeded: data.count >> ($0 * 8)) }
        return "{\(base64([1, 0, 0, 0, 16] + length + vector + data))}"
    }

    private func makeKeys() throws {
        try Files.makeDirectories(home.appending("secrets"), mode: 0o700)
        try write("secrets/master.key", masterKey, mode: 0o600)
        let key = Array(SHA256.digest(Array(masterKey.utf8)).prefix(16))
        for (name, payload) in [
            ("hudson.util.Secret", Self.secretPayload), ("hudson.model.User.DIRNAMES", Self.namesKey),
        ] {
            guard let wrapped = AES128.encrypted(payload + Self.magic, key: key, mode: .electronicCodebook)
            else {
                throw FixtureFailure("AES refused its key")
            }
            try write("secrets/\(name)", wrapped, mode: 0o600)
        }
        try write("identity.key.enc", (0..<1680).map { UInt8(truncatingIfNeeded: $0 * 7) }, mode: 0o600)
        try write("secret.key", "0a1b2c", mode: 0o600)
        try write(
            "credentials.xml",
            Self.header11
                + "<com.cloudbees.plugins.credentials.SystemCredentialsProvider>\n  <list>\n    <c.UsernamePassword>\n"
                + "      <id>deploy</id>\n      <username>ci</username>\n      <password>\(try Self.encrypted("hunter2"))</password>\n"
                + "    </c.UsernamePassword>\n  </list>\n</com.cloudbees.plugins.credentials.SystemCredentialsProvider>\n"
        )
    }

    private func makePlugins() throws {
        try Files.makeDirectories(home.appending("plugins"))
        for number in 0..<plugins {
            try makePlugin("plugin-\(number)", version: "1.\(number)", file: "plugin-\(number).jpi")
            try write("plugins/plugin-\(number)/META-INF/MANIFEST.MF", "exploded: derived\n")
        }
        try makePlugin("plugin-0", version: "0.9", file: "plugin-0.hpi")
        try write("plugins/plugin-1.jpi.disabled", "")
        try write("plugins/plugin-1.bak", "the version before")
        try write("plugins/plugin-2.jpi.pinned", "")
        try Files.makeLink(
            home.appending("plugins/ace-editor.jpi"), to: Array("/usr/lib/jenkins/ace-editor.hpi".utf8))
    }

    /// Puts a plugin archive of a version into the home, replacing one that is there.
    package func makePlugin(_ name: String, version: String, file: String, needs: String? = nil) throws {
        try Self.writePlugin(
            name, version: version, to: home.appending("plugins").appending(file), needs: needs)
    }

    /// Writes a plugin archive; `needs` is what its manifest says of other plugins: `git:5.0;resolution:=optional`.
    package static func writePlugin(
        _ name: String, version: String, to path: FilePath, needs: String? = nil
    ) throws {
        try Files.remove(path)
        var zip = try ZipWriter(path)
        let manifest =
            "Manifest-Version: 1.0\r\nShort-Name: \(name)\r\nLong-Name: A plugin with a name that is lo\r\n nger than a line\r\n"
            + "Plugin-Version: \(version)\r\nJenkins-Version: 2.426.3\r\n"
            + (needs.map { "Plugin-Dependencies: \($0)\r\n" } ?? "") + "\r\n"
        try zip.add(name: "META-INF/MANIFEST.MF", contents: Array(manifest.utf8))
        try zip.add(
            name: "WEB-INF/lib/\(name).jar",
            contents: Array(String(repeating: "\(name) \(version) ", count: 500).utf8))
        try zip.finish()
    }

    /// Writes what a prediction reads of a jenkins.war; no Java makes a server of it.
    package static func writeWar(_ version: String, to path: FilePath) throws {
        let inner = path.removingLastComponent().appending("inner.jar")
        let none = Array("# none\n".utf8)
        try writeZip(
            inner, [("jenkins/split-plugins.txt", none), ("jenkins/split-plugin-cycles.txt", none)])
        let manifest = "Manifest-Version: 1.0\nJenkins-Version: \(version)\n\n"
        try writeZip(
            path,
            [
                ("META-INF/MANIFEST.MF", Array(manifest.utf8)),
                ("WEB-INF/lib/jenkins-core-\(version).jar", try Files.read(inner)),
            ])
        try Files.remove(inner)
    }

    /// A freestyle job's configuration, as a Jenkins with this version of the git plugin writes it.
    package static func freestyle(_ command: String, git: String = "5.2.1") -> String {
        header11
            + "<project>\n  <description>says &quot;\(command)&quot;</description>\n  <disabled>false</disabled>\n"
            + "  <scm class=\"hudson.plugins.git.GitSCM\" plugin=\"git@\(git)\"/>\n  <builders>\n    <hudson.tasks.Shell>\n"
            + "      <command>\(command)</command>\n    </hudson.tasks.Shell>\n  </builders>\n</project>\n"
    }

    private func makeJobs() throws {
        let folder = Self.header11 + "<com.cloudbees.hudson.plugins.folder.Folder/>\n"
        let pipeline =
            Self.header11
            + "<flow-definition plugin=\"workflow-job@1400\"><script>echo &#x1b;[0m</script></flow-definition>\n"
        for number in 0..<jobs { try makeJob("jobs/job-\(number)", Self.freestyle("make \(number)")) }
        for name in ["workspace", "target", "builds", "Somebody's stuff", "проба é", "logs"] {
            try makeJob("jobs/\(name)", Self.freestyle("echo"))
        }
        try write("jobs/team/config.xml", folder)
        try makeJob("jobs/team/jobs/deploy", pipeline)
        try write("jobs/team/jobs/inner/config.xml", folder)
        try makeJob("jobs/team/jobs/inner/jobs/deep", Self.header10 + "<project/>\n")
        let multibranch = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
        try write("jobs/service/config.xml", Self.header11 + "<\(multibranch)/>\n")
        try write("jobs/service/indexing/indexing.log", "derived")
        try makeJob("jobs/service/branches/feature-x.abc123", pipeline)
        try write("jobs/service/branches/feature-x.abc123/name-utf8.txt", "feature/x")
        try write("jobs/service/branches/feature-x.abc123/scm-revision-hash.xml", "<hash/>")
        try write("jobs/org/config.xml", Self.header11 + "<jenkins.branch.OrganizationFolder/>\n")
        try write("jobs/org/jobs/repo/config.xml", Self.header11 + "<\(multibranch)/>\n")
        try makeJob("jobs/org/jobs/repo/branches/main", pipeline)
        try write("jobs/broken/config.xml", "<project><unclosed>\n")
        try Files.makeLink(home.appending("jobs/job-0/lastStable"), to: Array("builds/lastStableBuild".utf8))
        try Files.makeLink(home.appending("jobs/job-0/builds/lastUnstableBuild"), to: Array("-1".utf8))
        try write("jobs/job-0/workspace/src/main.c", "derived")
    }

    private func makeJob(_ path: String, _ configuration: String) throws {
        try write("\(path)/config.xml", configuration)
        try write("\(path)/nextBuildNumber", "\(builds + 1)\n")
        try write("\(path)/builds/permalinks", "lastSuccessfulBuild \(builds)\n")
        try write("\(path)/builds/legacyIds", "")
        for number in 1...max(1, builds) {
            try write(
                "\(path)/builds/\(number)/build.xml",
                Self.header11 + "<build><number>\(number)</number></build>\n")
            try write(
                "\(path)/builds/\(number)/log",
                String(repeating: "line of build \(number)\n", count: 20 + number))
            try write(
                "\(path)/builds/\(number)/changelog.xml", number.isMultiple(of: 2) ? "" : "commit 1234\n")
        }
    }

    private static let namesKey = (0..<64).map { UInt8(255 - $0) }

    private func makeUsers() throws {
        for id in ["admin", "somebody"] {
            let name = "\(id)_\(hex(HMAC.sha256(key: Self.namesKey, message: Array(id.utf8))))"
            try write("users/\(name)/config.xml", Self.header11 + "<user>\n  <id>\(id)</id>\n</user>\n")
        }
        try write("users/users.xml", Self.header11 + "<hudson.model.UserIdMapper/>\n")
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << ((3 - group.count) * 8)
            for index in 0..<4 {
                text.append(index <= group.count ? digits[bits >> (18 - index * 6) & 63] : "=")
            }
        }
        return text
    }
}

extension Files {
    /// Makes or replaces a file without waiting for the disk: a test needs thousands of them.
    fileprivate static func createForTest(_ path: FilePath, _ bytes: [UInt8], mode: UInt16) throws {
        try replaceWithoutSync(path, with: bytes)
        try setMode(path, mode)
    }
}
