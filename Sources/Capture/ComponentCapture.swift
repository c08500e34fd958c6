internal import Cryptography
package import Drivers
internal import FileTree
package import Git
package import SnapshotModel
package import SystemPackage

/// What is captured differently than the drivers' own tables say.
package struct CaptureOptions: Sendable {
    /// Rows that come before the drivers' own, by component.
    package var rules: [String: [Classification.Rule]]
    /// Classes that are left out.
    package var leftOut: Set<EntryClass>

    /// Nothing different.
    package init(rules: [String: [Classification.Rule]] = [:], leftOut: Set<EntryClass> = []) {
        self.rules = rules
        self.leftOut = leftOut
    }
}

/// A component, captured: its trees are in the sink.
package struct CaptureResult: Sendable {
    /// What the snapshot says of it.
    package var captured: CapturedComponent
    /// Its tree.
    package var tree: ObjectID
    /// Its part of history, nil when there is none.
    package var history: ObjectID?
    /// Manifest parts and locks that are not in the repository yet.
    package var newTexts: [ObjectID: [UInt8]]
}

/// Captures one component: freeze, walk, manifest, locks.
package struct ComponentCapture: Sendable {
    private let component: Component
    private let driver: any Driver
    private let sink: any ObjectSink
    private let options: CaptureOptions
    private let local: FilePath
    private let written: [String: WrittenFiles]

    /// How often the files are walked until nothing moves.
    private static let passes = 3

    /// A capture into a sink; `local` is the store's directory for what can be made again, `written` what we have just
    /// written to the roots ourselves, by component and root.
    package init(
        _ component: Component, driver: any Driver, sink: any ObjectSink, options: CaptureOptions,
        local: FilePath, written: [String: WrittenFiles] = [:]
    ) {
        self.component = component
        self.driver = driver
        self.sink = sink
        self.options = options
        self.local = local
        self.written = written
    }

    /// The classes below a root: the policy's rows, then the driver's.
    package static func classification(
        _ root: String, of driver: any Driver, _ component: String, _ options: CaptureOptions
    ) -> Classification {
        driver.classification(of: root).extended(by: options.rules[component] ?? [])
    }

    /// Captures it; `previous` are the locks of the last snapshot by name.
    ///
    /// Throws when a root is not there, or the sink fails; what cannot be read is in the result.
    package func run(previous: [String: [UInt8]]) async throws -> CaptureResult {
        let roots = try driver.roots()
        let cache = local.appending("cache").appending(component.name)
        try Files.makeDirectories(cache, mode: 0o700)
        let scratch = try Scratch(in: local)
        defer { withExtendedLifetime(scratch) {} }
        let frozen = try await driver.freeze(scratch: scratch.path, cache: cache)
        var captured = CapturedComponent(
            name: component.name, driver: component.driver, version: try await driver.version(),
            roots: roots.map { .init(name: $0.name, path: $0.path, kind: $0.kind) })
        captured.unreadable = frozen.unreadable
        captured.notes = frozen.notes
        return try write(roots, frozen, &captured, previous)
    }

    private func write(
        _ roots: [Root], _ frozen: Frozen, _ captured: inout CapturedComponent, _ previous: [String: [UInt8]]
    ) throws -> CaptureResult {
        let reader = FileReader(sink.makeLane())
        let lane = reader.lane
        var tree = NestedTree()
        var history = NestedTree()
        var archives: [String: [Entry]] = [:]
        var texts: [ObjectID: [UInt8]] = [:]
        for root in roots where root.kind != .rebuilt {
            let manifest: ManifestWriter.Written
            switch root.kind {
            case .directory, .rebuilt:
                let walked = try walk(root, frozen, &captured)
                manifest = walked.manifest
                let record = walked.root.record
                if record.tree != .none { tree.insert("files/\(root.name)", .tree, record.tree) }
                if record.historyTree != .none {
                    history.insert("files/\(root.name)", .tree, record.historyTree)
                }
            case .file:
                let (written, entry) = try captureFile(root, reader, &captured)
                manifest = written
                tree.insert(
                    ["files".utf8.map { $0 }] + names(root.name) + [entry.name], entry.mode, entry.id)
            }
            archives[root.name] = manifest.archives
            texts.merge(manifest.newParts) { first, _ in first }
            for (entryClass, amount) in manifest.classes {
                captured.classes[entryClass.rawValue, default: .init()].entries += amount.entries
                captured.classes[entryClass.rawValue, default: .init()].bytes += amount.bytes
            }
            tree.insert("manifest/\(root.name)", .tree, manifest.tree)
            captured.manifests[root.name] = hex(manifest.digest)
        }
        for artifact in frozen.artifacts {
            let contents = try reader.read(
                OpenFile(artifact.file), isAppended: false)
            let name = artifact.name + (contents.contents.isChunked ? ".chunks" : "")
            tree.insert(name, contents.contents.isChunked ? .tree : .file, contents.contents.id)
            captured.classes[EntryClass.plugin.rawValue, default: .init()].entries += 1
            captured.classes[EntryClass.plugin.rawValue, default: .init()].bytes += contents.contents.size
        }
        for lock in frozen.locks + (try driver.locks(archives: archives, previous: previous)) {
            let id = try lane.add(.blob, lock.contents)
            texts[id] = lock.contents
            tree.insert(lock.name, .file, id)
            history.insert(lock.name, .file, id)
            captured.locks[lock.name] = hex(SHA256.digest(lock.contents))
        }
        captured.torn.sort()
        captured.unreadable.sort { $0.path < $1.path }
        captured.notCaptured.sort { $0.path < $1.path }
        let historyTree = try history.write(lane)
        guard let id = try tree.write(lane) else {
            throw DriverFailure(
                "component '\(component.name)' has nothing to capture",
                hint: "name at least one path in the system file")
        }
        try lane.flush()
        return CaptureResult(captured: captured, tree: id, history: historyTree, newTexts: texts)
    }

    private func names(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    /// Walks a directory until nothing moves any more, three times at most.
    private func walk(
        _ root: Root, _ frozen: Frozen, _ captured: inout CapturedComponent
    ) throws -> CapturedTree {
        let cacheFile = local.appending("cache").appending(
            "\(component.name)-\(hex(SHA256.digest(Array(root.name.utf8)).prefix(6))).stat")
        let classification = Self.classification(root.name, of: driver, component.name, options)
        let fingerprint = try fingerprint(of: root, classification)
        var cache = try StatCache(cacheFile, fingerprint: fingerprint)
        let replacements = Dictionary(
            frozen.replacements.filter { $0.root == root.name }.map { ($0.path, $0.copy) }
        ) { first, _ in first }
        var pass = 1
        while true {
            let walked = try RootCapture(
                FilePath(root.path), classification: classification, cache: cache, sink: sink,
                replacements: replacements, leavingOut: options.leftOut,
                written: written["\(component.name)/\(root.name)"]
            ).run(rootClass: classification.defaultClass)
            let isLast = walked.moving.isEmpty || pass == Self.passes
            if !isLast || (walked.hasNews && sink.isWritten) {
                let bytes = StatCache.encoded(walked.root, fingerprint: fingerprint)
                if sink.isWritten { try Files.replaceWithoutSync(cacheFile, with: bytes) }
                if !isLast { cache = StatCache(bytes: bytes, fingerprint: fingerprint) }
            }
            if isLast {
                record(walked, root, pass, &captured)
                return walked
            }
            pass += 1
        }
    }

    /// What a cache depends on besides the files: where they are, on which host, and what the policy says of them.
    private func fingerprint(of root: Root, _ classification: Classification) throws -> [UInt8] {
        var text = "\(root.path)\n"
        text += String(decoding: try Files.readIfPresent("/etc/machine-id") ?? [], as: UTF8.self) + "\n"
        for rule in classification.rules { text += "\(rule.entryClass.rawValue) \(rule.pattern)\n" }
        text += "\(classification.defaultClass.rawValue)\n"
        text += options.leftOut.map(\.rawValue).sorted().joined(separator: ",")
        return SHA256.digest(Array(text.utf8))
    }

    private func record(
        _ walked: CapturedTree, _ root: Root, _ pass: Int, _ captured: inout CapturedComponent
    ) {
        captured.passes = max(captured.passes, pass)
        captured.torn += walked.torn.map { "\(root.name)/\($0)" }
        captured.unreadable += walked.unreadable.map {
            .init(path: "\(root.name)/\($0.path)", reason: $0.reason)
        }
        captured.notCaptured += walked.notCaptured.map {
            .init(path: "\(root.name)/\($0.path)", reason: $0.reason)
        }
        let moving = Set(walked.moving).sorted()
        if !moving.isEmpty {
            let names = moving.prefix(3).map(\.description).joined(separator: ", ")
            captured.notes.append(
                "\(root.name): \(moving.count) directories were being changed during each of \(pass) passes: \(names)"
            )
        }
    }

    /// Captures a root that is one file; its manifest is one part with the file under its own name.
    private func captureFile(
        _ root: Root, _ reader: FileReader, _ captured: inout CapturedComponent
    ) throws -> (ManifestWriter.Written, TreeEntry) {
        let path = FilePath(root.path)
        let result = try reader.read(OpenFile(path), isAppended: false)
        if let failure = reader.sinkFailure { throw failure }
        if result.isTorn { captured.torn.append(root.name) }
        captured.passes = max(captured.passes, 1)
        let name = path.byteArray.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? []
        var record = EntryRecord(
            result.status, .file, driver.classification(of: root.name).defaultClass)
        record.set(result.contents)
        var extra = EntryExtra()
        extra.attributes = result.attributes
        let written = try ManifestWriter(sink, isKnown: false).write(record, extra, name: name, reader.lane)
        return (written, treeEntry(record, name))
    }
}
