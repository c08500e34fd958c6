internal import Capture
internal import Drivers
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension DeliverySystem {
    /// The first link between a root and one of the paths in it; nil when there is none.
    ///
    /// What is exchanged or removed through one lies outside of what was captured, or is somebody else's.
    func linkOnTheWay(to paths: [FilePath]) throws -> (link: FilePath, path: FilePath)? {
        let roots = components.flatMap { $0.driver.places() }.map { FilePath($0.path) }
        for path in paths {
            for root in roots {
                var below = path
                guard below.removePrefix(root) else { continue }
                if let link = try Files.link(on: below.removingLastComponent(), below: root) {
                    return (root.pushing(link), path)
                }
            }
        }
        return nil
    }

    /// Throws a ``RestoreFailure`` where a link came on the way to what is about to change.
    func refuseLinks(onTheWayTo paths: [FilePath]) throws {
        guard let (link, path) = try linkOnTheWay(to: paths) else { return }
        throw RestoreFailure(
            .refused, "\(link) is a link, and \(path) would be replaced through it",
            hint: "put the directory back that was there, and run the command again")
    }
}

extension Journal {
    /// All that changes places or is removed with that.
    var changedPaths: [FilePath] { (places.map(\.live) + (derived ?? [])).map { FilePath($0) } }
}
