internal import Capture
internal import Drivers
internal import FileTree
internal import SystemPackage

extension Journal.Applied {
    /// The driver that puts it in place.
    ///
    /// Throws a ``RestoreFailure`` when the system file does not describe the component any more.
    func application(in system: DeliverySystem) throws -> any Application {
        guard let application = system.driver(of: component)?.application else {
            throw RestoreFailure(
                .refused,
                "the system file does not describe '\(component)' any more, which the last restore put in place",
                hint: "describe it as it was and run the command again")
        }
        return application
    }
}

extension Journal {
    /// Every component that the restore changes.
    var components: Set<String> {
        Set(places.map(\.component) + (applied ?? []).map(\.component))
    }

    /// Removes everything that lies beside production.
    ///
    /// A server that is down must not keep the rest of the system from coming back: what a driver cannot remove is returned
    /// in words.
    func removeStaging(in system: DeliverySystem) async throws -> [String] {
        for directory in stagingDirectories { try Files.removeTree(FilePath(directory)) }
        var left: [String] = []
        for applied in applied ?? [] {
            do {
                try await applied.application(in: system).discard(applied.record)
            } catch {
                left.append(
                    "\(applied.component): what a restore left beside it could not be removed, do it by hand: \(error)"
                )
            }
        }
        return left
    }
}
