import Cryptography
import Drivers
import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// On the real environment: what is frozen is enough to make it again.
@Suite(.serialized, .enabled(if: BuildbotFixture.isAvailable, Comment(rawValue: BuildbotFixture.whySkipped)))
struct BuildbotEnvironmentTests {
    @Test func anEnvironmentMadeAgainOfflineFreezesToTheSameBytes() async throws {
        try await withTemporaryDirectory { directory in
            let environment = try #require(BuildbotFixture.availableEnvironment)
            let cache = directory.appending("cache")
            let first = try await freeze(environment, in: directory, cache: cache)
            #expect(first.frozen.unreadable.isEmpty)
            #expect(first.lock.contains("\nbuildbot==4.3.0 wheels/buildbot-4.3.0-py3-none-any.whl sha256:"))
            #expect(first.lock.contains("\npip==") && first.lock.contains("\nsetuptools=="))

            let made = directory.appending("final/environment")
            try Files.makeDirectories(made.removingLastComponent())
            try await rebuild(first.frozen, at: made, from: environment, in: directory)
            let again = try await freeze(made, in: directory, cache: directory.appending("other-cache"))
            #expect(again.lock == first.lock)
            #expect(again.frozen.artifacts.map(\.name) == first.frozen.artifacts.map(\.name))

            // It works, from its final place, and nothing in it names the place where it was made.
            let version = try await Program(made.appending("bin/buildbot").string, ["--version"])
                .runSuccessfully()
            #expect(version.output.contains("Buildbot version: 4.3.0"))
            let check = try await Program(
                made.appending("bin/pip").string, ["check"], environment: ["PIP_CONFIG_FILE": "/dev/null"]
            ).run()
            #expect(check.status == 0, "\(check.output)")
            let search = try await Program("grep", ["-rl", "--", "\(directory)/staging", made.string]).run()
            #expect(search.output.isEmpty)
            let driver = try makeDriver(master: "/nowhere", ["environment": .text(made.string)])
            #expect(try await driver.version() == "4.3.0")
        }
    }

    @Test func anUnchangedEnvironmentIsNotPackedAgainAndADamagedCacheIs() async throws {
        try await withTemporaryDirectory { directory in
            let environment = try #require(BuildbotFixture.availableEnvironment)
            let cache = directory.appending("cache")
            let first = try await freeze(environment, in: directory, cache: cache)
            let file = try #require(
                first.frozen.artifacts.first { $0.name.hasPrefix("wheels/buildbot-4") }?.file)
            let other = try #require(first.frozen.artifacts.first { $0.name.hasPrefix("wheels/pip-") }?.file)
            let before = try Files.status(file)
            try Files.replace(other, with: [0])
            let second = try await freeze(environment, in: directory, cache: cache)
            #expect(second.lock == first.lock)
            #expect(try Files.status(file)?.inode == before?.inode)
            #expect(try Files.read(other).count > 1000)
        }
    }

    @Test func filesOfNobodyComeBackAndBrokenPackagesAreNamed() async throws {
        try await withTemporaryDirectory { directory in
            let environment = directory.appending("environment")
            try await Program("/usr/bin/python3", ["-m", "venv", "--without-pip", environment.string])
                .runSuccessfully()
            let python = try Files.names(environment.appending("lib"))[0]
            let packages = environment.appending(
                "lib/\(String(decoding: python, as: UTF8.self))/site-packages")
            try install(
                "fine", in: packages,
                record: "fine.py,,\nfine-1.0.dist-info/METADATA,,\nfine-1.0.dist-info/WHEEL,,\n")
            try Files.replace(packages.appending("fine.py"), with: Array("x = 1\n".utf8))
            try install("legacy", in: packages, record: nil)
            try install("outside", in: packages, record: "../../../../../etc/passwd,,\n")
            try install("editable", in: packages, record: "x.pth,,\n")
            try Files.replace(
                packages.appending("editable-1.0.dist-info/direct_url.json"),
                with: Array(#"{"dir_info": {"editable": true}, "url": "file:///src"}"#.utf8))
            try Files.replace(packages.appending("site hook.pth"), with: Array("import sys\n".utf8))
            try Files.replace(
                environment.appending("bin/helper"),
                with: Array("#!\(environment)/bin/python\nprint(1)\n".utf8),
                mode: 0o755)
            try Files.replace(environment.appending("bin/activate-site"), with: Array("A=1\n".utf8))
            try Files.makeDirectory(environment.appending(".git"))
            try Files.replace(environment.appending(".git/HEAD"), with: Array("ref: x\n".utf8))
            try Files.makeLink(environment.appending("bin/alias"), to: Array("helper".utf8))

            let frozen = try await freeze(environment, in: directory, cache: directory.appending("cache"))
            let reasons = frozen.frozen.unreadable.map(\.reason)
            #expect(reasons.count == 3)
            #expect(reasons.contains { $0.hasPrefix("legacy 1.0 was not installed from a wheel") })
            #expect(reasons.contains { $0.hasPrefix("outside 1.0 owns ../../../../../etc/passwd") })
            #expect(reasons.contains { $0.hasPrefix("editable 1.0 is installed editable") })
            #expect(frozen.lock.contains("environment/bin/helper 755 sha256:"))
            #expect(frozen.lock.contains("environment/bin/alias -> helper"))
            #expect(frozen.lock.contains("environment/bin/activate-site 644 sha256:"))
            #expect(!frozen.lock.contains("environment/bin/activate "))
            #expect(frozen.lock.contains("site%20hook.pth 644 sha256:"))
            #expect(frozen.frozen.artifacts.contains { $0.name == "environment/%2Egit/HEAD" })

            // And back, somewhere else; without pip of its own, by the host's.
            let made = directory.appending("made")
            try await rebuild(frozen.frozen, at: made, from: environment, in: directory)
            let helper = try await Program(made.appending("bin/alias").string, []).runSuccessfully()
            #expect(helper.output == "1\n")
            #expect(try Files.read(made.appending(".git/HEAD")) == Array("ref: x\n".utf8))
            let fine = ["-c", "import fine; print(fine.x)"]
            let answer = try await Program(made.appending("bin/python").string, fine).runSuccessfully()
            #expect(answer.output == "1\n")
        }
    }

    /// The master beside it is captured all the same.
    @Test func anEnvironmentThatCannotBeFrozenIsAFault() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "/usr/bin/python3 -m venv --without-pip environment; mkdir master; echo >cache", in: directory
            )
            let environment = directory.appending("environment")
            let driver = try makeDriver(
                master: directory.appending("master"), ["environment": .text(environment.string)])
            let frozen = try await driver.freeze(scratch: directory, cache: directory.appending("cache"))
            #expect(frozen.faults.map(\.root) == ["environment"])
            let failure = try #require(frozen.faults.first?.failure)
            #expect(failure.description.contains("\(environment) cannot be captured: "), "\(failure)")
            #expect(!frozen.locks.contains { $0.name == "python.lock" })
        }
    }

    @Test func aLockOfAnotherPythonOrAnotherProcessorIsRefusedWithAHint() async throws {
        let lock = "# python 3.5.1\n# base /usr/bin/python3.5\n# platform linux-x86_64\n# owner 0 0\n"
        let refusals = try await refusals(lock)
        #expect(refusals.map(\.hint) == ["run: apt-get install python3.5 python3.5-venv"])
        let version = try await Program(
            "/usr/bin/python3", ["-c", "import platform; print(platform.python_version(), end='')"]
        ).runSuccessfully().output
        let foreign = try await self.refusals(
            "# python \(version)\n# base /usr/bin/python3\n# platform linux-vax\n# owner 0 0\n")
        #expect(foreign.first?.reason.contains("linux-vax") == true)
    }

    @Test(arguments: [
        "environment/../../etc/cron.d/x 644 sha256:00", "x==1 wheels/../../x.whl sha256:00", "nonsense",
        "environment//etc/passwd 644 sha256:00",
    ]) func aLockThatLeadsElsewhereIsRefused(_ line: String) async throws {
        let header = "# python 3.11.2\n# base /usr/bin/python3\n# platform linux-x86_64\n# owner 0 0\n"
        #expect(
            try await refusals(header + line + "\n").first?.reason.contains("line 5 cannot be read") == true)
    }

    private func refusals(_ lock: String) async throws -> [Refusal] {
        var captured = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: [])
        captured.roots = [.init(name: "environment", path: "/srv/venv", kind: .rebuilt)]
        let driver = try makeDriver(master: "/nowhere", ["environment": .text("/srv/venv")])
        let locks = [Lock(name: "python.lock", contents: Array(lock.utf8))]
        return try await driver.preflight(CapturedTexts(locks: locks), captured: captured)
    }
}

