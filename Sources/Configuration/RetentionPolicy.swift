package import SnapshotModel
package import SystemPackage

/// The file that says which snapshots `prune` keeps: `policies/retention.yaml`.
package enum RetentionPolicy {
    /// The keys of the file; each may be left out.
    package enum Key: String, CaseIterable, Sendable {
        case keep, minimumAge, tags, safety
    }

    /// The keys of `keep`.
    package enum Count: String, CaseIterable, Sendable {
        case last, hourly, daily, weekly, monthly, yearly
    }

    /// The name of the file in the directory of the policies.
    package static let fileName = "retention.yaml"

    /// The built-in policy, which stands where there is no file.
    package static let builtIn = Retention.Policy(
        last: 7, daily: 14, weekly: 8, monthly: 12, yearly: 5, minimumAge: 48 * 3600, tags: ["keep"])

    /// The policy of a system: that in its directory of policies, the built-in one where there is none.
    ///
    /// Throws a ``SystemFileFailure`` when the directory is missing, or when the file has anything wrong with it.
    package static func read(for system: SystemDescription) throws(SystemFileFailure) -> Retention.Policy {
        guard let (path, text) = try system.policy(named: fileName) else { return builtIn }
        return try parse(text, path: path)
    }

    /// The policy that `text` spells; `path` is the file's name in messages.
    ///
    /// A file without rules keeps everything: what is not written down is never forgotten.
    package static func parse(_ text: String, path: FilePath) throws(SystemFileFailure) -> Retention.Policy {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        guard let root else { return Retention.Policy() }
        var reader = RetentionPolicyReader()
        let policy = reader.policy(of: root)
        return try reader.document.finish(policy, path: path)
    }

    /// The text of the built-in policy, as `policies/retention.yaml` ships it and `init` writes it.
    package static let builtInText = """
        # Which snapshots 'understudy prune' keeps. 'understudy nightly' prunes after a good night; nothing else does.
        # Schema: retention.schema.json.
        # A file without any rule keeps everything. Always kept: the newest complete and the newest proven snapshot, and one
        # that a restore still needs. History is never touched.

        # The newest snapshot of each of the newest so many hours, days, ISO weeks, months and years that have one (UTC), and
        # the newest so many of all. Partial snapshots are counted apart, and take no place from a complete one.
        keep:
          last: 7
          daily: 14
          weekly: 8
          monthly: 12
          yearly: 5

        # Everything younger is kept: a number with m, h or d.
        minimumAge: 48h

        # Everything with one of these tags is kept: 'understudy snapshot --tag keep'.
        tags: [keep]

        # What a restore saved of the state before it is kept this long; the newest always.
        safety: 30d

        """
}
