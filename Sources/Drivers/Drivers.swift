package import SnapshotModel

/// Every kind of driver that there is, by name; the order is that of detection.
package let driverKinds: [any Driver.Type] = [
    JenkinsDriver.self,
    BuildbotDriver.self,
    GitRepositoriesDriver.self,
    PostgreSQLDriver.self,
    CommandDriver.self,
    FilesDriver.self,
]

/// The driver of a component.
///
/// Throws a ``DriverFailure`` when there is no driver of that kind, or when it refuses the settings.
package func makeDriver(_ component: Component) throws -> any Driver {
    guard let kind = driverKinds.first(where: { $0.name == component.driver }) else {
        throw DriverFailure(
            "component '\(component.name)' has the unknown driver '\(component.driver)'",
            hint: "the drivers are \(driverKinds.map { $0.name }.joined(separator: ", "))")
    }
    return try kind.init(component)
}
