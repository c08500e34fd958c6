internal import FileTree
internal import SystemPackage

/// A `buildbot.tac`: the program that makes a directory a master or a worker.
struct TacFile {
    /// What the directory is.
    enum Role {
        case master, worker
    }

    /// What the directory is.
    var role: Role
    /// The source text.
    var source: String

    /// The base directory, where the text says it as a literal; `.` for the directory that holds the file.
    var baseDirectory: String? { PythonText.assignment("basedir", in: source).flatMap(PythonText.string) }
    /// The master's configuration file, as the text says it.
    var configurationFile: String {
        PythonText.assignment("configfile", in: source).flatMap(PythonText.string) ?? "master.cfg"
    }
    /// The name under which a worker connects, where the text says it as a literal.
    var workerName: String? { PythonText.assignment("workername", in: source).flatMap(PythonText.string) }

    /// The file of a base directory, nil when there is none, or it is neither a master's nor a worker's.
    static func read(in directory: FilePath) throws -> TacFile? {
        guard let bytes = try Files.readIfPresent(directory.appending("buildbot.tac"), limit: 1 << 20) else {
            return nil
        }
        return TacFile(String(decoding: bytes, as: UTF8.self))
    }

    /// The file of this text, nil when it is neither a master's nor a worker's.
    ///
    /// Looks for the very call that Buildbot's own commands look for.
    init?(_ source: String) {
        func names(_ application: String) -> Bool {
            PythonText.lines(source).contains { line in
                let line = line.filter { $0 != "\"" && $0 != "'" }
                return line.contains("Application(\(application))")
            }
        }
        if names("buildmaster") {
            role = .master
        } else if names("buildbot-worker") || names("buildslave") {
            role = .worker
        } else {
            return nil
        }
        self.source = source
    }

    /// The text with another literal for the base directory, nil when the present one need not change.
    func rebased(to path: String) -> String? {
        guard let present = baseDirectory, present != ".", present != path else { return nil }
        return PythonText.lines(source).map { line -> String in
            guard PythonText.assignment("basedir", in: String(line)).flatMap(PythonText.string) == present
            else {
                return String(line)
            }
            return "basedir = \(PythonText.literal(path))"
        }.joined(separator: "\n")
    }
}
