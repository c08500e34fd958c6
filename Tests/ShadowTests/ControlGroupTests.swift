import Judge
import SystemPackage
import Testing

@testable import Shadow

/// Where control groups may be made, by what a host shows: values only.
@Suite struct ControlGroupPlaceTests {
    private let unified = """
        22 28 0:21 / /sys rw,nosuid - sysfs sysfs rw
        30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate

        """

    @Test func theOwnGroupIsFoundBelowWhereTheHierarchyIsMounted() throws {
        let cases: [(mounts: String, membership: String, group: FilePath)] = [
            (unified, "0::/system.slice/acme.service\n", "/sys/fs/cgroup/system.slice/acme.service"),
            (unified, "0::/\n", "/sys/fs/cgroup"),
            // Hybrid: the groups of version 1 are of no use here.
            (
                "9 1 0:9 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "4:memory:/a\n0::/b\n",
                "/sys/fs/cgroup/unified/b"
            ),
            // A container that sees only its own part, mounted at its root.
            (
                "9 1 0:9 /docker/1f /sys/fs/cgroup ro master:4 - cgroup2 cgroup rw\n", "0::/docker/1f/x\n",
                "/sys/fs/cgroup/x"
            ),
            ("9 1 0:9 / /mnt/control\\040groups rw - cgroup2 none rw\n", "0::/x\n", "/mnt/control groups/x"),
        ]
        for (mounts, membership, group) in cases {
            #expect(try ControlGroupPlace.own(mounts: mounts, membership: membership) == group)
        }
    }

    @Test func withoutAGroupThatCanBeSeenItSaysWhy() {
        let cases = [
            ("22 28 0:21 / /sys rw - sysfs sysfs rw\n", "0::/\n", "no cgroup v2 is mounted here"),
            ("9 1 0:9 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "0::/\n", "no cgroup v2"),
            (unified, "4:memory:/a\n", "in no group of cgroup v2"),
            (unified, "0::/../other\n", "/../other, cannot be seen"),
            (
                "9 1 0:9 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/1f2\n",
                "cannot be seen"
            ),
        ]
        for (mounts, membership, words) in cases {
            let refusal = #expect(throws: ControlGroupPlace.Refusal.self) {
                try ControlGroupPlace.own(mounts: mounts, membership: membership)
            }
            #expect(refusal?.reason.contains(words) == true, "\(refusal?.reason ?? "")")
        }
    }

    @Test func whoWasMovedOutOfTheWayMakesGroupsWhereItCameFrom() {
        #expect(ControlGroupPlace.base(of: "/sys/fs/cgroup/a.service") == "/sys/fs/cgroup/a.service")
        #expect(
            ControlGroupPlace.base(of: "/sys/fs/cgroup/a.service/understudy-main")
                == "/sys/fs/cgroup/a.service")
    }

    private let delegated = ControlGroupPlace.View(
        controllers: ["cpu", "memory", "pids"], isTop: false, isDelegated: true, owner: 0, processes: [7, 9])

    private func place(
        _ view: ControlGroupPlace.View, at base: FilePath = "/sys/fs/cgroup/a.service", user: UInt32 = 0,
        hasSystemd: Bool = true
    ) throws -> ControlGroupPlace {
        try ControlGroupPlace(base, view, ours: [7, 9], user: user, hasSystemd: hasSystemd)
    }

    @Test func aGroupThatIsGivenToUsIsTaken() throws {
        #expect(try place(delegated).occupants == [7, 9])
        var view = delegated
        view.isDelegated = false
        // Nobody else makes groups where systemd does not run.
        #expect(try place(view, hasSystemd: false).occupants == [7, 9])
        // What a unit's user owns was given to it, by a systemd too old to say so to everybody.
        view.owner = 1000
        #expect(try place(view, user: 1000).occupants == [7, 9])
        // The root of all may have processes of its own: nobody has to leave it.
        view.isTop = true
        view.processes = [1, 2, 3]
        #expect(try place(view, hasSystemd: false).occupants == [])
    }

    @Test func aGroupThatIsSomebodyElsesIsLeftAlone() {
        let cases: [(words: String, user: UInt32, base: FilePath, (inout ControlGroupPlace.View) -> Void)] = [
            ("no memory controller", 0, "/c/a.service", { $0.controllers = ["cpu"] }),
            (
                "systemd does not delegate /c/session-3.scope", 0, "/c/session-3.scope",
                { $0.isDelegated = false }
            ),
            (
                "does not delegate", 1000, "/c/user@1000.service/app.slice/x.scope",
                {
                    $0.isDelegated = false
                    $0.owner = 1000
                }
            ),
            ("2 processes that are not ours", 0, "/c/a.service", { $0.processes = [4, 7, 9, 0] }),
        ]
        for (words, user, base, change) in cases {
            var view = delegated
            change(&view)
            let refusal = #expect(throws: ControlGroupPlace.Refusal.self) {
                try place(view, at: base, user: user)
            }
            #expect(refusal?.reason.contains(words) == true, "\(refusal?.reason ?? "")")
        }
    }

    @Test func oursAreThoseWhoStartedUsAndWhatTheyStarted() {
        // 1 → 10 (a shell in the group) → 11 → 12 (we); 10 → 13; 1 → 20, somebody else's.
        let parents: [Int32: Int32] = [10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 1: 0]
        let family = { (processes: [Int32]) in
            ControlGroupPlace.family(of: 12, among: processes) { parents[$0] }
        }
        #expect(family([10, 11, 12, 13, 20]) == [10, 11, 12, 13])
        #expect(family([11, 12, 13]) == [11, 12])
        // One whose number is not to be seen from here is 0.
        #expect(family([12, 0]) == [12])
        #expect(family([20]) == [])
        #expect(family([1, 10, 12, 20]) == [1, 10, 12, 20])
        // A process that is reported as its own ancestor ends no loop of ours.
        #expect(ControlGroupPlace.family(of: 5, among: [5, 6]) { $0 == 5 ? 6 : 5 } == [5, 6])
    }
}

