package import Drivers
internal import FileTree
internal import SnapshotModel
package import SystemPackage
internal import YAML

/// The file that describes a delivery system: `understudy.yaml`.
package enum SystemFile {
    /// The largest file that is read, in bytes.
    static let limit = 1 << 20

    /// Where a system file may stand, in the order of looking.
    ///
    /// `option` is what `--system` names, `variable` the value of `$UNDERSTUDY_SYSTEM`; each, where given, is the only
    /// place. `directory` is the working directory.
    package static func places(option: String?, variable: String?, directory: FilePath = ".") -> [FilePath] {
        if let option { return [directory.pushing(FilePath(option))] }
        if let variable, !variable.isEmpty { return [directory.pushing(FilePath(variable))] }
        return [directory.appending("understudy.yaml"), "/etc/understudy/understudy.yaml"]
    }

    /// The system file to use: the first of ``places(option:variable:directory:)`` at which something stands.
    package static func find(option: String?, variable: String?, directory: FilePath = ".") throws -> FilePath
    {
        let places = places(option: option, variable: variable, directory: directory)
        for place in places where try Files.exists(place) {
            return place
        }
        let origin =
            option != nil ? "--system" : variable.flatMap { $0.isEmpty ? nil : "$UNDERSTUDY_SYSTEM" }
        throw SystemFileMissing(looked: places, origin: origin)
    }

    /// The description in the file at `path`; relative paths in it start at the file's directory.
    ///
    /// Throws a ``SystemFileFailure`` with everything that is wrong with the file.
    package static func read(
        _ path: FilePath, kinds: [any Driver.Type] = driverKinds
    ) throws(SystemFileFailure) -> SystemDescription {
        let text = try readText(path)
        let directory: FilePath
        do throws(FileFailure) {
            let parent = path.removingLastComponent()
            directory = try Files.resolved(parent.isEmpty ? "." : parent)
        } catch {
            throw SystemFileFailure(path: path, problems: [.init("\(error)", at: nil)])
        }
        return try parse(text, path: path, directory: directory, kinds: kinds)
    }

    /// The description that `text` spells.
    ///
    /// `path` is the file's name in messages, `directory` where relative paths start.
    package static func parse(
        _ text: String, path: FilePath, directory: FilePath, kinds: [any Driver.Type] = driverKinds
    ) throws(SystemFileFailure) -> SystemDescription {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        guard let root else {
            let problem = SystemFileFailure.Problem(
                "found nothing in the file, expected the keys system, store and components",
                at: Position(line: 1, column: 1))
            throw SystemFileFailure(path: path, problems: [problem])
        }
        var reader = SystemFileReader(kinds: kinds, directory: directory)
        let description = reader.description(of: root, text: text)
        return try reader.document.finish(description, path: path)
    }

    /// The text of a file, refused when it is too large or not UTF-8.
    static func readText(_ path: FilePath) throws(SystemFileFailure) -> String {
        let bytes: [UInt8]
        do throws(FileFailure) {
            bytes = try Files.read(path, limit: limit)
        } catch {
            throw SystemFileFailure(path: path, problems: [.init(reason(error), at: nil)])
        }
        do throws(Unicode.UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            let good = String(decoding: bytes[..<error.byteOffsets.lowerBound], as: UTF8.self)
            let problem = SystemFileFailure.Problem(
                "found bytes that are not UTF-8, expected UTF-8 text", at: Position(after: good))
            throw SystemFileFailure(path: path, problems: [problem])
        }
    }

    private static func reason(_ failure: FileFailure) -> String {
        switch failure.reason {
        case .fileTooLarge: "found more than \(limit >> 20) MiB, expected a small YAML file"
        case .invalidArgument: "cannot read it: it is not a regular file"
        default: "cannot \(failure.operation) it: \(failure.reason)"
        }
    }
}
