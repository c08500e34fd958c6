internal import ArgumentParser
internal import Canary
internal import Capture
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Judge
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// The options that describe a change.
struct ChangeOptions: ParsableArguments {
    @Option(
        name: .customLong("plugin"),
        help: "A plugin or package and its version, NAME@VERSION, or an archive of it; repeatable.")
    var plugins: [String] = []

    @Option(
        name: .customLong("remove-plugin"), help: "A plugin or package to remove; repeatable.")
    var removedPlugins: [String] = []

    @Option(
        help:
            "The CI tool itself in this version, with the packages released together with it; or a jenkins.war."
    )
    var core: String?

    @Option(
        help: "A directory with changed files, each at ROOT/PATH in it: master/master.cfg.",
        completion: .directory)
    var files: String?

    @Option(
        help: "A patch, as 'git diff' writes it, of files named as with --files; repeatable.",
        completion: .file())
    var patch: [String] = []

    @Option(
        name: .customLong("remove-file"), help: "A file to remove, as ROOT/PATH; repeatable.")
    var removedFiles: [String] = []

    @Option(
        name: .customLong("archives"),
        help: "A directory with archives that may be needed: wheels, plugins; repeatable.",
        completion: .directory)
    var archives: [String] = []

    @Option(help: "The package index to fetch missing packages from; default: the one this host uses.")
    var index: String?

    @Flag(help: "Fetch nothing; use only local archives.")
    var offline = false

    @Option(
        name: .customLong("removes"),
        help: "What the change removes on purpose, KIND:NAME, such as builder:old; repeatable.")
    var removals: [String] = []

    @Option(help: "The component; needed if several can be rehearsed.")
    var component: String?

    func validate() throws {
        if offline, index != nil { throw ValidationError("--offline and --index exclude each other.") }
        for removal in removals where !removal.contains(":") {
            throw ValidationError("'\(removal)' is not KIND:NAME, such as builder:nightly.")
        }
    }

    /// Whether no option changes anything.
    var isEmpty: Bool {
        plugins.isEmpty && removedPlugins.isEmpty && core == nil && files == nil && patch.isEmpty
            && removedFiles.isEmpty
    }

    /// Where packages are fetched from.
    var source: PackageIndex {
        if offline { return .none }
        return index.map { .address($0) } ?? .usual
    }

    /// What is removed on purpose.
    var declaredRemovals: [ObjectName] {
        removals.compactMap { removal in
            let parts = removal.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? ObjectName(String(parts[0]), String(parts[1])) : nil
        }
    }

    /// The component that is changed: the one that was named, or the only one that can be rehearsed.
    func changed(_ session: Session) throws -> String {
        let able = session.system.components.filter { $0.driver.shadow != nil }.map(\.component.name)
        if let component {
            guard session.system.driver(of: component) != nil else {
                throw CommandFailure(
                    .usage, "the system file has no component '\(component)'",
                    hint: "it has \(session.system.components.map(\.component.name).joined(separator: ", "))")
            }
            return component
        }
        guard let only = able.first, able.count == 1 else {
            throw CommandFailure(
                .refused,
                able.isEmpty
                    ? "no component of the system can be rehearsed" : "several components can be rehearsed",
                hint: able.isEmpty
                    ? "components of the drivers jenkins and buildbot can"
                    : "choose one with --component: \(able.joined(separator: ", "))")
        }
        return only
    }

