internal import Drivers
internal import FileTree
internal import Programs
internal import Shadow
internal import SnapshotModel
internal import SystemPackage

/// One thing of production that a promotion exchanges.
struct ExchangedPlace {
    var root: String
    /// Its path below the root, nil for the root itself.
    var below: String?
    /// Where it stands in production.
    var live: FilePath
    /// The file of the change, nil for what its packages are.
    var file: ComponentChange.File?

    /// What a change exchanges, without the data.
    static func all(
        of change: ComponentChange, _ driver: any Driver, _ shadow: any ShadowDriver
    ) -> [ExchangedPlace] {
        let roots = driver.places()
        var places = shadow.packagePlaces(change, of: roots).map { root, below in
            ExchangedPlace(
                root: root.name, below: below,
                live: below.map { FilePath(root.path).appending($0) } ?? FilePath(root.path))
        }
        for file in change.files {
            guard let root = roots.first(where: { $0.name == file.root }) else { continue }
            places.append(
                ExchangedPlace(
                    root: file.root, below: file.path, live: FilePath(root.path).appending(file.path),
                    file: file))
        }
        return places
    }

    /// Makes beside production what is to stand there: packages as the candidate has them, files as the change holds them.
    ///
    /// Nothing is made for what is to be gone.
    func make(at beside: FilePath, from candidate: Room, _ contents: ChangeContents) async throws {
        guard let file else { return try await makePackages(at: beside, from: candidate) }
        guard let blob = file.blob else { return }
        guard let contents = contents.blobs[blob] else {
            // To make nothing would take the file away from production.
            throw CanaryFailure(
                .failed, "the contents of \(live) are not in the change", hint: "nothing was exchanged")
        }
        let before = try Files.status(live)
        guard before?.kind != .link else {
            throw CanaryFailure(
                .refused, "\(live) is a link by now, and the change would put a file in its place",
                hint: "nothing was exchanged; take a snapshot and run a new canary")
        }
        var like = before
        var parent = live
        while like == nil, parent.lastComponent != nil {
            parent.removeLastComponent()
            like = try Files.status(parent)
        }
        let mode = before?.mode ?? 0o644
        try Files.replace(beside, with: contents, mode: mode)
        if Accounts.ownNumbers.user == 0, let like {
            try Files.setOwner(beside, owner: like.owner, group: like.group)
            try Files.setMode(beside, mode)
        }
    }

    private func makePackages(at beside: FilePath, from candidate: Room) async throws {
        guard let before = try Files.status(live) else { return }
        guard let root = candidate.copy.staged.root(root)?.staged else {
            throw CanaryFailure(
                .failed, "the candidate has no root that stands for \(live)", hint: "nothing was exchanged")
        }
        try await Workspace.copy(below.map { root.appending($0) } ?? root, to: beside)
        guard Accounts.ownNumbers.user == 0 else { return }
        try await Program(
            "chown", ["-hR", "\(before.owner):\(before.group)", beside.string], limit: .seconds(600)
        ).runSuccessfully()
    }
}
