import Drivers
import FileTree
import Programs
import SnapshotModel
import SQLite
import SystemPackage
import TestSupport
import Testing

/// On a real master and a real worker.
@Suite(.serialized, .enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct BuildbotLiveTests {
    @Test func aRunningSystemIsDetectedAndFrozenHotUnderBuilds() async throws {
        try await BuildbotFixture.with(workers: ["w1", "w2"]) { fixture in
            try await fixture.start()
            let found = try #require(try BuildbotDriver.detect(fixture.directory))
            #expect(found.settings["master"] == .text(fixture.master.string))
            #expect(found.settings["workers"] == .list(fixture.workers.map(\.string)))
            #expect(found.settings["url"] == .text(fixture.url))

            let driver = try driver(fixture)
            #expect(try driver.roots().map(\.name) == ["master", "workers/w1", "workers/w2", "environment"])
            #expect(try await driver.version() == "4.3.0")
            for _ in 0..<6 { _ = try await fixture.force("probe") }
            for round in 0..<10 {
                let scratch = fixture.directory.appending("scratch-\(round)")
                try Files.makeDirectory(scratch)
                let frozen = try await freeze(driver, fixture, scratch: scratch)
                #expect(frozen.unreadable.isEmpty)
                #expect(frozen.replacements.map(\.path) == [EntryPath("state.sqlite")])
                #expect(frozen.replacements.map(\.root) == ["master"])
            }
            #expect(try await fixture.build("probe") == 0)

            let scratch = fixture.directory.appending("scratch")
            try Files.makeDirectory(scratch)
            let frozen = try await freeze(driver, fixture, scratch: scratch)
            let items = try driver.inventory(of: CapturedTexts(locks: frozen.locks)).items
            func names(_ kind: String) -> [String] { items.filter { $0.kind == kind }.map(\.name) }
            #expect(names("builder") == ["application", "deploy", "probe", "watch"])
            #expect(
                names("scheduler")
                    == ["after-release", "commits", "force", "hourly", "nightly", "release", "triggered"])
            #expect(names("worker") == ["w1", "w2"])
            #expect(names("change-source") == [fixture.repository.string])
            #expect(
                items.first { $0.kind == "builder" }?.detail
                    == "compiles and checks every commit; workers: w1, w2; tags: build")
            #expect(items.first { $0.kind == "package" && $0.name == "Twisted" }?.version != nil)
            let live = try #require(driver.lifecycle)
            #expect(try await live.problems().isEmpty)
        }
    }

    /// What a snapshot says of the component: nothing that a lifecycle of Buildbot needs.
    private let captured = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: [])

    @Test func itStopsStartsAndSaysWhatIsInTheWay() async throws {
        try await BuildbotFixture.with(relocatable: false) { fixture in
            let live = try #require(try driver(fixture).lifecycle)
            #expect(try await !live.isRunning())
            #expect(try await live.obstacles(to: captured).isEmpty)
            #expect(try await live.problems() == ["the master \(fixture.master) does not run"])
            try await live.start()
            try await live.waitUntilReady(limit: .seconds(60))
            #expect(try await live.isRunning())
            #expect(try await live.problems().isEmpty)
            #expect(
                try await live.obstacles(to: captured).first?.reason.contains("in use by process") == true)
            // A start of what runs already changes nothing.
            try await live.start()
            #expect(try await fixture.build("probe") == 0)
            try await live.stop()
            #expect(try await !live.isRunning())

            // Without the web interface the database says when it is ready.
            let quiet = try #require(try driver(fixture, url: nil).lifecycle)
            try await quiet.start()
            try await quiet.waitUntilReady(limit: .seconds(60))
            // A worker that is gone is a problem, and told by its name.
            try await endWorker(fixture)
            #expect(try await quiet.problems() == ["the worker \(fixture.workers[0]) does not run"])
            try await quiet.stop()
        }
    }

    @Test func aStartCompletesWhatRunsInPart() async throws {
        try await BuildbotFixture.with(relocatable: false) { fixture in
            let live = try #require(try driver(fixture).lifecycle)
            try await live.start()
            try await live.waitUntilReady(limit: .seconds(60))
            #expect(try await live.isComplete())
            try await endWorker(fixture)
            #expect(try await live.isRunning())
            #expect(try await !live.isComplete())
            try await live.start()
            try await live.waitUntilReady(limit: .seconds(60))
            #expect(try await live.isComplete())
        }
    }

    @Test func aServiceThatIsTheMasterAloneLeavesNoWorkerDown() async throws {
        try await BuildbotFixture.with(relocatable: false) { fixture in
            let buildbot = fixture.environment.appending("bin/buildbot")
            let settings: [String: SettingValue] = [
                "workers": .list(fixture.workers.map(\.string)),
                "environment": .text(fixture.environment.string), "url": .text(fixture.url),
                "service": .map([
                    "start": "\(buildbot) start \(fixture.master)",
                    "stop": "\(buildbot) stop \(fixture.master)",
                ]),
            ]
            let live = try #require(try makeDriver(master: fixture.master, settings).lifecycle)
            for _ in 0..<2 {
                try await live.start()
                try await live.waitUntilReady(limit: .seconds(60))
                #expect(try await live.isComplete())
                try await live.stop()
                #expect(try await !live.isRunning())
            }
        }
    }

    @Test func aMasterWithoutItsDatabaseIsStoppedAllTheSame() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            // The master goes on writing while its directory goes away.
            try await shell(
                "for try in 1 2 3 4 5 6 7 8; do rm -rf \(fixture.master) && exit 0; sleep 0.1; done; exit 1",
                in: fixture.directory)
            let live = try #require(try driver(fixture).lifecycle)
            #expect(try await live.isRunning())
            try await live.stop()
            #expect(try await !live.isRunning())
        }
    }

    @Test func aPortThatAnotherProgramHoldsIsAnObstacle() async throws {
        try await BuildbotFixture.with { fixture in
            let server = fixture.directory.appending("server")
            try Files.makeDirectory(server)
            let command =
                "cd \(server) && \(fixture.environment)/bin/python -m http.server -b 127.0.0.1 \(fixture.port)"
                + " >/dev/null 2>&1 & until (: </dev/tcp/127.0.0.1/\(fixture.port)) 2>/dev/null; do sleep 0.05; done"
            try await Program("/bin/bash", ["-c", command]).runSuccessfully()
            let live = try #require(try driver(fixture).lifecycle)
            let reasons = try await live.obstacles(to: captured).map(\.reason)
            #expect(reasons.first?.contains("port \(fixture.port)") == true)
        }
    }

    @Test func aMasterThatCannotStartSaysWhy() async throws {
        try await BuildbotFixture.with { fixture in
            try Files.replace(
                fixture.master.appending("master.cfg"), with: Array("raise Exception('broken')\n".utf8))
            let live = try #require(try driver(fixture).lifecycle)
            let failure = await #expect(throws: DriverFailure.self) { try await live.start() }
            #expect(failure?.description.contains("Exception: broken") == true)
            #expect(failure?.hint.contains("\(fixture.master)/twistd.log, which a restore") == true)
        }
    }

    @Test func whatWasRunningDoesNotRunAgainOnAnotherPathAndHistoryStays() async throws {
        try await BuildbotFixture.with(relocatable: false) { fixture in
            try await fixture.start()
            #expect(try await fixture.build("deploy") == 0)
            _ = try await fixture.force("deploy", seconds: 600)
            try await wait("the second deployment") { try fixture.deploymentCount() == 2 }
            // One worker, one build at a time per builder: this one waits.
            _ = try await fixture.force("deploy", seconds: 600)
            let driver = try driver(fixture)
            let staged = try await stage(driver, fixture, host: try hostName())
            try await fixture.stop()
            let wasComplete = try rows(staged.database, "SELECT number FROM builds WHERE results = 0")

            let fixes = try await staged.driver.afterRestore(staged.component)
            let subjects = fixes.map(\.subject)
            #expect(subjects.contains("build deploy #2"))
            #expect(subjects.contains { $0.hasPrefix("request ") && $0.contains(" for deploy (") })
            #expect(subjects.contains("scheduler hourly"))
            #expect(subjects.contains("master \(try hostName()):\(fixture.master)"))
            #expect(subjects.contains("master/buildbot.tac") && subjects.contains("workers/w1/buildbot.tac"))
            #expect(try Files.status(staged.database)?.modified.seconds == staged.modified)

            try exchange(staged)
            let live = try #require(staged.driver.lifecycle)
            try await live.start()
            try await live.waitUntilReady(limit: .seconds(60))
            #expect(try await live.problems().isEmpty)
            // Were it to run again it would have by now: a new build comes through.
            #expect(try await fixture.build("probe") == 0)
            #expect(try fixture.deploymentCount() == 2)
            #expect(try await fixture.build("deploy") == 0)
            #expect(try fixture.deploymentCount() == 3)
            let database = staged.final.appending("master/state.sqlite")
            #expect(try rows(database, "SELECT count(*) FROM masters") == ["1"])
            #expect(try rows(database, "SELECT count(*) FROM builds WHERE results = 5") == ["0"])
            let deploys = """
                SELECT x.number || ':' || x.results FROM builds x JOIN builders b ON b.id = x.builderid
                WHERE b.name = 'deploy' ORDER BY x.number
                """
            #expect(try rows(database, deploys) == ["1:0", "2:6", "3:0"])
            #expect(wasComplete.count >= 1)
            try await live.stop()
            try await BuildbotFixture.endProcesses(in: staged.final)
        }
    }

    @Test func workInFlightGoesOnWhenThatIsAskedFor() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            _ = try await fixture.force("deploy", seconds: 600)
            try await wait("the deployment") { try fixture.deploymentCount() == 1 }
            let driver = try driver(fixture)
            var staged = try await stage(driver, fixture, host: try hostName())
            try await fixture.stop()
            staged.component.resumesWork = true
            let fixes = try await staged.driver.afterRestore(staged.component)
            #expect(!fixes.contains { $0.subject.hasPrefix("build ") })
            try exchange(staged)
            let live = try #require(staged.driver.lifecycle)
            try await live.start()
            try await live.waitUntilReady(limit: .seconds(60))
            try await wait("the deployment to run again") { try fixture.deploymentCount() == 2 }
            try await live.stop()
            try await BuildbotFixture.endProcesses(in: staged.final)
        }
    }

    @Test func aDatabaseThatNeedsNothingKeepsItsBytes() async throws {
        try await BuildbotFixture.with { fixture in
            try await fixture.start()
            #expect(try await fixture.build("probe") == 0)
            try await fixture.stop()
            let driver = try driver(fixture)
            // As it would be without a scheduler that runs by the clock.
            let live = try Database(fixture.master.appending("state.sqlite"), .writing)
            try live.execute("DELETE FROM object_state WHERE name = 'last_build'")
            _ = consume live
            var staged = try await stage(driver, fixture, host: try hostName())
            staged.component.roots = staged.component.roots.map { root in
                var root = root
                root.root.path =
                    staged.component.captured.roots.first { $0.name == root.root.name }?.path ?? ""
                return root
            }
            let before = try Files.read(staged.database)
            #expect(try await driver.afterRestore(staged.component) == [])
            #expect(try Files.read(staged.database) == before)
            #expect(
                try Files.names(staged.database.removingLastComponent()).allSatisfy { !$0.contains(0x7e) })
            // On another host it is another master: one row changes.
            staged.component.capturedHost = "elsewhere"
            try await Program(
                "sqlite3", [staged.database.string, "UPDATE masters SET name = 'elsewhere:/x'"]
            ).runSuccessfully()
            let fixes = try await driver.afterRestore(staged.component)
            #expect(fixes.map(\.subject) == ["master elsewhere:/x"])
        }
    }
}