    /// The change that the options describe, with what is at hand: given archives, and those of any snapshot.
    func contents(
        _ component: String, _ session: Session, _ store: SnapshotStore, _ stored: StoredSnapshot,
        _ reader: ObjectReader, _ identities: [Identity]?
    ) throws -> ChangeContents {
        guard let driver = session.system.driver(of: component), let shadow = driver.shadow else {
            throw CommandFailure(
                .refused, "the component '\(component)' cannot be rehearsed: its driver makes no shadows",
                hint: "components of the drivers jenkins and buildbot can")
        }
        let capture = SystemCapture(session.system, store: store, identities: identities)
        func source(_ stored: StoredSnapshot) -> (any FileSource)? {
            capture.state(component, of: stored, reader)?.source
        }
        guard let present = source(stored) else {
            throw CommandFailure(
                .refused, "the snapshot \(stored.reference.id) has no component '\(component)'",
                hint: "choose another with --snapshot")
        }
        var contents = ChangeContents(component: component)
        if let core, try core.contains("/") || Files.status(FilePath(core))?.kind == .file {
            try add(core, shadow, to: &contents)
        } else if let core {
            for package in try shadow.core(version: core, in: present) {
                contents.set(package: package.name, version: package.version)
            }
        }
        for directory in archives { try addArchives(of: FilePath(directory), shadow, to: &contents) }
        for plugin in plugins { try add(plugin, shadow, to: &contents) }
        for plugin in removedPlugins { contents.set(package: plugin, version: nil) }
        contents.removals = declaredRemovals
        try removeFiles(driver, present, stored, from: &contents)
        try addFiles(driver, to: &contents)
        for file in patch { try add(patch: file, driver, present, stored, to: &contents) }
        try addCaptured(shadow, session, store, reader, source, to: &contents)
        return contents
    }

    /// A proposed change, with what is at hand of what it asks for: given archives, and those of any snapshot.
    func complete(
        _ proposed: ChangeContents, _ session: Session, _ store: SnapshotStore, _ reader: ObjectReader,
        _ identities: [Identity]?
    ) throws -> ChangeContents {
        let component = proposed.change.component
        guard let shadow = session.system.driver(of: component)?.shadow else {
            throw CommandFailure(
                .refused, "the component '\(component)' cannot be rehearsed: its driver makes no shadows",
                hint: "components of the drivers jenkins and buildbot can")
        }
        var contents = proposed
        for directory in archives { try addArchives(of: FilePath(directory), shadow, to: &contents) }
        let capture = SystemCapture(session.system, store: store, identities: identities)
        try addCaptured(
            shadow, session, store, reader, { capture.state(component, of: $0, reader)?.source },
            to: &contents)
        return contents
    }

