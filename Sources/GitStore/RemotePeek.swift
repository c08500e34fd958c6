internal import FileTree
internal import Git
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// Looks into a repository that is no remote of a store yet, because there is no store yet.
package struct RemotePeek: Sendable {
    private let source: Remote

    /// Looks at an address or at the path of a directory.
    ///
    /// Throws a ``StoreFailure`` for what cannot be the address of a repository.
    package init(_ url: String) throws {
        try Remotes.checkAddress(url)
        source = Remote(name: "source", url: url)
    }

    /// The names of the systems that have snapshots there, sorted.
    package func systems() async throws -> [String] {
        let outcome = try await RemoteGit.program(
            nil, ["ls-remote", "--quiet", "--", source.url, "refs/snapshots/*"]
        ).run()
        guard outcome.status == 0 else { throw RemoteGit.failure("read", source, outcome) }
        let names = outcome.output.split(separator: "\n").compactMap { line -> String? in
            let parts = line.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 4, SnapshotID(String(parts[3])) != nil else { return nil }
            return String(parts[2])
        }
        return Set(names).sorted()
    }

    /// The text of the system file at the end of a system's history, which is small and needs nothing else.
    package func systemFile(of system: String) async throws -> [UInt8] {
        let scratch = try Scratch(in: "/tmp")
        defer { withExtendedLifetime(scratch) {} }
        let repository = scratch.path.appending("history.git")
        _ = try Repository(creatingBareAt: repository)
        let outcome = try await RemoteGit.program(
            repository,
            [
                "fetch", "--quiet", "--no-tags", "--depth=1", "--", source.url,
                "refs/heads/\(system):refs/heads/history",
            ]
        ).run()
        let reader = try ObjectReader(repository)
        let head = try References(repository).target(of: "refs/heads/history")
        guard outcome.status == 0, let head else {
            throw RemoteGit.failure("read the history of", source, outcome)
        }
        let commit = try Commit(contents: reader.contents(head, .commit), of: head)
        guard let file = try reader.entry("understudy.yaml", of: commit.tree) else {
            throw StoreFailure(
                .damaged, "the history of '\(system)' in \(source.shownURL) has no system file",
                hint: "say where the store should be: --store DIR")
        }
        return try reader.contents(file.id, .blob, limit: SnapshotStore.longestText)
    }
}
