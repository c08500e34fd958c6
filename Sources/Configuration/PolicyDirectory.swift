internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension SystemDescription {
    /// The path and the text of a policy in the directory of policies; nil when the built-in one stands.
    ///
    /// A directory that the system file names must be there; a policy in it need not.
    func policy(
        named name: String
    ) throws(SystemFileFailure) -> (path: FilePath, text: String)? {
        guard let directory = policies else { return nil }
        let path = directory.appending(name)
        do throws(FileFailure) {
            _ = try Files.names(directory)
            guard try Files.exists(path) else { return nil }
        } catch {
            let problem = SystemFileFailure.Problem(
                "cannot \(error.operation) the directory of the policies: \(error.reason)", at: nil)
            let isLost = error.reason == .noSuchFileOrDirectory
            throw SystemFileFailure(
                path: directory, problems: [problem],
                advice: isLost
                    ? "make it: with nothing in it the built-in policies stand, and 'understudy show latest "
                        + "\(Snapshot.policiesName)' lists those of the last snapshot; 'understudy restore --from \(store)' "
                        + "brings them back with all else that it holds" : nil)
        }
        return (path, try SystemFile.readText(path))
    }
}
