package import Drivers
internal import GitStore
package import Sealing
package import SnapshotModel

/// A delivery system as the engines see it.
package struct DeliverySystem: Sendable {
    /// Its name.
    package var name: String
    /// The text of the system file; a snapshot carries it, so that an empty machine needs nothing else.
    package var text: [UInt8]
    /// Where the system file stands, nil when it comes from a snapshot that does not say.
    package var file: String?
    /// The files of its policies by name, sorted; a snapshot carries them too.
    package var policies: [(name: String, contents: [UInt8])]
    /// Its components with their drivers, in the order of the system file.
    package var components: [(component: Component, driver: any Driver)]
    /// What the policy says differently than the drivers.
    package var options: CaptureOptions
    /// Who can open its secrets and databases; nobody, and they are captured in clear.
    package var recipients: [Recipient]
    /// The name of this host.
    package var host: String
    /// The version of Understudy.
    package var tool: String

    /// A system.
    package init(
        name: String, text: [UInt8], file: String? = nil,
        policies: [(name: String, contents: [UInt8])] = [],
        components: [(component: Component, driver: any Driver)],
        options: CaptureOptions, recipients: [Recipient], host: String, tool: String
    ) {
        self.file = file
        self.policies = policies
        self.recipients = recipients
        self.name = name
        self.text = text
        self.components = components
        self.options = options
        self.host = host
        self.tool = tool
    }

    /// The components that need one of these to be up before they start, directly or through others; in the order of the
    /// system file.
    package func dependents(of names: Set<String>) -> [String] {
        var needing: Set<String> = []
        while true {
            let more = components.map(\.component).filter {
                !needing.contains($0.name) && !names.union(needing).isDisjoint(with: $0.after)
            }
            guard !more.isEmpty else { break }
            needing.formUnion(more.map(\.name))
        }
        return components.map(\.component.name).filter { needing.contains($0) && !names.contains($0) }
    }

    /// These components in the order in which they start: each after all that it needs, else as in the system file; what
    /// the system does not have is left out.
    package func startOrder(of names: Set<String>) -> [String] {
        var left = components.map(\.component.name).filter { names.contains($0) }
        var ordered: [String] = []
        while !left.isEmpty {
            let waiting = left
            let index = left.firstIndex { name in
                !waiting.contains { $0 != name && dependents(of: [$0]).contains(name) }
            }
            ordered.append(left.remove(at: index ?? left.startIndex))
        }
        return ordered
    }

    /// The driver of a component, nil when the system has none of that name.
    package func driver(of name: String) -> (any Driver)? {
        components.first { $0.component.name == name }?.driver
    }
}
