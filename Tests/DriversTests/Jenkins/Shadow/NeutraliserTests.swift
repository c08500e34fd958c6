import Cryptography
import FileTree
import Programs
import Sealing
import SnapshotModel
import SystemPackage
import TestSupport
import Testing
import XML

@testable import Drivers

/// Copies of homes made harmless.
@Suite struct NeutraliserTests {
    private let directory: ScratchDirectory
    private let home: FilePath
    private let keys = ShadowKeys(experiment: Array("one experiment".utf8))

    init() throws {
        directory = try ScratchDirectory()
        home = directory.appending("home")
    }

    private func write(_ path: String, _ text: String) throws {
        let place = home.pushing(FilePath(path))
        try Files.makeDirectories(place.removingLastComponent())
        try Files.replaceWithoutSync(place, with: Array(text.utf8))
    }

    private func read(_ path: String) throws -> String {
        String(decoding: try Files.read(home.pushing(FilePath(path))), as: UTF8.self)
    }

    private func exists(_ path: String) throws -> Bool { try Files.exists(home.pushing(FilePath(path))) }

    /// Makes the plan and applies it, then makes it again.
    @discardableResult private func neutralise() throws -> NeutralisationPlan {
        let neutraliser = Neutraliser(keys: keys)
        let plan = try neutraliser.plan(for: home)
        try plan.apply(to: home)
        let again = try neutraliser.plan(for: home)
        #expect(again.isEmpty, "\(again)")
        return plan
    }

    /// Seeds of secrets that must be found nowhere.
    private static let seeds = [
        "hunter2", "correct-horse", "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB", "AKIAABCDEFGHIJKLMNOP",
        "MIIEowIBAAKCAQEAseedseedseedseedseedseedseed", "s3cr3t-in-address", "0a1b2c",
        "0123456789abcdef0123456789abcdef",
    ]

    private func makeHome() throws {
        var builder = JenkinsHomeBuilder(home)
        (builder.plugins, builder.jobs, builder.builds) = (1, 1, 1)
        try builder.make()
        try write(
            "config.xml",
            """
            <?xml version='1.1' encoding='UTF-8'?>
            <hudson>
              <disabledAdministrativeMonitors/>
              <version>2.462.3</version>
              <numExecutors>8</numExecutors>
              <mode>EXCLUSIVE</mode>
              <label>own</label>
              <useSecurity>true</useSecurity>
              <authorizationStrategy class="hudson.security.GlobalMatrixAuthorizationStrategy"><permission>x</permission></authorizationStrategy>
              <securityRealm class="hudson.security.LDAPSecurityRealm" plugin="ldap@1"><managerPasswordSecret>correct-horse</managerPasswordSecret></securityRealm>
              <buildsDir>/data/builds/${ITEM_FULL_NAME}</buildsDir>
              <clouds>
                <org.csanchez.Cloud><serverUrl>https://k8s</serverUrl></org.csanchez.Cloud>
              </clouds>
              <slaves><slave><name>old</name><launcher class="hudson.plugins.sshslaves.SSHLauncher"><host>h</host></launcher></slave></slaves>
              <slaveAgentPort>50000</slaveAgentPort>
            </hudson>

            """)
        try write(
            "jobs/timed/config.xml",
            """
            <?xml version='1.1' encoding='UTF-8'?>
            <project>
              <description>keeps &lt;every&gt; &#x1b; byte <!-- and comments --></description>
              <disabled>false</disabled>
              <authToken>correct-horse</authToken>
              <triggers>
                <hudson.triggers.TimerTrigger><spec>* * * * *</spec></hudson.triggers.TimerTrigger>
                <hudson.triggers.SCMTrigger><spec>H * * * *</spec></hudson.triggers.SCMTrigger>
              </triggers>
              <useToken>true</useToken>
              <scm><url>https://ci:s3cr3t-in-address@git.example.com/r.git</url></scm>
              <builders><hudson.tasks.Shell><command>curl -H ghp_0123456789abcdefghijklmnopqrstuvwxyzAB; echo AKIAABCDEFGHIJKLMNOP</command></hudson.tasks.Shell></builders>
            </project>

            """)
        try write(
            "jobs/team/jobs/piped/config.xml",
            "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers>"
                + "<hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger></triggers>"
                + "</org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties></flow-definition>"
        )
        try write(
            "jobs/service/config.xml",
            "<x.WorkflowMultiBranchProject><triggers><com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger>"
                + "<spec>H H * * *</spec></com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger></triggers></x.WorkflowMultiBranchProject>"
        )
        try write(
            "nodes/ssh/config.xml",
            "<slave><name>ssh</name><label>linux docker</label><launcher class=\"SSHLauncher\"><host>prod</host></launcher>"
                + "<retentionStrategy class=\"x.Demand\"/></slave>")
        try write(
            "nodes/ec2/config.xml",
            "<hudson.plugins.ec2.EC2OndemandSlave><name>ec2</name></hudson.plugins.ec2.EC2OndemandSlave>")
        try write("proxy.xml", "<proxy><name>proxy.example.com</name></proxy>")
        try write("jenkins.yaml", "jenkins:\n  clouds: []\n")
        try write(
            "hudson.tasks.Mailer.xml",
            "<d><smtpHost>mail.example.com</smtpHost><password>hunter2</password></d>")
        try write(
            "jenkins.model.JenkinsLocationConfiguration.xml",
            "<jenkins.model.JenkinsLocationConfiguration><jenkinsUrl>https://ci.example.com/</jenkinsUrl></jenkins.model.JenkinsLocationConfiguration>"
        )
        try write(
            "keys.xml",
            "<a><privateKey>-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAseedseedseedseedseedseedseed\n-----END RSA PRIVATE KEY-----</privateKey>"
                + "<b><privateKey>\(try JenkinsHomeBuilder.encrypted("x"))</privateKey></b><secretBytes>{c2VjcmV0}</secretBytes>"
                + "<passphrase>\(try JenkinsHomeBuilder.encrypted("hunter2"))</passphrase><token>${FROM_OUTSIDE}</token></a>"
        )
        try write(
            "users/admin_1/config.xml",
            "<user><id>Admin</id><properties><t><jenkins.security.apitoken.ApiTokenStore_-HashedToken><value><hash>\(String(repeating: "ab", count: 32))</hash></value></jenkins.security.apitoken.ApiTokenStore_-HashedToken></t>"
                + "<p><passwordHash>#jbcrypt:$2a$10$abcdefghijklmnopqrstuv</passwordHash></p></properties></user>"
        )
        try write(".netrc", "machine a login b password hunter2\n")
        try write("config-history/jobs/a/config.xml", "<password>hunter2</password>")
        try write("userContent/notes.txt", "https://u:s3cr3t-in-address@h/ and AKIAABCDEFGHIJKLMNOP\n")
        try write("jobs/matrix/configurations/axis-os/linux/builds/1/build.xml", "<build/>")
    }

