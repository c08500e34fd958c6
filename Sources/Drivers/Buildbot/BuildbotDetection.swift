internal import FileTree
internal import SnapshotModel
package import SystemPackage

extension BuildbotDriver {
    /// Knows a master's base directory, and a directory that holds a master, its workers and their environment.
    package static func detect(_ path: FilePath) throws -> Detection? {
        guard try Files.isDirectory(path) else { return nil }
        if let tac = try TacFile.read(in: path) {
            return tac.role == .master ? try detection(master: path, workers: [], environment: nil) : nil
        }
        var masters: [FilePath] = []
        var workers: [FilePath] = []
        var environment: FilePath?
        for name in try Files.names(path) {
            let child = FilePath(bytes: path.byteArray + [UInt8(ascii: "/")] + name)
            guard try Files.status(child)?.kind == .directory else { continue }
            switch try TacFile.read(in: child)?.role {
            case .master: masters.append(child)
            case .worker: workers.append(child)
            case nil:
                guard environment == nil, try Files.exists(child.appending("pyvenv.cfg")),
                    try Files.exists(child.appending("bin/buildbot"))
                else { continue }
                environment = child
            }
        }
        guard let master = masters.first else { return nil }
        guard masters.count == 1 else {
            throw DriverFailure(
                "\(path) holds \(masters.count) Buildbot masters",
                hint: "name each on its own: \(masters.map(\.string).joined(separator: " "))")
        }
        return try detection(master: master, workers: workers, environment: environment)
    }

    private static func detection(
        master: FilePath, workers: [FilePath], environment: FilePath?
    ) throws -> Detection? {
        guard let tac = try TacFile.read(in: master) else { return nil }
        var settings: [String: SettingValue] = ["master": .text(master.string)]
        if !workers.isEmpty { settings["workers"] = .list(workers.map(\.string)) }
        if let port = try MasterConfiguration(tac, directory: master).webPort {
            settings["url"] = .text("http://127.0.0.1:\(port)/")
        }
        var words = ["Buildbot master"]
        if let environment {
            settings["environment"] = .text(environment.string)
            let python = try PythonEnvironment(environment)
            if let version = try python.version(of: "buildbot") { words = ["Buildbot \(version) master"] }
            words.append("Python \(python.version)")
        } else {
            words.append("no Python environment found")
        }
        if !workers.isEmpty { words.append(counted(workers.count, "worker")) }
        return Detection(name: "buildbot", settings: settings, summary: words.joined(separator: ", "))
    }
}