/// Freezes an environment beside an empty master, whose own problems are left out.
private func freeze(
    _ environment: FilePath, in directory: FilePath, cache: FilePath
) async throws -> (frozen: Frozen, lock: String) {
    let master = directory.appending("no-master")
    let driver = try makeDriver(master: master, ["environment": .text(environment.string)])
    var frozen = try await driver.freeze(scratch: directory, cache: cache)
    frozen.unreadable.removeAll { $0.path.hasPrefix("master/") }
    let lock = try #require(frozen.locks.first { $0.name == "python.lock" })
    return (frozen, String(decoding: lock.contents, as: UTF8.self))
}

/// Does what a restore does: artifacts laid out, the environment made in a staging place and moved to its own.
private func rebuild(
    _ frozen: Frozen, at final: FilePath, from captured: FilePath, in directory: FilePath
) async throws {
    let artifacts = directory.appending("artifacts")
    try layOut(frozen, in: artifacts)
    let staged = directory.appending("staging")
    var component = CapturedComponent(name: "ci", driver: "buildbot", version: nil, roots: [])
    component.roots = [.init(name: "environment", path: captured.string, kind: .rebuilt)]
    let root = Root(name: "environment", path: final.string, kind: .rebuilt)
    let driver = try makeDriver(master: "/nowhere", ["environment": .text(final.string)])
    try await driver.rebuild(
        StagedComponent(
            captured: component, roots: [.init(root: root, staged: staged, live: nil)], artifacts: artifacts,
            resumesWork: false, capturedHost: "ci"))
    try Files.rename(staged, to: final)
}

/// Lays artifacts and locks out by their names.
func layOut(_ frozen: Frozen, in directory: FilePath) throws {
    for artifact in frozen.artifacts {
        let place = directory.appending(artifact.name)
        try Files.makeDirectories(place.removingLastComponent())
        try Files.replace(place, with: Files.read(artifact.file))
    }
    try Files.makeDirectories(directory)
    for lock in frozen.locks { try Files.replace(directory.appending(lock.name), with: lock.contents) }
}

private func install(_ name: String, in packages: FilePath, record: String?) throws {
    let information = packages.appending("\(name)-1.0.dist-info")
    try Files.makeDirectory(information)
    try Files.replace(
        information.appending("METADATA"),
        with: Array("Metadata-Version: 2.1\nName: \(name)\nVersion: 1.0\n".utf8))
    try Files.replace(
        information.appending("WHEEL"), with: Array("Wheel-Version: 1.0\nTag: py3-none-any\n".utf8))
    if let record {
        try Files.replace(information.appending("RECORD"), with: Array(record.utf8))
    }
}
