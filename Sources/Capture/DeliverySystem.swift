package import Drivers
internal import FileTree
internal import GitStore
package import Sealing
package import SnapshotModel
internal import SystemPackage

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
        self.options = Self.sealing(keyFilesOf: components, options)
        self.host = host
        self.tool = tool
    }

    /// The options, with a row before the policy's for each file that opens what a component holds, where it would be captured in
    /// clear: its name may say nothing of what it is.
    private static func sealing(
        keyFilesOf components: [(component: Component, driver: any Driver)], _ options: CaptureOptions
    ) -> CaptureOptions {
        var options = options
        let keys = components.flatMap { $0.driver.keyFiles }.flatMap(spellings)
        guard !keys.isEmpty else { return options }
        for (component, driver) in components {
            for root in driver.places() where root.kind == .directory {
                let places = spellings(FilePath(root.path))
                for key in keys {
                    var below = key
                    guard places.contains(where: { below.removePrefix($0) }), !below.isEmpty else { continue }
                    let entryClass = ComponentCapture.classification(
                        root.name, of: driver, component.name, options
                    ).entryClass(of: EntryPath(below.byteArray), isDirectory: false)
                    guard !entryClass.isSealed, entryClass != .derived, !options.leftOut.contains(entryClass)
                    else { continue }
                    options.rules[component.name, default: []].insert(.init(below.string, .secret), at: 0)
                }
            }
        }
        return options
    }

    /// A path as it is written, and without the links on the way to what stands there.
    private static func spellings(_ path: FilePath) -> [FilePath] {
        let path = path.lexicallyNormalized()
        // Where nothing can be looked at nothing is captured either.
        guard let resolved = try? Files.resolved(path), resolved != path else { return [path] }
        return [path, resolved]
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
