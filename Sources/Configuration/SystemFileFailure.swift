internal import FileTree
internal import SnapshotModel
package import SystemPackage
package import YAML

/// A file that describes the system, the system file or a policy, cannot be used as it is.
package struct SystemFileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// One thing that is wrong with the file.
    package struct Problem: Hashable, Sendable {
        /// Where, nil when it is the file as a whole.
        package var position: Position?
        /// What was found and what was expected.
        package var message: String

        /// A problem.
        package init(_ message: String, at position: Position?) {
            self.message = message
            self.position = position
        }
    }

    /// The file.
    package var path: FilePath
    /// Everything that is wrong with it, in the order of the file.
    package var problems: [Problem]
    /// What to do, where that is known better than by where the problems are.
    private let advice: String?

    /// A failure.
    package init(path: FilePath, problems: [Problem], advice: String? = nil) {
        self.advice = advice
        self.path = path
        self.problems = problems
    }

    /// A line for each problem, with file, line and column.
    package var description: String {
        let file = printable(path.byteArray)
        return problems.map { problem in
            let place = problem.position.map { ":\($0)" } ?? ""
            return "\(file)\(place): \(problem.message)"
        }.joined(separator: "\n")
    }

    /// What to do.
    package var hint: String {
        if let advice { return advice }
        guard problems.contains(where: { $0.position != nil }) else {
            return "check the path and its permissions; `understudy init PATH...` writes a new system file"
        }
        return "correct the file and run the command again; nothing was done"
    }
}

/// No system file stands where one is looked for.
package struct SystemFileMissing: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where it was looked for.
    package var looked: [FilePath]
    /// What named the only place that was looked at: `--system`; nil for the usual places.
    package var origin: String?

    /// A failure.
    package init(looked: [FilePath], origin: String?) {
        self.looked = looked
        self.origin = origin
    }

    /// What is missing, and where it was looked for.
    package var description: String {
        let places = looked.map { printable($0.byteArray) }.joined(separator: " and ")
        guard let origin else { return "there is no system file: looked for \(places)" }
        return "there is no system file at \(places), which \(origin) names"
    }

    /// What to do.
    package var hint: String {
        origin == nil
            ? "`understudy init PATH...` looks at the paths and writes one; on an empty machine `understudy restore --from "
                + "COPY` brings it back from a copy of the store; --system FILE names another place"
            : "check the path, or let `understudy init PATH... --output FILE` write the file"
    }
}
