extension CanaryPolicyFile {
    /// The text of the built-in policy, as `policies/canary.yaml` ships it.
    package static let builtInText = """
        # What a canary runs and tolerates, by how much a change can break. Every key may be left out; what stands here is the
        # built-in policy. The policy is declared before the first boot: a verdict names its SHA-256, and a comment changes it.
        # Schema: canary.schema.json.
        #
        # stages     static, boot, roundTrip, probes, load: a pass needs every one of them
        # boots      of each arm: what only some of them show is not told from chance
        # probes     the site's own jobs that are run: those named (* and ? stand for characters), those that use what is
        #            changed, so many of the most used, and no more than atMost in all
        # looks      when the runs of each arm are judged, and the level of each test then. A pass or a fail ends it, anything
        #            else goes on to the next look. The levels of all looks together are the share of false alarms
        # margin     the tolerated ratio of candidate to baseline: 1.25 is a quarter slower. With 5 runs a margin of 1.25 takes a
        #            host with less than 10 % noise, one of 1.10 less than 5 %
        # floor      a difference that is shown to be less stops nothing
        # compare    arms: all runs with all; pairs: each with its neighbour, for a host whose speed drifts
        # control    the judge is tried on two unchanged shadows: split compares halves of the baseline's runs, shadow runs as many
        #            again
        # load       bursts of so many builds; sequential goes on after the first looks until it is decided, 60 bursts at most
        # blocks     the least severity that stops a change: note, minor, major, critical
        # measuredTrials  parts of a change that makes builds slower that are measured to find the one at fault, each with the runs
        #            of the looks; 0 searches for none
        # bake       how long a promoted change is watched before it counts as done
        # smoke      jobs of which one build each is asked for in production after a promotion, with everything that such a build
        #            does: one that fails, or has not ended after the limit, takes the change back. None unless named here
        # approvals  how many people must approve a promotion
        # expiry     how long a verdict may be promoted
        classes:
          # Definitions of jobs and pipelines.
          job-definition:
            stages: [static, boot, roundTrip, probes]
            boots: 2
            probes: {names: [], usingChange: true, mostUsed: 2, atMost: 4}
            looks: [{runs: 5, alpha: 0.01}, {runs: 10, alpha: 0.04}]
            margin: 1.5
            floor: 200ms
            compare: arms
            control: split
            blocks: major
            measuredTrials: 8
            bake: 10m
            smoke: {jobs: [], limit: 10m}
            approvals: 0
            expiry: 24h

          # Plugins or packages whose first number stays.
          plugin-patch:
            stages: [static, boot, roundTrip, probes]
            margin: 1.25
            bake: 30m
            approvals: 0

          # Plugins or packages that are new, go, or change their first number.
          plugin-major:
            stages: [static, boot, roundTrip, probes]
            margin: 1.25
            bake: 2h
            approvals: 1

          # The CI tool itself.
          core:
            stages: [static, boot, roundTrip, probes, load]
            boots: 3
            load:
              builds: 20
              looks: [{runs: 5, alpha: 0.01}, {runs: 10, alpha: 0.04}]
              margin: 1.5
              floor: 1s
              sequential: false
            bake: 4h
            approvals: 1

          # Several of these at once, or what is none of them.
          everything:
            stages: [static, boot, roundTrip, probes, load]
            boots: 3
            control: shadow
            bake: 24h
            approvals: 2

        # Severities of kinds of findings that are to be others than they are: {log-warning: major, log-error: minor}.
        severities: {}

        # Whose signature on an update-center.json counts: roots are files with certificates, besides those in the war and in the
        # home's update-center-rootCAs; acceptUnsigned believes a plain mirror, signed or not.
        updateCenter: {roots: [], acceptUnsigned: false}

        # What all processes of one shadow together may use, in canaries, promotions and drills; one that uses more is ended. memory
        # counts temporary files too; the shadows of a canary share the same processors, no more than the host has.
        shadows: {memory: 4GiB, processors: 4, processes: 4096}

        """
}
