import Testing

@testable import Judge

@Suite struct LogSignatureTests {
    @Test(
        arguments: [
            ("2026-11-26 02:04:22.123+0000 took 12 ms", "<time> took <n> ms"),
            ("2026-11-26T02:04:22,5Z ready", "<time> ready"),
            ("2026-11-26T02:04:22+0000 ready", "<time> ready"),
            ("at 02:04:22 on port 8080", "at <time> on port <n>"),
            ("listening on 127.0.0.1:8010", "listening on 127.0.0.1:<n>"),
            ("hudson.model.Run@3f2a9c1b lost", "hudson.model.Run@<hash> lost"),
            ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <uuid> gone"),
            ("nightly #1234 started in 35ms", "nightly #<n> started in <duration>"),
            ("took 1.5s, then 3.25 seconds", "took <duration>, then 3.25 seconds"),
            ("cannot open /tmp/tmp8a7f/x.py: no such file", "cannot open <path> no such file"),
            ("Failed Loading plugin Git v5.5.2 (git)", "Failed Loading plugin Git v5.5.2 (git)"),
            ("python3.11 of py3 on node1", "python3.11 of py3 on node1"),
            ("commit deadbeef01 and dead beef", "commit <hex> and dead beef"),
            ("Executor #0 for agent-7 : executing", "Executor #<n> for agent-<n> : executing"),
            ("admin@example.org wrote", "admin@example.org wrote"),
            ("", ""),
        ])
    func whatDiffersFromTimeToTimeIsTakenOut(_ line: String, _ expected: String) {
        #expect(LogSignature.template(of: line) == expected)
        #expect(LogSignature.template(of: expected) == expected, "a template is its own template")
    }
}
