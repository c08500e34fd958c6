import FileTree
import Glibc
import Judge
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Shadow

/// Programs that take more than they may, in real sandboxes, held by our own watch and by the kernel.
@Suite struct AllowanceTests {
    private static let watch = LimitKeeper(watchingBecause: "it is a test")

    /// Why the kernel cannot be tried here; nil where it can.
    static let whyNoKernel: String? = {
        do {
            _ = try ControlGroupPlace.find()
            return nil
        } catch {
            return
                "SKIPPED: no control groups can be made here, make machine tries it where they can: \(error)"
        }
    }()

    private func sandbox(_ directory: FilePath) throws -> Sandbox {
        Sandbox(
            launcher: try CommandLineRunner.builtBinary(),
            mounts: [.init(directory, at: "/srv/ci", isWritable: true)], hostName: "shadow")
    }

    private func python(_ script: String) -> Program { Program("/usr/bin/python3", ["-c", script]) }

    /// Takes memory piece by piece, and touches it.
    private let hog = "import time\nkept = []\nwhile True: kept.append(b'x' * (8 << 20)); time.sleep(0.005)"

    /// Runs a program that is to be ended for what it uses.
    private func breach(
        of program: Program, _ limits: ShadowLimits, _ keeper: LimitKeeper, _ directory: FilePath
    ) async throws -> Breach {
        let allowance = try keeper.allowance("a\(UInt32.random(in: 0 ... .max))", limits)
        let breach = await #expect(throws: Breach.self) {
            _ = try await SandboxProcess.run(
                program, in: sandbox(directory), within: allowance,
                log: directory.appending("log-\(UInt32.random(in: 0 ... .max))"))
        }
        return try #require(breach)
    }

    @Test func whatTakesTooMuchMemoryIsEndedAndNamed() async throws {
        try await withTemporaryDirectory { directory in
            let breach = try await breach(
                of: python(hog), ShadowLimits(memory: 160 << 20), Self.watch, directory)
            #expect(breach.isItsOwn)
            #expect(breach.description.contains("and may use 160 MiB"), "\(breach)")
            #expect(breach.description.contains("of its processes python3 had the most"), "\(breach)")
        }
    }

    @Test func manyProcessesCountTogether() async throws {
        try await withTemporaryDirectory { directory in
            // None of them is beyond the limit by itself, and what they share counts once.
            let script = """
                import os, time
                shared = b'x' * (96 << 20)
                for number in range(4):
                    if os.fork() == 0:
                        own = b'y' * (32 << 20)
                        time.sleep(600)
                time.sleep(600)
                """
            let breach = try await breach(
                of: python(script), ShadowLimits(memory: 200 << 20), Self.watch, directory)
            #expect(breach.description.contains("and may use 200 MiB"), "\(breach)")
            let allowance = try Self.watch.allowance("b", ShadowLimits(memory: 320 << 20))
            var program = python(script.replacing("600", with: "3"))
            program.limit = .seconds(60)
            let outcome = try await SandboxProcess.run(
                program, in: sandbox(directory), within: allowance, log: directory.appending("log"))
            #expect(outcome.status == 0)
            let peak = try #require(try allowance.peak)
            #expect((96 << 20...320 << 20).contains(peak), "\(peak)")
        }
    }

    @Test func temporaryFilesAreMemory() async throws {
        try await withTemporaryDirectory { directory in
            let script =
                "f = open('/tmp/f', 'wb')\nfor _ in range(64): f.write(b'x' * (8 << 20))\nimport time; time.sleep(60)"
            let breach = try await breach(
                of: python(script), ShadowLimits(memory: 160 << 20), Self.watch, directory)
            #expect(breach.description.contains("and its temporary files"), "\(breach)")
        }
    }

    /// Others than root cannot start a process more, and their program says so itself.
    @Test(.enabled(if: getuid() == 0, "SKIPPED: only of root the kernel takes no notice"))
    func tooManyProcessesEndIt() async throws {
        try await withTemporaryDirectory { directory in
            let script = """
                import os, time
                for _ in range(64):
                    try:
                        if os.fork() == 0: time.sleep(60); os._exit(0)
                    except OSError: break
                time.sleep(60)
                """
            let limits = ShadowLimits(processes: 40)
            let breach = try await breach(of: python(script), limits, Self.watch, directory)
            #expect(breach.description.contains("and may have 40"), "\(breach)")
        }
    }

    /// Whoever filled it.
    @Test func noShadowGoesOnWhereTheDiskIsNearlyFull() async throws {
        try await withTemporaryDirectory { directory in
            var disk = Disk(place: directory)
            let reserve = try disk.reserve()
            #expect(reserve <= 1 << 30)
            #expect(try disk.breach(below: reserve) == nil)
            // More than there is.
            disk.most = .max
            disk.part = 2
            let breach = try await breach(
                of: Program("sleep", ["600"]), ShadowLimits(),
                LimitKeeper(group: nil, reason: "it is a test", disk: disk), directory)
            #expect(!breach.isItsOwn)
            #expect(breach.description.contains("must stay free"), "\(breach)")
        }
    }

    @Test func severalSandboxesOfAShadowCountTogetherAndEndTogether() async throws {
        try await withTemporaryDirectory { directory in
            let allowance = try Self.watch.allowance("a", ShadowLimits(memory: 200 << 20))
            let script = "import time\nkept = b'x' * (70 << 20)\ntime.sleep(600)"
            var running: [SandboxProcess] = []
            for number in 1...3 {
                running.append(
                    try await SandboxProcess.start(
                        python(script), in: sandbox(directory), within: allowance,
                        log: directory.appending("\(number)")))
            }
            try await wait("the end of all three") { running.allSatisfy { !$0.isRunning } }
            #expect(try allowance.breach?.isItsOwn == true)
            // Whoever begins anew is not held to what went before.
            let outcome = try await SandboxProcess.run(
                Program("true", []), in: sandbox(directory), within: allowance, log: directory.appending("4"))
            #expect(outcome.status == 0)
        }
    }

    @Test func aProgramRunsOnItsProcessorsAndIsTheFirstToGo() async throws {
        try await withTemporaryDirectory { directory in
            let usable = try Processors.usable()
            let allowance = try Self.watch.allowance("a", ShadowLimits(processors: 1))
            let script =
                "import os; print(sorted(os.sched_getaffinity(0)), open('/proc/self/oom_score_adj').read())"
            let outcome = try await SandboxProcess.run(
                python(script), in: sandbox(directory), within: allowance, log: directory.appending("log"))
            #expect(outcome.output == "[\(usable.last ?? 0)] 1000\n\n")
        }
    }

    // MARK: - The kernel

    /// Lets `body` work with groups that are gone afterwards.
    private func withGroups(_ body: (LimitKeeper, FilePath) async throws -> Void) async throws {
        var record: FilePath?
        let keeper = try LimitKeeper("understudy-test\(UInt32.random(in: 0 ... .max))") { record = $0 }
        let path = try #require(record)
        #expect(keeper.words == "by cgroup v2")
        do {
            try await body(keeper, path)
        } catch {
            try ControlGroup.remove(path)
            throw error
        }
        try ControlGroup.remove(path)
        #expect(try !Files.exists(path))
    }

    @Test(.enabled(if: whyNoKernel == nil, Comment(rawValue: whyNoKernel ?? "")))
    func theKernelEndsWhatTakesTooMuchMemory() async throws {
        try await withTemporaryDirectory { directory in
            try await withGroups { keeper, _ in
                let breach = try await breach(
                    of: python(hog), ShadowLimits(memory: 160 << 20), keeper, directory)
                #expect(breach.isItsOwn && breach.description.contains("the 160 MiB of memory"), "\(breach)")
                let files = try await self.breach(
                    of: python("f = open('/tmp/f', 'wb')\nwhile True: f.write(b'x' * (8 << 20))"),
                    ShadowLimits(memory: 160 << 20), keeper, directory)
                #expect(files.isItsOwn, "\(files)")
            }
        }
    }

    @Test(.enabled(if: whyNoKernel == nil, Comment(rawValue: whyNoKernel ?? "")))
    func theKernelHoldsProcessorsAndProcesses() async throws {
        try await withTemporaryDirectory { directory in
            try await withGroups { keeper, path in
                let allowance = try keeper.allowance("a", ShadowLimits(processors: 1, processes: 30))
                // Whoever takes more processors than it is given has no more of their time.
                let script = """
                    import os, time
                    os.sched_setaffinity(0, range(os.cpu_count()))
                    begun = time.monotonic()
                    for _ in range(3):
                        if os.fork() == 0:
                            while time.monotonic() < begun + 2: pass
                            os._exit(0)
                    for _ in range(3): os.wait()
                    print(os.times().children_user + os.times().children_system < 2.5)
                    print(open('/proc/self/cgroup').read().strip())
                    """
                let outcome = try await SandboxProcess.run(
                    python(script), in: sandbox(directory), within: allowance, log: directory.appending("1"))
                #expect(outcome.output == "True\n0::/\n", "\(outcome.output)")
                #expect(try #require(try allowance.peak) > 0)
                let forks =
                    "import os, time\nwhile True:\n  try:\n    if os.fork() == 0: time.sleep(60)\n  except OSError: break"
                let breach = await #expect(throws: Breach.self) {
                    _ = try await SandboxProcess.run(
                        python(forks), in: sandbox(directory), within: allowance,
                        log: directory.appending("2"))
                }
                #expect(breach?.description.contains("30 processes") == true, "\(breach?.description ?? "")")
                #expect(try Files.exists(path.appending("a")))
            }
        }
    }

    @Test(.enabled(if: whyNoKernel == nil, Comment(rawValue: whyNoKernel ?? "")))
    func whatAKilledRunHasLeftIsEndedAndRemoved() async throws {
        try await withTemporaryDirectory { directory in
            try await withGroups { keeper, path in
                let allowance = try keeper.allowance("a", ShadowLimits())
                let process = try await SandboxProcess.start(
                    Program("sleep", ["600"]), in: sandbox(directory), within: allowance,
                    log: directory.appending("log"))
                #expect(process.isRunning)
                try ControlGroup.remove(path)
                #expect(try !Files.exists(path))
                await process.stop()
            }
        }
    }

    @Test func nothingButAGroupOfOursIsRemoved() throws {
        try withTemporaryDirectory { directory in
            let other = directory.appending("understudy-1f")
            try Files.makeDirectory(other)
            for path in [other, "/sys/fs/cgroup"] {
                #expect(throws: ShadowFailure.self) { try ControlGroup.remove(path) }
            }
            #expect(try Files.exists(other))
            try ControlGroup.remove(directory.appending("understudy-2f"))
        }
    }
}
