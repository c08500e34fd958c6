import FileTree
import SnapshotModel
import SystemPackage
import Testing

@testable import Drivers

/// What changed inside configurations that jenkins-job-builder 6.5.0 wrote (`Tests/Fixtures/jenkins-jobs`).
@Suite struct JenkinsFacetsTests {
    private static func fixture(_ name: String) throws -> String {
        var path = FilePath(#filePath)
        for _ in 0..<3 { path.removeLastComponent() }
        return String(
            decoding: try Files.read(path.appending("Fixtures/jenkins-jobs/\(name).xml")), as: UTF8.self)
    }

    private func changes(_ before: [String: String], _ after: [String: String]) throws -> [Change] {
        let old = try JenkinsInventory(CapturedTexts(files: before)).inventory
        return old.changes(to: try JenkinsInventory(CapturedTexts(files: after)).inventory, component: "ci") {
            $0 < $1
        }
    }

    private func parts(_ name: String, _ edits: [(String, String)]) throws -> [String] {
        let text = try Self.fixture(name)
        var edited = text
        for (old, new) in edits {
            #expect(edited.contains(old), "\(old)")
            edited = edited.replacing(old, with: new)
        }
        let found = try changes(["jobs/a/config.xml": text], ["jobs/a/config.xml": edited])
        return found.flatMap { $0.parts ?? [] }.map { part in
            "\(part.aspect) \(part.name) \(part.change.rawValue): \(part.detail)\(part.lines.joined(separator: "|"))"
        }
    }

    @Test(arguments: [
        ("H 2 * * *", "H 3 * * *", "trigger TimerTrigger changed: H 2 * * * → H 3 * * *"),
        (
            ">staging<", ">production<",
            "parameter TARGET defaultValue changed: staging → production"
        ),
        ("make test\n", "make check\n", "step Shell changed:  make clean|-make test|+make check"),
        (
            "origin/main", "origin/next",
            "source GitSCM branches BranchSpec name changed: origin/main → origin/next"
        ),
        ("Item.Build:alice", "Item.Build:bob", "right hudson.model.Item.Build:alice removed: "),
        (
            ">30<", ">60<",
            "wrapper BuildTimeoutWrapper strategy AbsoluteTimeOutStrategy timeoutMinutes changed: 30 → 60"
        ),
        (
            "<artifacts>out/**", "<artifacts>dist/**",
            "publisher ArtifactArchiver artifacts changed: out/** → dist/**"
        ),
        ("<canRoam>true", "<canRoam>false", "setting canRoam changed: true → false"),
        ("Brings the", "Takes the", "description  changed: Brings the"),
    ])
    func everyPartOfAJobIsToldByItsName(old: String, new: String, words: String) throws {
        let found = try parts("deploy", [(old, new)])
        #expect(found.first?.hasPrefix(words) == true, "\(found)")
    }

    @Test func aScriptIsToldLineByLineAndATriggerOfAPipelineIsATrigger() throws {
        #expect(
            try parts("pipeline", [("agent any", "agent none")])
                == [
                    "script  changed:  pipeline {|-  agent any|+  agent none|   stages { stage(\"one\") { steps { sh \"make\" } } }| }"
                ])
        #expect(
            try parts("pipeline", [("@daily", "@weekly")]) == [
                "trigger TimerTrigger changed: @daily → @weekly"
            ])
    }

    @Test func aPasswordIsNeverShown() throws {
        let found = try parts("deploy", [("hunter2", "hunter3")])
        #expect(found == ["parameter TOKEN value changed: "])
        let encrypted = try parts("deploy", [("<artifacts>out/**", "<artifacts>{AQAAABAAAAAQsecret}")])
        #expect(encrypted == ["publisher ArtifactArchiver artifacts changed: "])
    }

    @Test func whatJenkinsRewritesByItselfAndOrdersThatMeanNothingAreNoChange() throws {
        let text = try Self.fixture("pipeline")
        let mark =
            "<org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction plugin=\"pipeline-model-definition@2\"/>"
        let same = text.replacing("<actions/>", with: "<actions>\(mark)</actions>")
            .replacing("plugin=\"workflow-job\"", with: "plugin=\"workflow-job@1436\"")
            .replacing("version=\"1.0\"", with: "version=\"1.1\"")
        #expect(try changes(["jobs/a/config.xml": text], ["jobs/a/config.xml": same]).isEmpty)
        let deploy = try Self.fixture("deploy")
        let read = "      <permission>hudson.model.Item.Read:alice</permission>\n"
        let build = "      <permission>hudson.model.Item.Build:alice</permission>\n"
        let turned = deploy.replacing(read + build, with: build + read)
        #expect(turned != deploy)
        #expect(try changes(["jobs/a/config.xml": deploy], ["jobs/a/config.xml": turned]).isEmpty)
        #expect(
            try parts(
                "deploy",
                [
                    ("make deploy", "@@"), ("make clean\nmake test\n", "make deploy"),
                    ("@@", "make clean\nmake test\n"),
                ])
                == ["step  reordered: "])
    }

    @Test func aJobThatWentIntoAFolderAndChangedIsOneRename() throws {
        let text = try Self.fixture("deploy")
        let found = try changes(
            ["jobs/deploy/config.xml": text],
            [
                "jobs/team/config.xml": "<com.cloudbees.hudson.plugins.folder.Folder/>",
                "jobs/team/jobs/ship/config.xml": text.replacing("H 2 * * *", with: "H 4 * * *"),
            ])
        #expect(
            found.map { "\($0.was ?? "") \($0.name) \($0.change.rawValue)" } == [
                " team added", "deploy team/ship renamed",
            ])
        #expect(found[1].parts?.map(\.aspect) == ["trigger"])
    }

    @Test func rightsOfUsersAgentsAndLoginsAreToldAndLastLoginsAreNot() throws {
        func root(_ rights: [String]) -> String {
            "<hudson><version>2.462.3</version><numExecutors>2</numExecutors><authorizationStrategy class=\"hudson.security.GlobalMatrixAuthorizationStrategy\">"
                + rights.map { "<permission>\($0)</permission>" }.joined()
                + "</authorizationStrategy><securityRealm class=\"hudson.security.LDAPSecurityRealm\"><password>hunter2</password></securityRealm></hudson>"
        }
        let before = root(["USER:hudson.model.Hudson.Read:alice", "GROUP:hudson.model.Item.Build:ops"])
        let after = root([
            "GROUP:hudson.model.Item.Build:ops", "USER:hudson.model.Hudson.Administer:alice",
            "hudson.model.Hudson.Read:bob",
        ]).replacing("hunter2", with: "hunter3").replacing("2.462.3", with: "2.516.1")
        let found = try changes(["config.xml": before], ["config.xml": after])
        #expect(
            found.map { "\($0.kind) \($0.name) \($0.change.rawValue)" } == [
                "rights alice changed", "rights bob added", "system config.xml changed",
            ])
        #expect(
            found[0].parts?.map { "\($0.change.rawValue) \($0.name)" } == [
                "removed hudson.model.Hudson.Read", "added hudson.model.Hudson.Administer",
            ])
        #expect(!"\(found)".contains("hunter"))
        func user(_ stamp: String) -> String {
            "<user><id>alice</id><properties><jenkins.security.LastGrantedAuthoritiesProperty><timestamp>\(stamp)</timestamp>"
                + "</jenkins.security.LastGrantedAuthoritiesProperty></properties></user>"
        }
        #expect(try changes(["users/a/config.xml": user("1")], ["users/a/config.xml": user("2")]).isEmpty)
        func node(_ label: String) -> String { "<slave><name>n</name><label>\(label)</label></slave>" }
        let agent = try changes(
            ["nodes/n/config.xml": node("linux")], ["nodes/n/config.xml": node("linux arm")])
        #expect(agent.first?.parts?.map(\.detail) == ["linux → linux arm"])
    }

    /// Where that file cannot be read, or is sealed, they are neither gone nor told.
    @Test func whatStandsInTheFileOfSomethingElseNamesIt() throws {
        let view = "<hudson.model.ListView><name>all</name></hudson.model.ListView>"
        let right = "<permission>hudson.model.Hudson.Read:bob</permission>"
        let credential = "<x.Credentials><id>deploy</id><secret>{AQAAABAAAAAQabcd}</secret></x.Credentials>"
        let property = "x.FolderCredentialsProvider_-FolderCredentialsProperty"
        let home = CapturedTexts(files: [
            "config.xml":
                "<hudson><views>\(view)</views><authorizationStrategy>\(right)</authorizationStrategy></hudson>",
            "jobs/team/config.xml":
                "<folder><properties><\(property)>\(credential)</\(property)></properties></folder>",
        ])
        let items = try JenkinsInventory(home).inventory.items
        for (kind, file) in [
            ("view", "config.xml"), ("rights", "config.xml"), ("credential", "jobs/team/config.xml"),
        ] {
            #expect(items.first { $0.kind == kind }?.files == [EntryPath(file)], "\(kind)")
        }
    }

    @Test func theConfigurationHistorySaysWhoAndWhy() throws {
        func entry(_ operation: String, _ more: String = "") -> String {
            "<hudson.plugins.jobConfigHistory.HistoryDescr><user>Alice A.</user><userId>alice</userId><operation>\(operation)</operation>"
                + "<timestamp>2026-11-25_10-00-00</timestamp>\(more)</hudson.plugins.jobConfigHistory.HistoryDescr>"
        }
        let home = CapturedTexts(files: [
            "config-history/jobs/team/jobs/deploy/2026-11-25_10-00-00/history.xml": entry(
                "Renamed", "<oldName>team/ship</oldName><currentName>team/deploy</currentName>"),
            "config-history/jobs/team/jobs/deploy/2026-11-25_11-00-00/history.xml": entry(
                "Changed", "<changeReasonComment>too slow</changeReasonComment>"),
            "config-history/jobs/team/jobs/deploy_deleted_20261101_000000_1/2026-11-01_00-00-00/history.xml":
                entry("Deleted"),
            "config-history/jobs/other/2026-11-25_10-00-00/history.xml": entry("Created"),
            "config-history/jobs/team/jobs/deploy/broken/history.xml": "<no",
        ])
        let deeds = try JenkinsDeeds(of: "job", "team/deploy", in: home).deeds
        #expect(deeds.map(\.what).sorted() == ["Changed", "Deleted", "Renamed"])
        #expect(deeds.allSatisfy { $0.who == "Alice A. (alice)" && $0.time > 1_700_000_000 })
        #expect(deeds.first { $0.what == "Renamed" }?.was == "team/ship")
        #expect(deeds.first { $0.what == "Changed" }?.why == "too slow")
    }
}
