internal import Cryptography
package import Drivers
internal import FileTree
package import Git
package import Sealing
package import SnapshotModel
package import SystemPackage
package import Workers

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
    /// The stat caches on their way to the disk: to be waited for before the snapshot is acknowledged.
    package var caches: [Background] = []
}

/// Captures one component: freeze, walk, manifest, locks.
package struct ComponentCapture: Sendable {
    private let component: Component
    private let driver: any Driver
    private let sink: any ObjectSink
    private let options: CaptureOptions
    private let local: FilePath
    private let written: [String: WrittenFiles]
    private let sealer: Sealer?

    /// How often the files are walked until nothing moves.
    private static let passes = 3

    /// A capture into a sink; `local` is the store's directory for what can be made again, `written` what we have just
    /// written to the roots ourselves, by component and root.
    ///
    /// Without a `sealer` secrets and databases are captured in clear.
    package init(
        _ component: Component, driver: any Driver, sink: any ObjectSink, options: CaptureOptions,
        sealer: Sealer?, local: FilePath, written: [String: WrittenFiles] = [:]
    ) {
        self.sealer = sealer
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
        let reader = FileReader(sink, sealer: sealer)
        let lane = reader.lane
        var tree = NestedTree()
        var history = NestedTree()
        var archives: [String: [Entry]] = [:]
        var texts: [ObjectID: [UInt8]] = [:]
        var caches: [Background] = []
        for root in roots where root.kind != .rebuilt {
            let manifest: ManifestWriter.Written
            switch root.kind {
            case .directory, .rebuilt:
                let walked = try walk(root, frozen, &captured, &caches)
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
            let contents = try reader.read(OpenFile(artifact.file), .plugin).contents
            let name = artifact.name + (contents.isChunked ? ".chunks" : "")
            tree.insert(name, contents.isChunked ? .tree : .file, contents.id)
            captured.classes[EntryClass.plugin.rawValue, default: .init()].entries += 1
            captured.classes[EntryClass.plugin.rawValue, default: .init()].bytes += contents.size
        }
        if let sealer {
            try writeKey(of: sealer, &tree, &captured, lane)
        } else {
            noteWhatIsInClear(&captured)
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
        try reader.flush()
        return CaptureResult(
            captured: captured, tree: id, history: historyTree, newTexts: texts, caches: caches)
    }

    /// The sealing key goes with the component, sealed itself: so an empty machine names and seals as this host does.
    private func writeKey(
        of sealer: Sealer, _ tree: inout NestedTree, _ captured: inout CapturedComponent,
        _ lane: any ObjectLane
    ) throws {
        let sealed = try sealer.seal(sealer.key.text)
        tree.insert(CapturedComponent.Sealing.keyName, .file, try lane.add(.blob, sealed))
        captured.sealing = .init(
            recipients: sealer.recipients.map(\.description), key: sealer.key.id,
            keyDigest: hex(SHA256.digest(sealed)))
    }

    private func noteWhatIsInClear(_ captured: inout CapturedComponent) {
        let count = EntryClass.allCases.filter(\.isSealed).reduce(0) {
            $0 + (captured.classes[$1.rawValue]?.entries ?? 0)
        }
        guard count > 0 else { return }
        captured.notes.append(
            "\(count) secrets and databases are in the store in clear, since the system file names no recipients: "
                + "'understudy key add --generate FILE' makes a key to seal them to")
    }

    private func names(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    /// Walks a directory until nothing moves any more, three times at most.
    private func walk(
        _ root: Root, _ frozen: Frozen, _ captured: inout CapturedComponent, _ caches: inout [Background]
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
                written: written["\(component.name)/\(root.name)"], sealer: sealer
            ).run(rootClass: classification.defaultClass)
            if walked.moving.isEmpty || pass == Self.passes {
                if walked.hasNews, sink.isWritten {
                    caches.append(
                        Background {
                            let bytes = StatCache.encoded(walked.root, fingerprint: fingerprint)
                            try Files.replaceWithoutSync(cacheFile, with: bytes)
                        })
                }
                record(walked, root, pass, &captured)
                return walked
            }
            let bytes = StatCache.encoded(walked.root, fingerprint: fingerprint)
            cache = StatCache(bytes: bytes, fingerprint: fingerprint)
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
        if let sealer { text += "\nsealed \(sealer.key.id) \(sealer.recipients)" }
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
        let entryClass = driver.classification(of: root.name).defaultClass
        let result = try reader.read(OpenFile(path), entryClass)
        if let failure = reader.sinkFailure { throw failure }
        if result.isTorn { captured.torn.append(root.name) }
        captured.passes = max(captured.passes, 1)
        let name = path.byteArray.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? []
        var record = EntryRecord(result.status, .file, entryClass)
        record.set(result.contents)
        var extra = EntryExtra()
        extra.sealedDigest = result.contents.sealedDigest
        extra.attributes = result.attributes
        let written = try ManifestWriter(sink, isKnown: false).write(record, extra, name: name, reader.lane)
        return (written, treeEntry(record, name))
    }
}
