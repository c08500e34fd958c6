extension SnapshotPolicy {
    /// The text of the built-in policy, as `policies/snapshot.yaml` ships it and `init` writes it.
    package static let builtInText = """
        # What a snapshot captures. Every key may be left out; what stands here is the built-in policy.
        # Schema: snapshot.schema.json.

        # Rules that come before the driver's own table: the first that matches a path, or a directory above it, decides.
        # Paths begin below the component's root. `*` and `?` stand for characters within a name, `**` for any number of
        # directories, `(jobs/*|branches/*)*` for any number of repetitions of what is between the bars; a pattern that ends in
        # `/` matches directories only.
        # Classes: config, plugin, secret, state, bulk, database, source, derived (never captured).
        # Files of `secret` and `database` are sealed. A file that you move out of `secret` is kept in clear, in the history
        # too: do so only when it opens nothing.
        #
        #   classify:
        #     - component: jenkins
        #       path: "jobs/**/builds/*/archive/**"
        #       class: derived
        #       note: the artifacts are in the artifact store as well
        classify: []

        # Classes that are not captured: plugin, state, bulk or source. What is left out cannot be restored.
        skip: []

        # What to do with a file that holds what looks like a password, token or private key, and is not classed as a secret:
        # `seal` keeps it like one, `refuse` takes no snapshot.
        leaks: seal

        # What only looks like one stays readable while the file at the path holds these very contents.
        #
        #   allowInClear:
        #     - component: jenkins
        #       path: home/jobs/demo/config.xml
        #       sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        #       reason: the password of the manual's example
        allowInClear: []

        # `understudy status` warns when the last snapshot is older: a number with m, h or d.
        warnAfter: 26h

        # `understudy status` asks for 'understudy key check' when the last one is older.
        checkKeyAfter: 90d

        """
}
