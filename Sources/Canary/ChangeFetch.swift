package import Capture
package import Drivers
package import Judge
package import Shadow
package import SystemPackage

extension ChangeContents {
    /// The versions that it asks for and brings no archive of.
    package func missingArchives(_ system: DeliverySystem) throws -> [ComponentChange.Package] {
        guard let shadow = system.driver(of: change.component)?.shadow else { return [] }
        let brought = try archives.filter { $0.key != shadow.indexFile }.map {
            try shadow.package(ofArchive: $0.key, $0.value)
        }
        return change.packages.filter { $0.version != nil && !brought.contains($0) }
    }

    /// Fetches what it asks for and does not bring, with what that needs in the component of a snapshot; runs nothing.
    package mutating func fetch(
        for source: Shadows.Source, from index: PackageIndex,
        trusting trust: CanaryPolicy.UpdateCenterTrust, in parent: FilePath
    ) async throws {
        let own = (change: change, archives: archives)
        let fetched = try await Workspace.with(source.store, in: parent) { workspace in
            let shadows = try await Shadows(source, in: workspace)
            return try await shadows.provide(own.archives, for: own.change, from: index, trusting: trust)
        }
        for (name, archive) in fetched { try add(archive: name, archive) }
    }
}