    @Test func nothingOfTheTableOfHazardsIsLeft() throws {
        try makeHome()
        let plan = try neutralise()
        for gone in [
            "queue.xml", "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml", "proxy.xml",
            "identity.key.enc",
            "secret.key", "jobs/job-0/builds", "jobs/service/branches/feature-x.abc123/builds",
            "jobs/builds/builds",
            "jobs/matrix/configurations/axis-os/linux/builds", "nodes/ec2", "jenkins.yaml", "war", "updates",
            ".netrc",
            "config-history", "secrets/hudson.model.User.DIRNAMES", "plugins/plugin-0",
        ] {
            #expect(try !exists(gone), "\(gone)")
        }
        for kept in [
            "jobs/job-0/nextBuildNumber", "jobs/builds/config.xml", "plugins/plugin-0.jpi",
            "init.groovy.d/setup.groovy",
            "jobless stranger/mysql/data.bin", "nodes/agent1/config.xml",
        ] {
            #expect(try exists(kept), "\(kept)")
        }
        for job in ["jobs/timed", "jobs/team/jobs/piped", "jobs/service"] {
            #expect(try read("\(job)/config.xml").contains("<triggers></triggers>"), "\(job)")
        }
        let agent = try read("nodes/ssh/config.xml")
        #expect(agent.contains("<label>linux docker</label><launcher class=\"hudson.slaves.JNLPLauncher\"/>"))
        #expect(agent.contains("RetentionStrategy$Always"))
        #expect(try read("hudson.tasks.Mailer.xml").contains("<smtpHost>shadow.invalid</smtpHost>"))
        #expect(
            try read("jenkins.model.JenkinsLocationConfiguration.xml").contains("http://shadow.invalid/"))
        let root = try read("config.xml")
        for text in [
            "<clouds></clouds>", "<numExecutors>2</numExecutors>", "<slaveAgentPort>-1</slaveAgentPort>",
            "HudsonPrivateSecurityRealm", "${ITEM_ROOTDIR}/builds",
            "<mode>NORMAL</mode>",
            "<name>old</name><launcher class=\"hudson.slaves.JNLPLauncher\"/>",
        ] {
            #expect(root.contains(text), "\(text)")
        }
        let labels =
            try XMLElement(document: Array(root.utf8)).child("label")?.text.split(separator: " ") ?? []
        #expect(
            Set(labels).isSuperset(of: ["own", "old", "ssh", "linux", "docker", "ec2", "agent1"]),
            "\(labels)")
        #expect(!root.contains("LDAP") && !root.contains("GlobalMatrix"))
        #expect(
            plan.description.contains(
                "jobs/timed/config.xml: triggers: 2 taken out (hudson.triggers.TimerTrigger, hudson.triggers.SCMTrigger)"
            ))
        #expect(plan.notCovered.contains("jenkins.yaml: configuration as code is not applied"))
    }

    @Test(arguments: [
        ("jenkins.yaml", true), ("casc_configs/a/b.yaml", true), ("proxy.xml", true),
        ("secrets/master.key", true), (".ssh/id_ed25519", true), ("jobs/a/builds/7/build.xml", true),
        ("jobs/builds/config.xml", false), ("jobs/a/config.xml", false), ("config.xml", false),
        ("userContent/proxy.xml", false), ("credentials.xml", false),
    ]) func aFileThatNoShadowHasIsToldByItsPath(_ path: String, _ isTakenOut: Bool) {
        #expect(Neutraliser.takesOut(EntryPath(path)) == isTakenOut)
    }

    @Test(arguments: [
        ("casc.yaml", "# ours\njenkins:\n  numExecutors: oops\n", true), ("a/b.YML", "\"tool\" : {}", true),
        ("casc.yaml", "{unclassified: {}}", true), ("casc.yaml", "a:\n  jenkins: 1\n", false),
        ("casc.yaml", "jenkinsfile: 1\n", false), ("casc.txt", "jenkins:\n", false), ("casc.yaml", nil, true),
    ]) func configurationAsCodeIsToldWhereverItLies(_ path: String, _ text: String?, _ isCode: Bool) {
        #expect(
            Neutraliser.isConfigurationAsCode(EntryPath(path), text.map { Array($0.utf8) }) == isCode)
    }

    @Test func aLabelWithBlanksStaysOne() throws {
        try write("config.xml", "<hudson><label>\"the old\" one</label></hudson>")
        try write("nodes/a/config.xml", "<slave><name>my agent</name><label>a&amp;b</label></slave>")
        try neutralise()
        #expect(
            try read("config.xml").contains("<label>\"my agent\" \"the old\" a&amp;b one</label>"))
    }

    /// As Kubernetes, Docker and EC2 write them.
    @Test func theLabelsOfTemplatesOfCloudsStayWithoutTheClouds() throws {
        try write(
            "config.xml",
            """
            <hudson><label>own</label><clouds>
              <org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud><name>k8s</name><templates>
                <org.csanchez.jenkins.plugins.kubernetes.PodTemplate><name>pod</name><label>maven  jdk17</label></org.csanchez.jenkins.plugins.kubernetes.PodTemplate>
              </templates></org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud>
              <com.nirima.DockerCloud><templates><com.nirima.DockerTemplate><labelString>docker</labelString></com.nirima.DockerTemplate></templates></com.nirima.DockerCloud>
              <hudson.plugins.ec2.EC2Cloud><templates><hudson.plugins.ec2.SlaveTemplate><labels>linux</labels><tags><t><name>x</name></t></tags></hudson.plugins.ec2.SlaveTemplate></templates></hudson.plugins.ec2.EC2Cloud>
            </clouds></hudson>
            """)
        try neutralise()
        let root = try read("config.xml")
        #expect(root.contains("<label>docker jdk17 linux maven own</label>"), "\(root)")
        #expect(root.contains("<clouds></clouds>"))
    }

    @Test func aChangeOfTheLabelsOfACloudLeavesNothing() throws {
        func root(_ label: String) throws -> String {
            try write(
                "config.xml",
                "<hudson><clouds><a.Cloud><t><label>\(label)</label></t></a.Cloud></clouds></hudson>")
            var neutraliser = Neutraliser(keys: keys)
            neutraliser.cloudLabels = AgentLabels("production")
            try neutraliser.plan(for: home).apply(to: home)
            return try read("config.xml")
        }
        let one = try root("production")
        #expect(one.contains("<label>production</label>"))
        #expect(try root("gpu") == one)
    }

    @Test func everyOtherByteStays() throws {
        try makeHome()
        let before = try read("jobs/timed/config.xml")
        try neutralise()
        let after = try read("jobs/timed/config.xml")
        let changes = ["riggers", "Trigger", "authToken", "<url>", "<command>"]
        func others(_ text: String) -> [Substring] {
            text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
                !changes.contains { line.contains($0) }
            }
        }
        #expect(others(after) == others(before))
        #expect(others(after).count == 7)
        #expect(after.contains("<scm><url>https://ci:****@git.example.com/r.git</url></scm>"))
        #expect(after.contains("<command>curl -H ****; echo ****</command>"))
        let plain = try read("jobs/job-0/config.xml")
        #expect(plain == JenkinsHomeBuilder.freestyle("make 0"))
    }

    @Test func noSecretIsLeftAnywhere() throws {
        try makeHome()
        let original = try secretsOnDisk()
        #expect(!original.isEmpty, "the seeds are there to begin with")
        let plan = try neutralise()
        #expect(try secretsOnDisk() == [])
        for seed in Self.seeds { #expect(!plan.description.contains(seed)) }
        #expect(!plan.description.contains(keys.token))
        #expect(try read("keys.xml").contains("<token>${FROM_OUTSIDE}</token>"))
        #expect(try !read("users/admin_1/config.xml").contains("abababab"))
        #expect(try !read("users/admin_1/config.xml").contains("abcdefghijklmnopqrstuv"))
    }

    /// Files in which a seed or what looks like a secret is found.
    private func secretsOnDisk() throws -> [String] {
        var found: [String] = []
        try HomeFiles(home: home).walk { file in
            guard file.status.kind == .file else { return true }
            let bytes = try Files.read(file.place)
            let text = String(decoding: bytes, as: UTF8.self)
            for seed in Self.seeds where text.contains(seed) { found.append("\(file.path): \(seed)") }
            // <useToken>true</useToken> is a setting, and the scanner errs on the safe side.
            let scanned = Array(text.replacing("<useToken>true</useToken>", with: "").utf8)
            if let finding = unsafe scanned.withUnsafeBytes({ unsafe LeakScanner.find($0) }) {
                found.append("\(file.path): \(finding.kind)")
            }
            return true
        }
        return found
    }

    @Test func fieldsAreDecryptedByTheShadowsOwnKey() throws {
        try makeHome()
        try neutralise()
        let key = KeyChain.masterKey(try Files.read(home.appending("secrets/master.key")))
        let payload = try #require(
            KeyChain.unwrapped(try Files.read(home.appending("secrets/hudson.util.Secret")), key))
        for file in ["credentials.xml", "keys.xml", "jobs/timed/config.xml"] {
            let values = KeyChain.values(in: try Files.read(home.pushing(FilePath(file))))
            #expect(!values.isEmpty)
            for value in values { #expect(KeyChain.opens(value, Array(payload.prefix(16))), "\(file)") }
        }
        #expect(try Files.status(home.appending("secrets/master.key"))?.mode == 0o600)
    }

    @Test func equalHomesBecomeEqualAndKeysDecide() throws {
        try makeHome()
        let one = try Neutraliser(keys: keys).plan(for: home)
        let other = directory.appending("other")
        try Files.rename(home, to: other)
        try makeHome()
        #expect(try Neutraliser(keys: keys).plan(for: other) == one)
        let foreign = try Neutraliser(keys: ShadowKeys(experiment: [2])).plan(for: home)
        #expect(foreign != one)
        #expect(foreign.description == one.description, "what is told does not depend on the keys")
    }

    @Test func whatIsNoXMLIsMadeUnreadableForCertain() throws {
        try makeHome()
        // Jenkins' parser stops at the end of the root and would load this.
        try write(
            "jobs/tail/config.xml",
            "<project><triggers><a/></triggers></project> garbage <password>hunter2</password>")
        let plan = try neutralise()
        #expect(try read("jobs/tail/config.xml").hasSuffix("<unreadable>\n"))
        #expect(plan.notCovered.contains { $0.hasPrefix("jobs/tail/config.xml") })
        #expect(plan.notCovered.contains { $0.hasPrefix("jobs/broken/config.xml") })
    }

    @Test func aBareHomeGetsItsSettingsToo() throws {
        try write("config.xml", "<?xml version='1.1'?>\n<hudson/>\n")
        try neutralise()
        let root = try read("config.xml")
        #expect(root.hasSuffix("<slaveAgentPort>-1</slaveAgentPort>\n</hudson>\n"))
        let element = try XMLElement(document: Array(root.utf8))
        #expect(element.child("numExecutors")?.text == "2")
        #expect(element.child("securityRealm") != nil)
        #expect(Set(element.children.map(\.name)).count == element.children.count)
    }

    @Test func theUserThatMayLogInIsKnownToOldAndNewCores() throws {
        try makeHome()
        try neutralise()
        let list = try XMLElement(document: try Files.read(home.appending("users/users.xml")))
        let entries = (list.child("idToDirectoryNameMap")?.children ?? []).map { $0.children.map(\.text) }
        #expect(entries.contains { $0.first == "admin" }, "a user of production is still found")
        let directory = try #require(entries.first { $0.first == keys.user }?.last)
        let user = try read("users/\(directory)/config.xml")
        let hash = hex(SHA256.digest(Array(keys.token.dropFirst(2).utf8)))
        #expect(keys.token.count == 34 && user.contains("<hash>\(hash)</hash>"))
    }

    @Test func aPlanForAnotherFileIsNotApplied() throws {
        try makeHome()
        let plan = try Neutraliser(keys: keys).plan(for: home)
        try write("jobs/timed/config.xml", "<project><triggers/></project>")
        #expect(throws: NeutralisationPlan.Stale.self) { try plan.apply(to: home) }
        #expect(try read("jobs/timed/config.xml") == "<project><triggers/></project>")
        try neutralise()
    }

    @Test func linksAreNotFollowed() throws {
        try makeHome()
        let outside = directory.appending("outside.xml")
        try Files.replace(outside, with: Array("<project><triggers><a/></triggers></project>".utf8))
        try Files.makeDirectories(home.appending("jobs/linked"))
        try Files.makeLink(home.appending("jobs/linked/config.xml"), to: outside.byteArray)
        try Files.makeDirectories(directory.appending("elsewhere"))
        try Files.replace(directory.appending("elsewhere/queue.xml"), with: [1])
        try Files.makeLink(home.appending("jobs/link"), to: directory.appending("elsewhere").byteArray)
        try neutralise()
        #expect(try Files.read(outside).count == 44)
        #expect(try Files.exists(directory.appending("elsewhere/queue.xml")))
    }

    @Test func aLinkInPlaceOfADirectoryIsNotWrittenThrough() throws {
        try makeHome()
        let outside = directory.appending("outside")
        for name in ["secrets", "users"] {
            try Files.makeDirectories(outside.appending(name))
            try Files.removeTree(home.appending(name))
            try Files.makeLink(home.appending(name), to: outside.appending(name).byteArray)
        }
        let plan = try neutralise()
        #expect(try Files.names(outside.appending("secrets")).isEmpty)
        #expect(try Files.names(outside.appending("users")).isEmpty)
        #expect(try Files.status(home.appending("secrets"))?.kind == .directory)
        #expect(try exists("secrets/master.key") && exists("users/users.xml"))
        #expect(plan.notCovered.contains { $0.hasPrefix("plugins/ace-editor.jpi: it is a link to /usr/lib") })
    }

    @Test func whatIsNotLoadedIsSaid() throws {
        try makeHome()
        let plan = try Neutraliser(keys: keys).plan(for: home)
        #expect(
            plan.notCovered.contains(
                "config.xml: production's securityRealm (hudson.security.LDAPSecurityRealm) is not loaded"))
    }

    @Test(arguments: ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", ""])
    func throwAwayKeysAreOfTheirKindAndParse(_ kind: String) async throws {
        let pem = keys.privateKey(like: kind.isEmpty ? "{AQAA}" : "-----BEGIN \(kind)-----")
        #expect(pem.hasPrefix("-----BEGIN \(kind.isEmpty ? "RSA PRIVATE KEY" : kind)-----\n"))
        #expect(pem == keys.privateKey(like: pem))
        let file = directory.appending("key")
        try Files.replace(file, with: Array(pem.utf8), mode: 0o600)
        if kind == "OPENSSH PRIVATE KEY" {
            let output = try await Program("ssh-keygen", ["-y", "-f", file.string]).runSuccessfully().output
            #expect(output.hasPrefix("ssh-ed25519 "))
        } else {
            try await Program("openssl", ["pkey", "-in", file.string, "-check", "-noout"]).runSuccessfully()
        }
    }
}
