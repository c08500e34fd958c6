package import FileTree

/// What a program sees from inside a sandbox, looked at before anything else runs there.
package struct Attestation: Codable, Hashable, Sendable {
    /// The network interfaces.
    package var interfaces: [String]
    /// What came of trying to reach an address outside, by address: the name of an error, or `connected`.
    package var connections: [String: String]
    /// Whether a name that exists can be resolved.
    package var resolvesNames: Bool
    /// Sockets in the file system, but for those in mounted places.
    package var sockets: [String]
    /// Names of the variables of the environment.
    package var environment: [String]
    /// What stands at each mounted place: device and inode.
    package var places: [String: String]
    /// Processes that can be seen.
    package var processes: Int
    /// The effective capabilities, in hex.
    package var capabilities: String

    /// What was seen.
    package init(
        interfaces: [String], connections: [String: String], resolvesNames: Bool, sockets: [String],
        environment: [String], places: [String: String], processes: Int, capabilities: String
    ) {
        self.interfaces = interfaces
        self.connections = connections
        self.resolvesNames = resolvesNames
        self.sockets = sockets
        self.environment = environment
        self.places = places
        self.processes = processes
        self.capabilities = capabilities
    }

    /// What is wrong with it, empty when nothing is.
    ///
    /// `expected` are the variables that were given; `production` says what stands at each place outside: seen from
    /// inside it must be something else.
    package func violations(environment expected: Set<String>, production: [String: String]) -> [String] {
        var violations: [String] = []
        if interfaces != ["lo"] {
            violations.append("it has the network interfaces \(interfaces.joined(separator: ", "))")
        }
        if connections.isEmpty { violations.append("nobody tried to reach the network") }
        for (address, result) in connections.sorted(by: { $0.key < $1.key })
        where !Self.unreachable.contains(result) {
            violations.append("a connection to \(address) ended with \(result), and not as unreachable")
        }
        if resolvesNames { violations.append("it resolves names of the network") }
        violations += sockets.map { "the socket \($0) can be seen" }
        let foreign = Set(environment).subtracting(expected)
        violations += foreign.sorted().map { "the variable \($0) is in its environment" }
        for (place, identity) in production.sorted(by: { $0.key < $1.key }) where places[place] == identity {
            violations.append("production's own \(place) can be seen")
        }
        // The sandbox's first process, ourselves, and nobody else.
        if processes > 2 { violations.append("it sees \(processes) processes") }
        if capabilities.contains(where: { $0 != "0" }) {
            violations.append("it has the capabilities \(capabilities)")
        }
        return violations
    }

    /// Errors of a connection that cannot leave the sandbox.
    private static let unreachable: Set = [
        "ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EPERM", "EHOSTUNREACH",
    ]

    /// The lines of a report.
    package var lines: [String] {
        [
            "network interfaces: \(interfaces.joined(separator: ", "))",
            "connections outside: "
                + connections.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                .joined(separator: ", "),
            "names of the network: \(resolvesNames ? "resolved" : "not resolved")",
            "sockets in sight: \(sockets.isEmpty ? "none" : sockets.joined(separator: ", "))",
            "environment: \(environment.joined(separator: ", "))",
            "processes in sight: \(processes)", "capabilities: \(capabilities)",
        ]
    }

    /// What identifies a file, however it is called: device and inode.
    package static func identity(_ status: FileStatus) -> String { "\(status.device):\(status.inode)" }
}
