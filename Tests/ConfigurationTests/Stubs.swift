import Configuration
import Drivers
import FileTree
import SnapshotModel
import SystemPackage

/// A driver that knows directories by a marker file; only what a system file needs of it does anything.
protocol MarkedDriver: Driver {
    static var marker: String { get }
}

extension MarkedDriver {
    static func detect(_ path: FilePath) throws -> Detection? {
        guard try Files.exists(path.appending(marker)) else { return nil }
        return Detection(
            name: path.lastComponent?.string ?? name, settings: ["home": .text(path.string)],
            summary: "\(name) 1.0")
    }

    init(_ component: Component) throws { throw DriverFailure("never made", hint: "") }
    func places() -> [Root] { [] }
    func roots() throws -> [Root] { [] }
    func classification(of root: String) -> Classification { Classification([], defaultClass: .config) }
    func relocated(to roots: [String: FilePath]) -> Self { self }
}

struct ToolDriver: MarkedDriver {
    static let name = "tool"
    static let marker = "tool.marker"
    static let settings = [
        SettingKey("home", .path, required: true, help: "where it lives"),
        SettingKey("label", .text, help: "what people call it"),
        SettingKey("url", .url, help: "where it answers"),
        SettingKey("service", .service, help: "how it starts"),
    ]
}

struct OtherDriver: MarkedDriver {
    static let name = "other"
    static let marker = "other.marker"
    static let settings = [SettingKey("home", .path, required: true, help: "")]
}

/// Knows the directory that one of its parts lies in.
struct PartsDriver: MarkedDriver {
    static let name = "parts"
    static let marker = "master/parts.marker"
    static let settings = [SettingKey("master", .path, required: true, help: "")]

    static func detect(_ path: FilePath) throws -> Detection? {
        guard try Files.exists(path.appending(marker)) else { return nil }
        return Detection(
            name: name, settings: ["master": .text(path.appending("master").string)], summary: "parts")
    }
}

struct DirectoriesDriver: MarkedDriver {
    static let name = "files"
    static let marker = "never"
    static let settings = [SettingKey("paths", .paths, required: true, help: "the directories")]
}

let stubKinds: [any Driver.Type] = [ToolDriver.self, OtherDriver.self, DirectoriesDriver.self]

/// The description in `text`, as if it stood in `/srv/u.yaml`.
func parse(_ text: String) throws(SystemFileFailure) -> SystemDescription {
    try SystemFile.parse(text, path: "u.yaml", directory: "/srv", kinds: stubKinds)
}

/// The lines of the failure that `text` gives; empty when it gives none.
func problems(_ text: String) -> [String] {
    do throws(SystemFileFailure) {
        _ = try parse(text)
        return []
    } catch {
        return error.description.split(separator: "\n").map(String.init)
    }
}

/// Makes a file, and the directories above it.
func makeFile(_ path: FilePath, _ text: String = "") throws {
    try Files.makeDirectories(path.removingLastComponent())
    try Files.replace(path, with: Array(text.utf8))
}
