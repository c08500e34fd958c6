import FileTree
import FoundationEssentials
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

/// What is done to a restored home before Jenkins starts on it.
@Suite struct JenkinsFixesTests {
    private let directory: ScratchDirectory
    private let home: FilePath

    init() throws {
        directory = try ScratchDirectory()
        home = directory.appending("home")
        var builder = JenkinsHomeBuilder(home)
        (builder.plugins, builder.jobs, builder.builds) = (2, 1, 1)
        try builder.make()
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

    private func fix(resumesWork: Bool = false) throws -> [String: String] {
        let fixes = try JenkinsFixes(staged: home, live: nil, resumesWork: resumesWork).run()
        return Dictionary(uniqueKeysWithValues: fixes.map { ($0.subject, $0.action) })
    }

    @Test func onlyWhatJenkinsMakesAgainIsTakenOutOfThePlugins() throws {
        for path in [
            "git.jpi", "git/WEB-INF/a", "old.hpi", "old.jpi", "unpacked.jpi/WEB-INF/a", "byhand/WEB-INF/a",
        ] {
            try write("plugins/\(path)", "x")
        }
        let fixes = try fix()
        for path in ["git", "old.hpi"] {
            #expect(try !exists("plugins/\(path)") && fixes["plugins/\(path)"] != nil, "\(path)")
        }
        for path in ["git.jpi", "old.jpi", "unpacked.jpi/WEB-INF/a", "byhand/WEB-INF/a"] {
            #expect(try exists("plugins/\(path)"), "\(path)")
        }
    }

    @Test func numbersThatJenkinsCannotHaveArePassedOver() throws {
        for name in ["9223372036854775807", "2147483647", "41"] {
            try write("jobs/big/builds/\(name)/build.xml", "<build/>")
        }
        try write("jobs/big/nextBuildNumber", "9223372036854775807\n")
        _ = try fix()
        #expect(try read("jobs/big/nextBuildNumber") == "42\n")
    }

    private static func build(_ more: String, done: Bool = false) -> String {
        """
        <?xml version='1.1' encoding='UTF-8'?>
        <flow-build plugin="workflow-job@1400">
          <actions/>\(more)
          <duration>0</duration>
          <execution class="org.jenkinsci.plugins.workflow.cps.CpsFlowExecution">
            <result>SUCCESS</result>
            <script>echo &apos;a&apos; &#x1b;</script>
            <done>\(done)</done>
          </execution>
        </flow-build>

        """
    }

    private func makeBuild(_ path: String, _ document: String) throws {
        try write("\(path)/build.xml", document)
        try write("\(path)/program.dat", "what it is about to do")
    }

    @Test func aPipelineThatRanIsAbortedAndEveryOtherByteOfItsBuildStays() throws {
        let deploy = "jobs/team/jobs/deploy/builds/7"
        try makeBuild(deploy, Self.build("\n  <result>UNSTABLE</result>\n  <completed>false</completed>"))
        let branch = "jobs/service/branches/feature-x.abc123/builds/2"
        try makeBuild(branch, Self.build(""))
        try Files.setMode(home.pushing(FilePath(deploy)).appending("build.xml"), 0o640)
        let fixes = try fix()
        #expect(fixes[deploy]?.hasPrefix("aborted: it was running, and would go on") == true)
        #expect(fixes[branch]?.hasPrefix("aborted:") == true)
        #expect(
            try read("\(deploy)/build.xml")
                == Self.build("\n  <result>ABORTED</result>\n  <completed>true</completed>", done: true))
        #expect(try Files.status(home.pushing(FilePath(deploy)).appending("build.xml"))?.mode == 0o640)
        let changed = try read("\(branch)/build.xml")
        #expect(
            changed.contains("<completed>true</completed>") && changed.contains("<result>ABORTED</result>"))
        #expect(try !exists("\(deploy)/program.dat") && !exists("\(branch)/program.dat"))
    }

    @Test func whatHadEndedAndWhatShallGoOnIsLeft() throws {
        let ended = Self.build("\n  <result>SUCCESS</result>\n  <completed>true</completed>", done: true)
        try makeBuild("jobs/team/jobs/deploy/builds/6", ended)
        let running = Self.build("\n  <completed>false</completed>")
        try makeBuild("jobs/team/jobs/deploy/builds/7", running)
        #expect(try fix(resumesWork: true).keys.allSatisfy { !$0.contains("/builds/") })
        #expect(try read("jobs/team/jobs/deploy/builds/7/build.xml") == running)
        #expect(try exists("jobs/team/jobs/deploy/builds/7/program.dat") && exists("queue.xml"))
        #expect(try fix().keys.filter { $0.contains("/builds/") } == ["jobs/team/jobs/deploy/builds/7"])
        #expect(try read("jobs/team/jobs/deploy/builds/6/build.xml") == ended)
    }

    @Test func aPipelineWhoseBuildCannotBeReadDoesNotGoOnEither() throws {
        let build = "jobs/team/jobs/deploy/builds/7"
        try makeBuild(build, "<flow-build><unclosed>")
        #expect(try fix()[build]?.contains("its build.xml cannot be read") == true)
        #expect(try read("\(build)/build.xml") == "<flow-build><unclosed>")
        #expect(try !exists("\(build)/program.dat"))
    }

    @Test func nothingIsChangedThroughALink() throws {
        let running = Self.build("")
        for name in ["build", "builds/9", "item/builds/9", "jobs/item/builds/9"] {
            let outside = directory.appending("outside").pushing(FilePath(name))
            try Files.makeDirectories(outside)
            try Files.replace(outside.appending("build.xml"), with: Array(running.utf8))
            try Files.replace(outside.appending("program.dat"), with: [])
        }
        func link(_ path: String, _ target: String) throws {
            let place = home.pushing(FilePath(path))
            try Files.removeTree(place)
            try Files.makeLink(place, to: directory.appending("outside").pushing(FilePath(target)).byteArray)
        }
        try link("jobs/job-0/builds/9", "build")
        try link("jobs/target/builds", "builds")
        try link("jobs/linked", "item")
        try link("jobs/team/jobs/inner/jobs", "jobs")
        #expect(try fix().keys.allSatisfy { !$0.hasSuffix("/9") })
        for name in ["build", "builds/9", "item/builds/9", "jobs/item/builds/9"] {
            let outside = directory.appending("outside").pushing(FilePath(name))
            #expect(try Files.exists(outside.appending("program.dat")))
            #expect(try Files.read(outside.appending("build.xml")) == Array(running.utf8))
        }
    }

    @Test func whatWaitedIsCountedAsJenkinsWritesIt() throws {
        let pipelines = "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml"
        var fixes = try fix()
        #expect(fixes["queue.xml"]?.hasPrefix("removed, with 1 queued request:") == true)
        #expect(fixes[pipelines]?.hasPrefix("removed, with 1 unfinished pipeline:") == true)
        try write(
            "queue.xml",
            "<hudson.model.Queue_-State>\n  <counter>4</counter>\n  <items/>\n</hudson.model.Queue_-State>\n")
        try write(
            pipelines,
            "<list>\n  <flow-owner/>\n  <flow-owner plugin=\"x\"><id>2</id></flow-owner>\n</list>\n")
        fixes = try fix()
        #expect(fixes["queue.xml"] == "removed: it names no queued request")
        #expect(fixes[pipelines]?.hasPrefix("removed, with 2 unfinished pipelines:") == true)
        #expect(try !exists("queue.xml") && !exists(pipelines))
    }
}
