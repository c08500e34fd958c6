package import SystemPackage

/// When silence is a failure and whom a night's failures reach: `policies/notify.yaml`.
package struct NotifyPolicy: Hashable, Sendable {
    /// The keys of the file; each may be left out.
    package enum Key: String, CaseIterable, Sendable {
        case maxAge, shrink, drillEvery, identityFile, targets, remind, webhook, mail, textfile
    }

    /// The keys of `maxAge`.
    package enum AgeKey: String, CaseIterable, Sendable { case complete, pushed, proven }
    /// The keys of `shrink`.
    package enum ShrinkKey: String, CaseIterable, Sendable { case entries, bytes, items }
    /// The keys of `targets`.
    package enum TargetKey: String, CaseIterable, Sendable { case rpo, rto }
    /// The keys of `webhook`.
    package enum WebhookKey: String, CaseIterable, Sendable { case url, urlFile, when, template }
    /// The keys of `mail`.
    package enum MailKey: String, CaseIterable, Sendable { case to, from, when, program }

    /// When somebody is told.
    package enum When: String, CaseIterable, Sendable {
        /// Once when something is wrong, again when it goes on for long, and once when it is not any more.
        case problems
        /// Every night.
        case always
    }

    /// A web address that is sent a document.
    package struct Webhook: Hashable, Sendable {
        /// The address; nil when it is in a file.
        package var url: String?
        /// The file that holds the address: most of them are as good as a password.
        package var urlFile: FilePath?
        /// When it is sent.
        package var when = When.problems
        /// The document, with `{{summary}}` and the like; nil for the report itself.
        package var template: String?

        /// A webhook without address yet.
        package init(url: String? = nil) {
            self.url = url
        }
    }

    /// A mail through `sendmail`.
    package struct Mail: Hashable, Sendable {
        /// Who gets it.
        package var to: [String]
        /// Who sends it; nil for the user that runs the night.
        package var from: String?
        /// When it is sent.
        package var when = When.problems
        /// The program that takes it, as sendmail does.
        package var program: FilePath = "/usr/sbin/sendmail"

        /// A mail to these.
        package init(to: [String]) {
            self.to = to
        }
    }

    /// The name of the file in the directory of the policies.
    package static let fileName = "notify.yaml"

    /// Seconds that the last complete snapshot may be old; nil for what the snapshot policy's `warnAfter` says.
    package var maxCompleteAge: Int64?
    /// Seconds that the last proven snapshot may be old; nil when that does not matter.
    package var maxProvenAge: Int64?
    /// Seconds that the last snapshot on every remote may be old; nil when that does not matter.
    package var maxPushedAge: Int64?
    /// How many per cent of a component's entries may vanish from one night to the next.
    package var maxEntriesLost = 30
    /// How many per cent of a component's bytes may.
    package var maxBytesLost = 50
    /// How many per cent of a kind of things may: jobs, plugins, builders, tables.
    package var maxItemsLost = 20
    /// Seconds after which a night holds a drill again; nil when nights hold none.
    package var drillEvery: Int64?
    /// The file with the recovery key that a night's drill opens snapshots with; nil for `$UNDERSTUDY_IDENTITY`.
    package var identityFile: FilePath?
    /// Seconds of work that may be lost, the recovery point objective; nil when there is no target.
    package var targetRPO: Int64?
    /// Seconds that a restore may take, the recovery time objective; nil when there is no target.
    package var targetRTO: Int64?
    /// Seconds after which people are told again of what is still wrong.
    package var remindAfter: Int64 = 7 * 86400
    /// Where a document is sent.
    package var webhook: Webhook?
    /// Who gets a mail.
    package var mail: Mail?
    /// The file for Prometheus's node exporter.
    package var textfile: FilePath?

    /// The built-in policy: nobody is told, and `status --check` looks at the age.
    package init() {}

    /// The policy of a system: that in its directory of policies, the built-in one where there is none.
    ///
    /// Throws a ``SystemFileFailure`` when the directory is missing, or when the file has anything wrong with it.
    package static func read(for system: SystemDescription) throws(SystemFileFailure) -> NotifyPolicy {
        guard let (path, text) = try system.policy(named: fileName) else { return NotifyPolicy() }
        return try parse(text, path: path)
    }

    /// The policy that `text` spells; `path` is the file's name in messages.
    package static func parse(_ text: String, path: FilePath) throws(SystemFileFailure) -> NotifyPolicy {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        guard let root else { return NotifyPolicy() }
        var reader = NotifyPolicyReader()
        let policy = reader.policy(of: root)
        return try reader.document.finish(policy, path: path)
    }

    /// The text of the built-in policy, as `policies/notify.yaml` ships it and `init` writes it.
    package static let builtInText = """
        # Whom the nightly run tells what, and when silence is a failure. Every key may be left out; what stands here is the
        # built-in policy. Schema: notify.schema.json.

        # 'understudy status --check' ends with 7, and every night says so, when the last one is older: a number with m, h or d.
        # `complete` left out is `warnAfter` of snapshot.yaml; `pushed` (to every remote) and `proven` left out may be any age.
        #
        #   maxAge: {complete: 26h, pushed: 50h, proven: 35d}
        maxAge: {}

        # A night that lost more than so many per cent of a component's files, bytes or things (jobs, plugins, builders, tables)
        # raises the alarm and prunes nothing, until 'understudy nightly --accept-shrink' says that it was meant.
        shrink: {entries: 30, bytes: 50, items: 20}

        # A drill in the first night after so long a time, and every night after a red one: 'understudy drill' restores the
        # night's snapshot into isolation. Left out, nights hold none. A sealed snapshot needs the recovery key, in a file that
        # only the user of the night can read (else $UNDERSTUDY_IDENTITY): who has this host then has both. Run
        # 'understudy schedule install' again after you changed this.
        #
        #   drillEvery: 7d
        #   identityFile: /etc/understudy/recovery.key

        # What was promised: how much work may be lost (the age of the last complete snapshot), and how long a restore may take
        # (as the last green drill measured it). 'understudy status' compares; what is missed is a problem.
        #
        #   targets: {rpo: 26h, rto: 1h}

        # A JSON document by HTTP. The address may be in a file, because most are as good as a password. Without a template it is
        # the whole report; in one, {{summary}}, {{system}}, {{host}}, {{status}}, {{snapshot}} and {{problems}} are texts.
        # `when` is problems (each once, and once when they are over) or always.
        #
        #   webhook:
        #     urlFile: /etc/understudy/webhook
        #     template: '{"text": "{{summary}}"}'

        # A mail through /usr/sbin/sendmail, or a `program` that takes its arguments.
        #
        #   mail: {to: [ops@example.org]}

        # What is still wrong is told again after so long a time; what a monitor reads says it all the while.
        remind: 7d

        # A file for the textfile collector of Prometheus's node exporter.
        #
        #   textfile: /var/lib/prometheus/node-exporter/understudy.prom

        """
}
