internal import Capture
internal import Configuration
internal import Drill
internal import GitStore
internal import Nightly
internal import Reports
internal import SnapshotModel

/// The page for the wall.
struct Runbook {
    /// The delivery system, the host it runs on, its system file and its store.
    var system: String, host: String, file: String, store: String
    /// Where copies of the store are.
    var copies: [String]
    /// The public halves of the recovery keys.
    var recipients: [String]
    /// When a recovery key was last seen to open a snapshot.
    var keyCheck: KeyCheckRecord?
    /// Where the recovery key is kept, in somebody's words.
    var keyPlace: String?
    /// The components, as the system file has them.
    var components: [Component]
    /// The names of those that a restore starts.
    var started: Set<String>
    /// The names of those that run, and that a restore does not start.
    var leftStopped: [String]
    /// How the last time went, nil when nothing was measured.
    var measured: Measurement?
    /// When the page is made, in seconds since 1970.
    var made: Int64

    /// A restore or a drill that came to a good end, step by step.
    struct Measurement {
        /// `a drill`, `a restore`.
        var what: String
        /// When, ISO 8601 in UTC.
        var started: String
        /// The snapshot.
        var snapshot: String
        /// Each step with its seconds; nil for what was not tried.
        var steps: [(name: String, seconds: Double?)]

        init(_ drill: DrillReport) {
            what = "a drill"
            started = drill.started
            snapshot = drill.snapshot.description
            steps = drill.checks.map { check in
                (
                    check.component.isEmpty ? check.name : "\(check.component): \(check.name)",
                    check.result == .notCovered ? nil : check.seconds
                )
            }
        }

        /// What the record of a restore says, as far as the page needs it.
        struct Restore: Decodable {
            struct Step: Decodable {
                var name: String
                var seconds: Double
            }

            var snapshot: String
            var steps: [Step]
            var proven: Bool
            var seconds: Double
        }

        init(_ restore: Restore, ended: Int64) {
            what = "a restore of production"
            started = CivilTime(seconds: ended - Int64(restore.seconds)).iso8601
            snapshot = restore.snapshot
            steps = restore.steps.map { ($0.name, $0.seconds) }
        }

        /// When each step begins, what it is, how long it took; what takes no time to speak of is left out.
        var rows: [[String]] {
            var elapsed = 0.0
            return steps.compactMap { step in
                let begin = elapsed
                elapsed += step.seconds ?? 0
                guard step.seconds.map({ $0 >= 0.005 }) ?? true else { return nil }
                let minutes = Int(begin) / 60
                let seconds = Int(begin) % 60
                let clock = "\(minutes):\(seconds < 10 ? "0" : "")\(seconds)"
                return [clock, step.name, step.seconds.map { shown(seconds: $0) } ?? "not tried"]
            }
        }

        /// How long all of it took, in seconds.
        var total: Double { steps.reduce(0) { $0 + ($1.seconds ?? 0) } }
    }

    /// The page.
    var page: Page {
        Page(
            title: "When \(system) is gone",
            introduction:
                "Made on \(host), \(CivilTime(seconds: made).iso8601). Print it again after each change to the "
                + "system file.",
            sections: [
                ("1. The one command", command), ("2. The key", key), ("3. What to expect", expectation),
                ("4. The components, and what each needs", parts),
                ("5. Afterwards, and if it fails", afterwards),
            ])
    }

    private var key: [Page.Block] {
        guard !recipients.isEmpty else {
            return [
                .text([
                    .plain("None: the store holds secrets in clear. Leave "), .code("--identity"),
                    .plain(" out."),
                ])
            ]
        }
        let checked: [Page.Span] =
            keyCheck.map {
                [.plain("It was last seen to open a snapshot on \(CivilTime(seconds: $0.time).iso8601).")]
            }
            ?? [
                .strong("Nobody has ever checked it"), .plain(": "),
                .code("understudy key check --identity KEYFILE"),
                .plain("."),
            ]
        return [
            .text([
                .plain(
                    "KEYFILE is the recovery key, which is not on this host. Its public half is one of these; ask who holds the other:"
                )
            ]),
            .commands(recipients), .text(checked),
            .text([.plain("Where the key is kept: "), .strong(keyPlace ?? String(repeating: ".", count: 60))]
            ),
        ]
    }

