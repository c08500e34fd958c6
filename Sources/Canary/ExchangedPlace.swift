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
    /// Nothing is made for what is to be gone. `unchanged` is a shadow without the change, in which nothing ran; `classes` are
    /// the driver's own for the root, and `rules` the policy's: a package is one for the tool, whatever the policy calls it.
    func make(
        at beside: FilePath, from candidate: Room, unlike unchanged: Room, _ contents: ChangeContents,
        classes: Classification, rules: [Classification.Rule]
    ) async throws {
        if let file {
            try await make(file, at: beside, contents, classes: classes.extended(by: rules))
        } else {
            try await makePackages(at: beside, from: candidate, unlike: unchanged, classes)
        }
    }

    /// Makes a file beside production as the change holds it, with the mode, the owner and the attributes of the one that it
    /// replaces; nothing for one that is to be gone.
    func make(
        _ file: ComponentChange.File, at beside: FilePath, _ contents: ChangeContents, classes: Classification
    ) async throws {
        guard let blob = file.blob else { return }
        guard let contents = contents.blobs[blob] else {
            // To make nothing would take the file away from production.
            throw CanaryFailure(
                .failed, "the contents of \(live) are not in the change", hint: "nothing was exchanged")
        }
        let before = try Files.status(live)
        guard before == nil || before?.kind == .file else {
            throw CanaryFailure(
                .refused,
                "\(live) is \(before?.kind == .link ? "a link" : "no file") by now, and the change would put a file in its place",
                hint: "nothing was exchanged; take a snapshot and run a new canary")
        }
        if before != nil {
            try Files.replaceWithoutSync(beside, with: contents)
            // Who may read it may be said by a list (ACL), which is an attribute.
            try await Program(
                "cp",
                [
                    "--attributes-only", "--no-dereference", "--preserve=mode,ownership,xattr", live.string,
                    beside.string,
                ]
            ).runSuccessfully()
            return
        }
        let mode = classes.entryClass(of: EntryPath(file.path), isDirectory: false).modeOfNewFile
        try Files.replace(beside, with: contents, mode: mode)
        // As whoever has the directory that it is for.
        let parent = try Files.nearest(to: live.removingLastComponent())
        if Accounts.ownNumbers.user == 0, let like = try Files.status(parent) {
            try Files.setOwner(beside, owner: like.owner, group: like.group)
            try Files.setMode(beside, mode)
        }
    }

    private func makePackages(
        at beside: FilePath, from candidate: Room, unlike unchanged: Room, _ classes: Classification
    ) async throws {
        guard let before = try Files.status(live) else { return }
        guard let made = candidate.copy.staged.root(root)?.staged,
            let masked = unchanged.copy.staged.root(root)?.staged
        else {
            throw CanaryFailure(
                .failed, "the candidate has no root that stands for \(live)", hint: "nothing was exchanged")
        }
        try await Workspace.copy(below.map { made.appending($0) } ?? made, to: beside)
        if Accounts.ownNumbers.user == 0 {
            try await Program(
                "chown", ["-hR", "\(before.owner):\(before.group)", beside.string], limit: .seconds(600)
            ).runSuccessfully()
        }
        // A root as a whole is made of packages, and nothing in it is masked.
        guard let below else { return }
        try await Self.keepOwn(of: live, in: beside, unlike: masked.appending(below)) { name in
            classes.entryClass(of: EntryPath(below).appending(name), isDirectory: false) == .plugin
        }
    }

    /// Puts production's own file in the place of each that is no package, and of each package that the change leaves as it is:
    /// in every shadow they are masked, or taken out.
    ///
    /// Other directories are unpacked from packages, and links to packages are as they were.
    static func keepOwn(
        of live: FilePath, in beside: FilePath, unlike masked: FilePath, isPackage: ([UInt8]) -> Bool
    ) async throws {
        for name in try Set(Files.names(live)).union(Files.names(beside)) {
            let path = FilePath(bytes: name)
            let (own, made) = (live.pushing(path), beside.pushing(path))
            let isOne = isPackage(name)
            let kinds = try [own, made].compactMap { try Files.status($0)?.kind }
            if isOne, kinds == [.directory, .directory] {
                // One that lies there unpacked, in which texts are masked; a change brings archives, and leaves it as it is.
                try Files.removeTree(made)
                try await Workspace.copy(own, to: made)
                continue
            }
            guard kinds.allSatisfy({ $0 == .file || $0 == .link && !isOne }) else { continue }
            if isOne, try !isSame(made, masked.pushing(path)) { continue }
            if try isSame(own, made) { continue }
            try Files.remove(made)
            if try Files.exists(own) { try await Workspace.copy(own, to: made) }
        }
    }

    /// Whether two places hold the same bytes, or both nothing.
    private static func isSame(_ one: FilePath, _ other: FilePath) throws -> Bool {
        guard let first = try Files.status(one), let second = try Files.status(other) else {
            return try !Files.exists(one) && !Files.exists(other)
        }
        guard first.kind == .file, second.kind == .file, first.size == second.size else { return false }
        return try Files.read(one) == Files.read(other)
    }
}