// MARK: -

private func driver(_ fixture: BuildbotFixture, url: String? = "") throws -> BuildbotDriver {
    var settings: [String: SettingValue] = [
        "workers": .list(fixture.workers.map(\.string)), "environment": .text(fixture.environment.string),
    ]
    if let url { settings["url"] = .text(url.isEmpty ? fixture.url : url) }
    return try makeDriver(master: fixture.master, settings)
}

/// Ends the first worker and waits until it is gone.
private func endWorker(_ fixture: BuildbotFixture) async throws {
    let file = fixture.workers[0].appending("twistd.pid")
    try await shell("pid=$(cat \(file)); kill $pid; tail --pid=$pid -f /dev/null", in: fixture.directory)
}

private func freeze(
    _ driver: BuildbotDriver, _ fixture: BuildbotFixture, scratch: FilePath
) async throws -> Frozen {
    let cache = fixture.directory.appending("cache")
    try Files.makeDirectories(cache)
    return try await driver.freeze(scratch: scratch, cache: cache)
}

/// A restore by hand: what is captured lies in a staging place, and will stand at `final`.
private struct Staged {
    var component: StagedComponent
    var driver: BuildbotDriver
    var database: FilePath
    var modified: Int64
    var final: FilePath
}

private func stage(_ driver: BuildbotDriver, _ fixture: BuildbotFixture, host: String) async throws -> Staged
{
    let scratch = fixture.directory.appending("scratch")
    let staging = fixture.directory.appending("staging")
    let final = fixture.directory.appending("final")
    for directory in [scratch, staging, final] { try Files.makeDirectory(directory) }
    let frozen = try await freeze(driver, fixture, scratch: scratch)
    #expect(frozen.unreadable.isEmpty)
    var captured = CapturedComponent(name: "ci", driver: "buildbot", version: "4.3.0", roots: [])
    var roots: [StagedComponent.StagedRoot] = []
    for root in try driver.roots() where root.kind == .directory {
        captured.roots.append(.init(name: root.name, path: root.path, kind: root.kind))
        let name = FilePath(root.name).lastComponent?.string ?? ""
        let place = staging.appending(name)
        // What git maintains by itself in there changes while it is copied, and is derived.
        try Files.makeDirectory(place)
        try await shell(
            "tar --exclude ./gitpoller-work --create . | tar --extract --preserve-permissions --directory '\(place)'",
            in: FilePath(root.path))
        try removeDerived(place, driver.classification(of: root.name), .root)
        let there = Root(name: root.name, path: final.appending(name).string)
        roots.append(.init(root: there, staged: place, live: nil))
    }
    let database = staging.appending("master/state.sqlite")
    let copy = try #require(frozen.replacements.first?.copy)
    try await Program("cp", [copy.string, database.string]).runSuccessfully()
    let modified = try #require(try Files.status(database)?.modified.seconds)
    let settings: [String: SettingValue] = [
        "workers": .list(fixture.workerNames.map { final.appending($0).string }),
        "environment": .text(fixture.environment.string), "url": .text(fixture.url),
    ]
    let component = StagedComponent(
        captured: captured, roots: roots, artifacts: nil, resumesWork: false, capturedHost: host)
    return Staged(
        component: component, driver: try makeDriver(master: final.appending("master"), settings),
        database: database, modified: modified, final: final)
}

private func removeDerived(_ directory: FilePath, _ classes: Classification, _ below: EntryPath) throws {
    for name in try Files.names(directory) {
        let path = below.appending(name)
        let file = directory.appending(String(decoding: name, as: UTF8.self))
        let isDirectory = try Files.status(file)?.kind == .directory
        if classes.entryClass(of: path, isDirectory: isDirectory) == .derived {
            try Files.removeTree(file)
        } else if isDirectory {
            try removeDerived(file, classes, path)
        }
    }
}

/// Puts the staged directories where they shall stand, and takes the old ones away.
private func exchange(_ staged: Staged) throws {
    for root in staged.component.roots {
        try Files.rename(root.staged, to: FilePath(root.root.path))
    }
}

private func rows(_ database: FilePath, _ question: String) throws -> [String] {
    try Database(database, .reading).rows(question).compactMap { $0[0] }
}

private func hostName() throws -> String {
    let bytes = try Files.read("/proc/sys/kernel/hostname")
    return String(decoding: bytes.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
}