/// What the kernel and `/proc` say of use, and what becomes of it.
@Suite struct UseTests {
    private func events(_ memory: String, _ processes: String = "max 0\n") -> ControlGroup.Events {
        ControlGroup.Events(memory: memory, processes: processes)
    }

    @Test func theKernelsCountsAreRead() {
        let events = events("low 0\nhigh 0\nmax 41\noom 2\noom_kill 3\noom_group_kill 1\n", "max 5\n")
        #expect((events.exhausted, events.killed, events.refused) == (2, 3, 5))
        let none = ControlGroup.Events(memory: "", processes: "")
        #expect((none.exhausted, none.killed, none.refused) == (0, 0, 0))
    }

    @Test func whoseMemoryWasShortDecidesWhatABreachIs() throws {
        let before = events("oom 1\noom_kill 1\n")
        let limits = ShadowLimits(memory: 512 << 20)
        let breach = { (now: ControlGroup.Events) in
            Breach(from: before, to: now, limits: limits, largest: nil)
        }
        #expect(breach(before) == nil)
        // Its own limit was reached, and all could be taken back from caches.
        #expect(breach(events("oom 2\noom_kill 1\n")) == nil)
        let own = try #require(breach(events("oom 2\noom_kill 2\n")))
        #expect(own.isItsOwn && own.description.contains("512 MiB") && own.hint.contains("memory: "))
        let around = try #require(breach(events("oom 1\noom_kill 2\n")))
        #expect(!around.isItsOwn)
        let forks = try #require(breach(events("oom 1\noom_kill 1\n", "max 9\n")))
        #expect(forks.isItsOwn && forks.description.contains("4096 processes"))
    }

    @Test func whatAProcessUsesIsRead() {
        let status = """
            Name:\tpython3 \\n x
            Umask:\t0022
            VmPeak:\t  900000 kB
            VmRSS:\t    2048 kB
            VmSwap:\t     512 kB
            Threads:\t11

            """
        let process = ProcessUse(status: status, number: Array("7".utf8))
        #expect(process.name == "python3 \\n x")
        #expect((process.memory, process.threads) == (2560 << 10, 11))
        // A zombie has none of it.
        #expect(ProcessUse(status: "Name:\tsh\nThreads:\t1\n", number: []).memory == 0)
        let rollup =
            "55d0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:  900 kB\nPss:   300 kB\nSwapPss:  7 kB\n"
        #expect(ProcessUse.share(rollup: rollup) == 307 << 10)
    }

    @Test func onlyTemporaryFilesOfTheSandboxItselfCount() {
        let inside = """
            1 0 0:50 / / rw - tmpfs tmpfs rw
            2 1 8:1 /usr /usr ro - ext4 /dev/sda1 rw
            3 1 0:51 / /tmp rw - tmpfs tmpfs rw
            4 1 0:40 /sub /srv/ci rw - tmpfs tmpfs rw
            5 1 0:51 /x /run/again rw - tmpfs tmpfs rw
            6 1 0:6 /null /dev/null rw - devtmpfs devtmpfs rw

            """
        let outside = "9 1 0:40 / /run rw - tmpfs tmpfs rw\n9 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        #expect(OutsideView.temporaryPlaces(inside: inside, outside: outside) == ["", "/tmp"])
    }

    @Test func aBreachSaysWhatWhoAndWhatToDo() {
        let process = ProcessUse(status: "Name:\tjava\nVmRSS:\t512000 kB\n", number: [])
        let memory = Breach(kind: .memory(used: 700 << 20, files: 0, limit: 512 << 20, largest: process))
        #expect(
            memory.description
                == "it used 700 MiB of memory, and may use 512 MiB; of its processes java had the most, 500 MiB"
        )
        let files = Breach(
            kind: .memory(used: 700 << 20, files: 400 << 20, limit: 512 << 20, largest: process))
        #expect(files.description.hasSuffix(", and its temporary files 400 MiB"))
        #expect(!Breach(kind: .unseen("no")).isItsOwn)
    }

    @Test func aShadowRunsOnTheLastOfTheProcessorsThatMayBeUsed() {
        let few = Sandbox.Limits(ShadowLimits(memory: 512 << 20, processors: 2), usable: [0, 1, 2, 3, 8])
        #expect(few.processors == [3, 8])
        // Address space is no memory: there is more of it than the limit.
        #expect(few.addressSpace == 8 << 30)
        let all = Sandbox.Limits(ShadowLimits(memory: 64 << 30, processors: 4), usable: [0, 1])
        #expect(all.processors == [0, 1])
        #expect(all.addressSpace == 64 << 30)
    }
}
