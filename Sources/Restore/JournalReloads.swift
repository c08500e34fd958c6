internal import Capture
internal import Drivers
internal import FileTree
internal import SystemPackage

extension Journal {
    /// Whether a component goes on running while its places change.
    func keepsRunning(_ component: String) -> Bool {
        (reloads ?? []).contains { $0.component == component }
    }

    /// Removes what components make by themselves from what was exchanged; it comes back by itself.
    func removeDerived() throws {
        for path in derived ?? [] { try Files.removeTree(FilePath(path)) }
    }

    /// Lets components that go on running read again what changed below them.
    ///
    /// Throws the driver's failure when one does not take it up.
    func reload(in system: DeliverySystem, progress: (String) -> Void) async throws {
        for reload in reloads ?? [] {
            progress("reloading \(reload.component): \(reload.words)")
            try await system.driver(of: reload.component)?.reloading?.reload(reload.targets)
        }
    }
}
