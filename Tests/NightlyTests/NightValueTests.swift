import Configuration
import FileTree
import FoundationEssentials
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Nightly

/// What a night finds and says, as values.
@Suite struct NightValueTests {
    private func size(_ entries: Int, _ bytes: Int64, _ items: [String: Int] = [:]) -> ComponentSize {
        ComponentSize(entries: entries, bytes: bytes, items: items)
    }

    private let limits = Shrink.Limits(entries: 30, bytes: 50, items: 20)

    @Test func whatIsSealedNowDidNotVanish() {
        func found(_ before: ComponentSize, _ now: ComponentSize) -> [String] {
            Shrink.findings(from: ["ci": before], to: ["ci": now], limits: limits)
        }
        func size(_ jobs: Int, _ credentials: Int, sealed: Int?) -> ComponentSize {
            ComponentSize(
                entries: 9, bytes: 9, items: ["job": jobs, "credential": credentials],
                uncounted: sealed.map { ["credential": $0] })
        }
        #expect(found(size(6, 6, sealed: nil), size(6, 0, sealed: 3)) == [])
        // A job whose file went is one less, sealed or not.
        #expect(found(size(6, 6, sealed: nil), size(3, 0, sealed: 3)) == ["ci: 6 jobs → 3"])
        // From then on what is left is compared again.
        #expect(found(size(6, 6, sealed: 3), size(6, 0, sealed: 3)) == ["ci: 6 credentials → 0"])
    }

    @Test(arguments: [
        (100, 70, false), (100, 69, true), (100, 0, true), (1, 0, true), (2, 1, false), (3, 1, true),
        (0, 0, false),
        (5, 500, false),
    ])
    func entriesVanishBeyondALimit(_ before: Int, _ now: Int, _ isAlarm: Bool) {
        let found = Shrink.findings(from: ["a": size(before, 0)], to: ["a": size(now, 0)], limits: limits)
        #expect(found == (isAlarm ? ["a: \(before) entries → \(now)"] : []))
    }

