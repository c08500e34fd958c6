package import FileTree

/// What a program sees from inside a sandbox, looked at before anything else runs there.
package struct InsideView: Codable, Hashable, Sendable {
    /// The network interfaces.
    package var interfaces: [String]
    /// What came of trying to reach an address outside, by address: the name of an error, or `connected`.
    package var connections: [String: String]
    /// Whether a name that exists can be resolved.
    package var resolvesNames: Bool
    /// Sockets in the file system, but for those in mounted places; what is not looked through from inside is looked for outside.
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

    /// One thing that must be so before anything runs.
    package struct Check: Hashable, Sendable {
        /// What must be so: `no network interface but lo`.
        package var words: String
        /// Whether it is.
        package var holds: Bool
        /// What was seen.
        package var detail: String
    }

    /// Everything that is checked.
    ///
    /// `expected` are the variables that were given; `production` says what stands at each place outside: seen from
    /// inside it must be something else.
    package func checks(environment expected: Set<String>, production: [String: String]) -> [Check] {
        let foreign = Set(environment).subtracting(expected).sorted()
        let shown = production.filter { places[$0.key] == $0.value }.keys.sorted()
        let tried = connections.sorted { $0.key < $1.key }
        return [
            Check(
                words: "no network interface but lo", holds: interfaces == ["lo"],
                detail: interfaces.joined(separator: ", ")),
            Check(
                words: "addresses outside cannot be reached",
                holds: !tried.isEmpty && tried.allSatisfy { Self.unreachable.contains($0.value) },
                detail: tried.map { "\($0.key) \($0.value)" }.joined(separator: ", ")),
            Check(
                words: "names of the network are not resolved", holds: !resolvesNames,
                detail: resolvesNames ? "resolved" : ""),
            Check(
                words: "no socket in sight", holds: sockets.isEmpty,
                detail: sockets.joined(separator: ", ")),
            Check(
                words: "no variable of ours in the environment", holds: foreign.isEmpty,
                detail: foreign.isEmpty
                    ? environment.joined(separator: ", ") : foreign.joined(separator: ", ")),
            Check(
                words: "nothing of production in sight", holds: shown.isEmpty,
                detail: shown.joined(separator: ", ")),
            // The sandbox's first process, ourselves, and nobody else.
            Check(
                words: "no process of the host in sight", holds: processes <= 2,
                detail: "\(processes) processes"),
            Check(
                words: "no capabilities", holds: capabilities.allSatisfy { $0 == "0" }, detail: capabilities),
        ]
    }

    /// Errors of a connection that cannot leave the sandbox.
    private static let unreachable: Set = [
        "ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EPERM", "EHOSTUNREACH",
    ]

    /// What identifies a file, however it is called: device and inode.
    package static func identity(_ status: FileStatus) -> String { "\(status.device):\(status.inode)" }
}