    private func add(_ plugin: String, _ shadow: any ShadowDriver, to contents: inout ChangeContents) throws {
        let path = FilePath(plugin)
        if try plugin.contains("/") || Files.status(path)?.kind == .file {
            let archive = try Files.read(path)
            let name = path.lastComponent?.string ?? plugin
            let package = try shadow.package(ofArchive: name, archive)
            contents.set(package: package.name, version: package.version)
            return try contents.add(archive: name, archive)
        }
        let parts = plugin.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw CommandFailure(
                .usage, "'\(plugin)' is neither NAME@VERSION nor a file",
                hint: "such as --plugin buildbot-grid-view@4.3.0; --remove-plugin removes one")
        }
        contents.set(package: parts[0], version: parts[1])
    }

    /// The archives of a directory: they are at hand, and only what is asked for, or needed, is installed.
    private func addArchives(
        of directory: FilePath, _ shadow: any ShadowDriver, to contents: inout ChangeContents
    ) throws {
        for name in try Files.names(directory).map({ String(decoding: $0, as: UTF8.self) }).sorted() {
            let file = directory.appending(name)
            guard try Files.status(file)?.kind == .file else { continue }
            let archive = try Files.read(file)
            _ = try shadow.package(ofArchive: name, archive)
            try contents.add(archive: name, archive)
        }
    }

    private func add(
        patch file: String, _ driver: any Driver, _ source: any FileSource, _ stored: StoredSnapshot,
        to contents: inout ChangeContents
    ) throws {
        do {
            for patch in try UnifiedPatch(try Files.read(FilePath(file), limit: 1 << 26)).files {
                let old = try patch.old.map { try split($0, driver, contents.change.component) }
                let before = try old.flatMap { try current($0, source, contents) }
                if let old, before == nil {
                    throw UnifiedPatch.Failure("\(old.root)/\(old.path) is not there")
                }
                let after = try UnifiedPatch.apply(patch, to: before ?? [])
                if let old { try contents.set(root: old.root, path: old.path, contents: nil) }
                if let new = try patch.new.map({ try split($0, driver, contents.change.component) }) {
                    if patch.old != patch.new, try current(new, source, contents) != nil {
                        throw UnifiedPatch.Failure("\(new.root)/\(new.path) exists already")
                    }
                    try contents.set(root: new.root, path: new.path, contents: after)
                }
            }
        } catch let failure as UnifiedPatch.Failure {
            throw CommandFailure(
                .refused, "the patch \(file) does not fit the snapshot \(stored.reference.id): \(failure)",
                hint: "make it against the files as they are there, or give whole files with --files",
                path: file)
        }
    }

    /// A file as the change has it so far, and else as the snapshot has it.
    private func current(
        _ place: (root: String, path: String), _ source: any FileSource, _ contents: ChangeContents
    ) throws -> [UInt8]? {
        let changed = contents.change.files.first { $0.root == place.root && $0.path == place.path }
        guard let changed else {
            return try source.contents(root: place.root, path: EntryPath(place.path))
        }
        return changed.blob.flatMap { contents.blobs[$0] }
    }

    /// A file that is named `ROOT/PATH`, or as a clone of the store names it, `COMPONENT/files/ROOT/PATH`.
    private func split(
        _ path: String, _ driver: any Driver, _ component: String
    ) throws -> (root: String, path: String) {
        let inStore = "\(component)/files/"
        guard
            let place = driver.place(
                of: path.hasPrefix(inStore) ? String(path.dropFirst(inStore.count)) : path)
        else {
            let roots = driver.places().map(\.name).joined(separator: ", ")
            throw CommandFailure(
                .usage, "\(path) is in no root of the component",
                hint: "files are named ROOT/PATH, and the roots are \(roots)", path: path)
        }
        return place
    }

    private func removeFiles(
        _ driver: any Driver, _ source: any FileSource, _ stored: StoredSnapshot,
        from contents: inout ChangeContents
    ) throws {
        for file in removedFiles {
            let (root, path) = try split(file, driver, contents.change.component)
            let place = EntryPath(path)
            // Sealed files and links too, of which there may be nothing to read.
            let isDirectory = try source.names(root: root, directory: place.parent)
                .first { $0.name.elementsEqual(place.name) }?.isDirectory
            guard isDirectory == false else {
                throw CommandFailure(
                    .refused,
                    "\(printable(file.utf8)) cannot be removed: "
                        + (isDirectory == nil
                            ? "the snapshot \(stored.reference.id) does not have it" : "it is a directory"),
                    hint: "give each file by its root and its path, such as master/jobs/old.py", path: file)
            }
            try contents.set(root: root, path: path, contents: nil)
        }
    }

    private func addFiles(_ driver: any Driver, to contents: inout ChangeContents) throws {
        let component = contents.change.component
        func split(_ path: String) throws -> (root: String, path: String) {
            try self.split(path, driver, component)
        }
        guard let files else { return }
        func walk(_ directory: FilePath, _ below: String) throws {
            for name in try Files.names(directory) {
                guard let text = String(validating: name, as: UTF8.self) else {
                    throw CommandFailure(
                        .usage, "\(directory)/\(printable(name)) has a name that is not UTF-8",
                        hint: "a change names its files by text")
                }
                let path = directory.appending(text)
                switch try Files.status(path)?.kind {
                case .directory: try walk(path, below + text + "/")
                case .file:
                    let (root, name) = try split(below + text)
                    try contents.set(root: root, path: name, contents: Files.read(path))
                default:
                    throw CommandFailure(
                        .usage, "\(path) is neither a file nor a directory",
                        hint: "a change consists of files", path: path.string)
                }
            }
        }
        try walk(FilePath(files), "")
    }

    /// Takes from this snapshot, and from every older one, the archives that were asked for by version.
    private func addCaptured(
        _ shadow: any ShadowDriver, _ session: Session, _ store: SnapshotStore, _ reader: ObjectReader,
        _ source: (StoredSnapshot) -> (any FileSource)?, to contents: inout ChangeContents
    ) throws {
        var missing = try contents.missingArchives(session.system)
        for reference in try store.snapshots(of: session.system.name).reversed() where !missing.isEmpty {
            guard let source = source(try store.read(reference, with: reader)) else { continue }
            for package in missing {
                guard let found = try shadow.archive(of: package, in: source) else { continue }
                try contents.add(archive: found.name, found.contents)
                missing.removeAll { $0 == package }
            }
        }
    }
}