    @Test func kindsAndComponentsVanishEachForItself() {
        let before = ["ci": size(10, 1000, ["job": 10, "plugin": 50]), "db": size(1, 1), "web": size(1, 1)]
        let now = ["ci": size(10, 400, ["job": 8, "plugin": 39]), "web": size(1, 1, ["page": 3])]
        #expect(
            Shrink.findings(from: before, to: now, limits: limits)
                == ["ci: 1000 bytes → 400", "ci: 50 plugins → 39", "db is gone"])
        #expect(Shrink.findings(from: [:], to: now, limits: limits) == [])
    }

    @Test func silenceIsAFailureFromTheSecondOn() {
        func problems(_ complete: Int64?, _ proven: Int64?, _ maxProven: Int64?) -> [String] {
            Freshness.problems(
                .init(complete: complete, proven: proven),
                limits: .init(complete: 26 * 3600, proven: maxProven), now: 1_000_000
            ).map { "\($0.kind): \($0.message)" }
        }
        #expect(problems(1_000_000 - 26 * 3600, nil, nil) == [])
        #expect(
            problems(1_000_000 - 26 * 3600 - 1, nil, nil)
                == ["age: the last complete snapshot is 26h old, and may be 26h"])
        #expect(
            problems(nil, 1, 86400 * 3)
                == [
                    "age: there is no complete snapshot",
                    "proof: the last proven snapshot is 11d old, and may be 3d",
                ])
        #expect(
            Freshness.problems(.init(complete: 1), limits: .init(pushed: 60), now: 2).map(\.message)
                == ["there is no pushed snapshot"])
        // A clock that went back makes nothing old.
        #expect(problems(2_000_000, 2_000_000, 60) == [])
    }

    private func run(_ time: Int64, isGreen: Bool = true, seconds: Double = 40) -> DrillRun {
        DrillRun(
            time: time, snapshot: "20261126T020216Z-abcd", isGreen: isGreen, restoreSeconds: seconds,
            notStarted: [], problems: isGreen ? [] : ["ci: boot: no", "ci: inventory: no"])
    }

    @Test func whatADrillDidNotMeasureIsNamedBesideItsTime() {
        var drill = run(1)
        #expect(drill.unmeasured == nil)
        drill.notLoaded = ["database", "register"]
        #expect(drill.unmeasured == "without the loading of database, register")
        drill.notStarted = ["proxy"]
        #expect(drill.unmeasured == "without the start of proxy and the loading of database, register")
    }

    @Test func aDrillIsDueWhenTheLastIsRedOrOld() {
        let now: Int64 = 1_000_000
        let week: Int64 = 7 * 86400
        func isDue(_ last: DrillRun?) -> Bool { DrillRun.isDue(last: last, every: week, now: now) }
        #expect(isDue(nil) && !isDue(run(now)))
        #expect(isDue(run(now - week)) && !isDue(run(now - 6 * 86400)))
        // Tonight began half an hour earlier than a week ago.
        #expect(isDue(run(now - week + 1800)))
        // A red one is held again each night; one of the future is none.
        #expect(isDue(run(now - 60, isGreen: false)) && isDue(run(now + 1)))
    }

    @Test func aRedDrillAndASlowOneAreProblems() {
        func problems(_ last: DrillRun?, _ green: DrillRun?, _ target: Int64?) -> [String] {
            DrillRun.problems(last: last, lastGreen: green, target: target).map {
                "\($0.kind): \($0.message)"
            }
        }
        #expect(problems(nil, nil, 60) == [])
        #expect(problems(run(9), run(9), 40) == [])
        #expect(
            problems(run(9, isGreen: false), run(8, seconds: 7300), 3600) == [
                "red: the drill of 20261126T020216Z-abcd is red: ci: boot: no, and 1 more",
                "target: the last green drill took 2h to restore, and the target is 60m",
            ])
    }

    private var report: NightReport {
        var report = NightReport(system: "ac\"me", host: "h", started: 10, baseline: [:])
        report.finished = 20
        report.snapshot = "20261126T020216Z-abcd"
        report.last = .init(complete: 15, pushed: 14)
        report.components = ["ci": size(3, 4)]
        report.problems = [
            .init("partial", "job \"x\"\\\n{{system}}\u{1b}[31m", hint: "look"),
            .init("age", "old", hint: "run it"),
        ]
        return report
    }

    @Test func aTemplateIsFilledAsJSONWhateverTheNamesAre() throws {
        let document = report.document(
            #"{"text": "{{summary}} | {{problems}}", "s": "{{status}}", "id": "{{snapshot}}"}"#)
        let fields = try JSONDecoder().decode([String: String].self, from: Data(document.utf8))
        #expect(fields["s"] == "problems" && fields["id"] == "20261126T020216Z-abcd")
        let text = try #require(fields["text"])
        #expect(text.hasPrefix("understudy ac\"me on h: 2 problems: job \"x\"\\\n{{system}}\u{1b}[31m | "))
        #expect(text.hasSuffix("old (run it)"))
    }

    @Test func aMailHasOneLineForEachHeader() throws {
        let mail = report.mail(to: ["a@x", "b@x"], from: "u@h")
        let parts = try #require(mail.firstRange(of: "\n\n"))
        let headers = mail[..<parts.lowerBound].split(separator: "\n")
        #expect(headers.prefix(2) == ["From: u@h", "To: a@x, b@x"])
        #expect(headers.count == 6 && headers.allSatisfy { $0.contains(": ") && !$0.contains("\u{1b}") })
        #expect(mail.contains("what to do: run it"))
    }

    @Test func metricsAreInPrometheusFormat() {
        #expect(
            report.metrics.hasPrefix(
                """
                # HELP understudy_last_run_timestamp_seconds When the last nightly run ended.
                # TYPE understudy_last_run_timestamp_seconds gauge
                understudy_last_run_timestamp_seconds{system="ac\\"me"} 20
                # HELP understudy_last_run_problems What the last nightly run found wrong.
                # TYPE understudy_last_run_problems gauge
                understudy_last_run_problems{system="ac\\"me"} 2

                """))
        #expect(report.metrics.contains("understudy_last_proven_timestamp_seconds{system=\"ac\\\"me\"} 0\n"))
        #expect(
            report.metrics.contains("understudy_component_bytes{system=\"ac\\\"me\",component=\"ci\"} 4\n"))
        #expect(
            report.metrics.contains("understudy_last_pushed_timestamp_seconds{system=\"ac\\\"me\"} 14\n"))
        #expect(!report.metrics.contains("drill") && !report.metrics.contains("restore_seconds"))
        var drilled = report
        drilled.lastDrill = run(17, isGreen: false)
        drilled.lastGreenDrill = run(16, seconds: 40.2)
        #expect(drilled.metrics.contains("understudy_last_drill_timestamp_seconds{system=\"ac\\\"me\"} 17\n"))
        #expect(drilled.metrics.contains("understudy_drill_green{system=\"ac\\\"me\"} 0\n"))
        #expect(drilled.metrics.contains("understudy_restore_seconds{system=\"ac\\\"me\"} 41\n"))
        #expect(report.metrics.hasSuffix("understudy_problem{system=\"ac\\\"me\",kind=\"partial\"} 1\n"))
    }

    @Test func aReportIsReadAsItWasWritten() throws {
        try withTemporaryDirectory { directory in
            #expect(try NightReport.read(directory) == nil)
            #expect(try report.write(directory) == nil)
            #expect(try NightReport.read(directory) == report)
            try Files.replace(directory.appending("nightly.json"), with: Array("{".utf8))
            #expect(throws: NightFailure.self) { try NightReport.read(directory) }
        }
    }

    @Test func aNightThatDiedIsToldAndOneThatRunsIsNot() async throws {
        try await withTemporaryDirectory { directory in
            #expect(try NightMark.look(directory) == nil)
            var night = try NightMark.begin(directory, now: 1)
            #expect(night.problem == nil)
            try withExtendedLifetime(night.mark) {
                #expect(try NightMark.look(directory) == nil)
                let beside = try NightMark.begin(directory, now: 2)
                #expect(beside.mark == nil && beside.problem?.cause == "still runs")
            }
            // Without its process there is no lock; what another test is about to start holds it until it is executed.
            night.mark = nil
            try await wait("the lock to go") { try NightMark.look(directory)?.cause == "did not end" }
            night = try NightMark.begin(directory, now: 3)
            #expect(night.problem?.cause == "did not end")
            try night.mark?.end()
            night.mark = nil
            #expect(try NightMark.look(directory) == nil && Files.names(directory).isEmpty)
        }
    }

    private let wish = Schedule.Wish(
        system: "acme.ci", program: "/usr/local/bin/understudy", systemFile: "/etc/under study/100%.yaml",
        user: "root", time: .init(hour: 2, minute: 7, randomDelay: 30), store: "/var/lib/acme.git",
        written: ["/var/lib/a b"])

    @Test(arguments: [Schedule.Kind.systemd, .cron]) func aScheduleSaysWhenItIs(kind: Schedule.Kind) {
        for time in [
            Schedule.Time(hour: 0, minute: 0, randomDelay: 0), .init(hour: 23, minute: 59, randomDelay: 720),
        ] {
            var wish = wish
            wish.time = time
            let found = Schedule(wish, kind: kind).files.compactMap { Schedule.Time(in: $0.text) }
            #expect(found == [time])
            wish.user = "ci"
            #expect(Schedule(wish, kind: kind).files.compactMap { Schedule.user(in: $0.text) } == ["ci"])
        }
        #expect(Schedule.user(in: "# 17 2 * * * root x\nUserName=x\n") == nil)
        #expect(Schedule.Time(in: "OnCalendar=weekly\n17 99 * * * root x\n") == nil)
    }

    @Test(.enabled(if: try Files.exists("/usr/bin/systemd-analyze"), "SKIPPED: this host has no systemd"))
    func unitsAreWhatSystemdTakes() async throws {
        try await withTemporaryDirectory { directory in
            var wish = wish
            // systemd-analyze looks whether the program is there.
            wish.program = "/bin/true"
            let schedule = Schedule(wish, kind: .systemd, directory: directory)
            #expect(
                schedule.commands.isEmpty
                    && schedule.files.map(\.path.lastComponent?.string) == [
                        "understudy-acme.ci.service", "understudy-acme.ci.timer",
                    ])
            for file in schedule.files { try Files.replace(file.path, with: Array(file.text.utf8)) }
            #expect(
                schedule.files[0].text.contains(
                    "ExecStart=/bin/true nightly --quiet --system \"/etc/under study/100%%.yaml\"\n"))
            #expect(schedule.files[1].text.contains("OnCalendar=*-*-* 02:07:00\nRandomizedDelaySec=30m\n"))
            let outcome = try await Program(
                "systemd-analyze", ["verify"] + schedule.files.map(\.path.string)
            ).run()
            let about = outcome.errorOutput.split(separator: "\n").filter { $0.contains("understudy-acme") }
            #expect(about == [], "\(outcome.errorOutput)")
        }
    }

    @Test func aServiceThatHoldsDrillsMayMakeNamespaces() {
        let narrow = Schedule(wish, kind: .systemd).files[0].text
        #expect(narrow.contains("\nRestrictNamespaces=yes\n") && !narrow.contains("/var/tmp"))
        var wish = wish
        wish.holdsDrills = true
        let wide = Schedule(wish, kind: .systemd).files[0].text
        #expect(wide.contains("\nReadWritePaths=-/var/tmp\n"))
        for setting in [
            "RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname",
            "RestrictSUIDSGID", "ProtectControlGroups",
        ] { #expect(!wide.contains("\(setting)=") && narrow.contains("\n\(setting)=yes\n")) }
        // What is ended in a group of the unit's own must not end the unit.
        #expect(
            wide.contains("\nDelegate=memory cpu pids\nOOMPolicy=continue\n") && !narrow.contains("Delegate=")
        )
    }

    @Test func aCrontabIsReadByShAsTheCommandThatWasMeant() async throws {
        let schedule = Schedule(wish, kind: .cron)
        #expect(schedule.files.map(\.path) == ["/etc/cron.d/understudy-acme_ci"])
        let line = try #require(schedule.files[0].text.split(separator: "\n").last)
        #expect(line.hasPrefix("7 2 * * * root sleep "))
        // What cron makes of it: every escaped per cent sign is one.
        let command = line.dropFirst("7 2 * * * root ".count).replacing("\\%", with: "%")
        let outcome = try await Program(
            "/bin/sh",
            [
                "-c",
                "sleep() { test $1 -ge 0 -a $1 -lt 1800; }; f() { printf '%s\\n' \"$@\"; }; "
                    + command.replacing("/usr/local/bin/understudy", with: "f"),
            ]
        ).runSuccessfully()
        #expect(outcome.output == "nightly\n--quiet\n--system\n/etc/under study/100%.yaml\n")
    }
}