    private var command: [Page.Block] {
        var blocks: [Page.Block] = [
            .text([.plain("The host and its store "), .code(store), .plain(" are there:")]),
            .commands(["understudy --system \(Schedule.shellWord(file)) restore --identity KEYFILE"]),
            .text([
                .code("--dry-run"),
                .plain(" shows first what it would do. A restore stops what runs, and keeps the old state: "),
                .code("understudy undo"), .plain(" reverts it."),
            ]),
        ]
        guard !copies.isEmpty else {
            return blocks + [
                .text([
                    .strong("There is no copy of the store elsewhere"),
                    .plain(": when this disk is gone, so are the snapshots. "),
                    .code("understudy remote add NAME URL"), .plain(", then "), .code("understudy push"),
                    .plain("."),
                ])
            ]
        }
        blocks.append(.text([.plain("The host is gone: on an empty machine, as the same user:")]))
        return blocks + [
            .commands(
                copies.map { "understudy restore --from \(Schedule.shellWord($0)) --identity KEYFILE" })
        ]
    }

    private var expectation: [Page.Block] {
        guard let measured else {
            return [
                .text([
                    .plain("Not measured: no drill was green yet. "), .code("understudy drill"),
                    .plain(" measures it."),
                ])
            ]
        }
        return [
            .text([
                .plain(
                    "As measured by \(measured.what) on \(measured.started) with snapshot \(measured.snapshot), "
                        + "\(shown(seconds: measured.total)) in all:")
            ]),
            .table(head: ["after (min:s)", "step", "took"], rows: measured.rows),
            .text([
                .plain(
                    "Builds that ran at the time of the snapshot are cancelled and listed. Work done after it is lost."
                )
            ]),
        ]
    }

    private var parts: [Page.Block] {
        let rows = components.map { component in
            let places = component.settings.sorted { $0.key < $1.key }.compactMap { key, value -> String? in
                switch value {
                case .text(let text): "\(key) \(text)"
                case .list(let texts): "\(key) \(texts.joined(separator: ", "))"
                case .map: nil
                }
            }
            let service = component.map("service").sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            let needing = components.filter { $0.after.contains(component.name) }.map(\.name)
            return [
                component.name, component.driver, places.joined(separator: "; "),
                component.after.joined(separator: ", "), needing.joined(separator: ", "),
                service.isEmpty ? starter(of: component.name) : service.joined(separator: "; "),
            ]
        }
        return [
            .table(head: ["component", "driver", "where", "needs", "is needed by", "started"], rows: rows)
        ]
    }

    private func starter(of component: String) -> String {
        if started.contains(component) { return "by the driver" }
        return leftStopped.contains(component) ? "BY HAND, after the restore" : "not by the restore"
    }

    private var afterwards: [Page.Block] {
        let addresses = components.compactMap { $0.text("url") }.filter { $0.hasPrefix("http") }
        var items: [[Page.Span]] = [
            [
                .plain("The last lines of the restore say "), .code("proven"),
                .plain(", what was fixed and what was cancelled. Read them."),
            ]
        ]
        if !leftStopped.isEmpty {
            items.append([
                .strong("Start by hand what the restore does not: \(leftStopped.joined(separator: ", "))"),
                .plain(". Its component in the system file has no "), .code("service"), .plain("."),
            ])
        }
        if !addresses.isEmpty {
            let links = addresses.flatMap { [Page.Span.link($0), .plain(" ")] }
            items.append([.plain("Open ")] + links + [.plain("and log in.")])
        }
        items += [
            [.code("understudy status"), .plain(", and a build that matters.")],
            [
                .plain("Status 12: the key does not fit. 6: the store is damaged; "),
                .code("understudy verify --heal"),
                .plain(
                    ", or another copy. 7: refused, and the reasons say what to do. 1: it failed, and the message says whether the old system is back."
                ),
            ],
            [
                .plain("One thing only: "),
                .code("understudy restore --only job:NAME --identity KEYFILE --dry-run"),
                .plain(", then without "), .code("--dry-run"), .plain("."),
            ],
            [
                .plain("An older state: "), .code("understudy snapshots"), .plain(", then "),
                .code("understudy restore ID --identity KEYFILE"),
                .plain(". Without Understudy: docs/without-understudy.md."),
            ],
        ]
        return [.list(items)]
    }
}
