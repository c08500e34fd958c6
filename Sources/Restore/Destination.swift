package import Capture
package import Drivers
internal import FileTree
package import GitStore
internal import SnapshotModel
package import SystemPackage

extension RestorePlan {
    /// Why what is restored beside production, to `destination`, would be written into production or the store after all.
    ///
    /// Links are resolved, as far as there is anything.
    package func refusals(
        ofWritingTo destination: FilePath, beside system: DeliverySystem, _ store: SnapshotStore
    ) -> [Refusal] {
        let live = system.components.flatMap { component, driver in
            driver.places().map { (component: component.name, path: Self.real(FilePath($0.path))) }
        }
        let local = Self.real(store.path)
        let dumps = applications.map { destination.appending($0.component) }
        for place in roots.map({ FilePath($0.root.path) }) + dumps {
            let real = Self.real(place)
            func refusal(_ words: String) -> [Refusal] {
                [
                    Refusal(
                        "\(place) \(words)",
                        hint: "name another directory with --to, outside of what is captured and of the store"
                    )
                ]
            }
            guard !real.starts(with: local) else {
                return refusal("would be written into the store \(local)")
            }
            for (component, path) in live where real.starts(with: path) || path.starts(with: real) {
                return refusal(
                    real.starts(with: path)
                        ? "would be written into \(path), which component '\(component)' captures"
                        : "would be written around \(path), which component '\(component)' captures")
            }
        }
        return []
    }

    /// A path without links: of what is not there yet, the directory that it is in.
    private static func real(_ path: FilePath) -> FilePath {
        var existing = path
        var missing: [FilePath.Component] = []
        while true {
            // What cannot be resolved, as a link to nowhere, cannot be written to either.
            if let resolved = try? Files.resolved(existing) { return resolved.appending(missing) }
            guard let name = existing.lastComponent else { return path }
            missing.insert(name, at: 0)
            existing.removeLastComponent()
        }
    }
}