/// Who is told, on real programs and sockets.
@Suite struct NotifierTests {
    private func report(_ problems: [NightReport.Problem]) -> NightReport {
        var report = NightReport(system: "acme", host: "h", started: 1, baseline: [:])
        report.problems = problems
        return report
    }

    @Test func aProblemReachesWebhookMailAndTextfileAndItsEndIsToldOnce() async throws {
        try await withTemporaryDirectory { directory in
            try await WebServer.with(.always(200, "")) { server in
                let address = directory.appending("address")
                try Files.replace(address, with: Array("\(server.url)hook/geheim-9\n".utf8), mode: 0o600)
                let sendmail = directory.appending("sendmail")
                let script = "#!/bin/sh\nprintf '%s ' \"$@\" > \(directory)/mail; cat >> \(directory)/mail\n"
                try Files.replace(sendmail, with: Array(script.utf8), mode: 0o755)
                let text = """
                    webhook: {urlFile: \(address), template: '{"text": "{{summary}}"}'}
                    mail: {to: [ops@example.org], program: \(sendmail)}
                    textfile: \(directory)/u.prom
                    """
                let notifier = Notifier(try NotifyPolicy.parse(text, path: "p"))
                let quiet = await notifier.send(report([]), after: nil)
                #expect(quiet.problems == [])
                #expect(try !Files.exists(directory.appending("mail")))
                #expect(try Files.exists(directory.appending("u.prom")))
                let sent = await notifier.send(
                    report([.init("age", "too old", hint: "run")]), after: nil)
                #expect(sent.problems.map(\.kind) == ["age"])
                let told = ["{\"text\": \"understudy acme on h: 1 problem: too old\"}"]
                #expect(try server.posted() == told)
                let mail = String(decoding: try Files.read(directory.appending("mail")), as: UTF8.self)
                #expect(
                    mail.hasPrefix("-i -- ops@example.org To: ops@example.org\n") && mail.contains("too old"))
                try Files.remove(directory.appending("mail"))
                let again = await notifier.send(
                    report([.init("age", "too old", hint: "run")]), after: sent)
                #expect(again == sent, "nobody is told twice")
                #expect(try !Files.exists(directory.appending("mail")))
                #expect(try server.posted() == told)
                try await server.end()
                let over = await notifier.send(report([]), after: again)
                #expect(over.problems.map(\.kind) == ["notify"], "nobody listens any more")
                #expect(try Files.exists(directory.appending("mail")))
            }
        }
    }

    @Test func aProblemIsNewsOnceAndAgainWhenItGoesOnForLong() {
        let day: Int64 = 86400
        func night(_ number: Int64, _ problems: [NightReport.Problem], told: Int64?) -> NightReport {
            var night = report(problems)
            night.finished = number * day
            night.told = told.map { $0 * day }
            return night
        }
        func isNews(_ report: NightReport, _ last: NightReport?) -> Bool {
            Notifier.isNews(report, after: last, remindAfter: 7 * day)
        }
        func old(_ days: Int) -> NightReport.Problem {
            .init("age", "the last one is \(days)d old", hint: "run", cause: "complete")
        }
        #expect(
            !isNews(night(9, [], told: nil), nil) && !isNews(night(9, [], told: nil), night(8, [], told: nil))
        )
        #expect(isNews(night(9, [old(1)], told: nil), nil))
        #expect(!isNews(night(9, [old(2)], told: nil), night(8, [old(1)], told: 8)), "only its age differs")
        #expect(isNews(night(15, [old(8)], told: nil), night(14, [old(7)], told: 8)), "a week later")
        #expect(isNews(night(7, [old(2)], told: nil), night(8, [old(1)], told: 8)), "the clock went back")
        let other = NightReport.Problem("push", "gone", hint: "look")
        #expect(isNews(night(9, [old(2), other], told: nil), night(8, [old(1)], told: 8)))
        #expect(!isNews(night(9, [old(2)], told: nil), night(8, [old(1), other], told: 8)), "one is over")
        #expect(isNews(night(9, [], told: nil), night(8, [old(1)], told: 8)), "all is over")
        let untold = NightReport.Problem("notify", "no answer", hint: "look")
        #expect(isNews(night(9, [old(2)], told: nil), night(8, [old(1), untold], told: 8)))
    }

    @Test(arguments: [
        (Errno.noSpace, "free some space"), (.diskQuotaExceeded, "free some space"),
        (.permissionDenied, "the user that the store belongs to"), (.readOnlyFileSystem, "mount"),
        (.ioError, "the kernel's log"),
    ])
    func whatCannotBeKeptIsToldWithWhatHelps(_ reason: Errno, _ words: String) {
        let hint = NightReport.hint(FileFailure("write", Array("/store".utf8), reason))
        #expect(hint.contains(words), "\(hint)")
        #expect(hint.contains("space") == words.contains("space"))
    }

    @Test func whatIsMadeAnewEveryNightIsNoOtherProblem() {
        let words = NightReport.Problem.lasting(
            "cannot write /a/.x-37983368.tmp of 20261126T020216Z-abcd: no space")
        #expect(words == "cannot write of no space")
        #expect(NightReport.Problem.lasting("port 8010 is in use") == "port 8010 is in use")
    }

    @Test func whoCannotBeToldIsAProblemAndTheAddressIsNotRepeated() async throws {
        try await withTemporaryDirectory { directory in
            try await WebServer.with(.always(500, "")) { server in
                var policy = NotifyPolicy()
                policy.webhook = .init(url: "\(server.url)hook/geheim-9")
                policy.mail = .init(to: ["ops@example.org"])
                policy.mail?.program = directory.appending("none")
                policy.textfile = directory.appending("gone/u.prom")
                let notifier = Notifier(policy)
                // The second time nobody listens any more.
                for words in ["it answered 500", "curl ended with "] {
                    let sent = await notifier.send(
                        report([.init("age", "old", hint: "run")]), after: nil)
                    #expect(sent.problems.map(\.kind) == ["age", "notify", "notify", "notify"])
                    #expect(sent.problems[1].message.contains(words), "\(sent.problems)")
                    #expect(!"\(sent)".contains("geheim-9"))
                    try await server.end()
                }
            }
        }
    }
}
