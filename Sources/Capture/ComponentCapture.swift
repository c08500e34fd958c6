internal import Cryptography
package import Drivers
package import FileTree
package import Git
package import GitStore
package import Sealing
package import SnapshotModel
package import SystemPackage
package import Workers

/// A component, captured: its trees are in the sink.
package struct CaptureResult: Sendable {
    /// What the snapshot says of it.
    package var captured: CapturedComponent
    /// Its tree.
    package var tree: ObjectID
    /// Its part of history, nil when there is none.
    package var history: ObjectID?
    /// Manifest parts and locks that are not in the repository yet.
    package var newTexts: NewTexts
    /// The new stat caches, on their way: to be given their names when the snapshot is there.
    package var caches: [Background<ReplacementFile>] = []
    /// Files that are sealed although their class is none that is: by root and path.
    package var leaks: [String]
    /// Its repositories.
    package var sources: SourcesLock
    /// What kept roots from being captured, which are among what is unreadable.
    package var faults: [RootFault]

    /// Whether nothing of it was captured because its roots are not there.
    var isBlank: Bool { !faults.isEmpty && captured.roots.isEmpty }
}

/// A root that cannot be opened.
private struct UnopenedRoot: Error {
    let failure: FileFailure
}

/// Captures one component: freeze, walk, manifest, locks.
package struct ComponentCapture: Sendable {
    private let component: Component
    private var driver: any Driver
    private let sink: any ObjectSink
    private let options: CaptureOptions
    private let local: FilePath
    private let written: [String: WrittenFiles]
    private let sealer: Sealer?
    private let transfer: SourceTransfer?
    private let takesWhatIsKept: Bool
    private let heldRoots: Set<String>?

    /// What a restore or a promotion keeps beside what it exchanged, which may be below a root: for `undo`, and for nobody
    /// else.
    ///
    /// What it put aside for people (`…-kept`) is theirs.
    private static let kept = ["?", "??", "???"].map {
        Classification.Rule("**/.understudy-????????T??????Z-????-\($0)/", .derived)
    }

    /// How often the files are walked until nothing moves.
    private static let passes = 3

    /// A capture into a sink; `local` is the store's directory for what can be made again, `written` what we have just
    /// written to the roots ourselves, by component and root, `transfer` what brings the objects of repositories, nil when
    /// nothing is written.
    ///
    /// Without a `sealer` secrets and databases are captured in clear. `takesWhatIsKept` is for what comes from a snapshot that
    /// holds what a restore once kept beside production. `heldRoots` are the roots that the last snapshot holds: of any other
    /// nobody looked whether the store still has what an earlier one found. It is nil where nothing is stored.
    package init(
        _ component: Component, driver: any Driver, sink: any ObjectSink, options: CaptureOptions,
        sealer: Sealer?, local: FilePath, written: [String: WrittenFiles] = [:],
        transfer: SourceTransfer? = nil, takesWhatIsKept: Bool = false, heldRoots: Set<String>? = nil
    ) {
        self.heldRoots = heldRoots
        self.takesWhatIsKept = takesWhatIsKept
        self.sealer = sealer
        self.component = component
        self.driver = driver
        self.sink = sink
        self.options = options
        self.local = local
        self.written = written
        self.transfer = transfer
    }

    /// The classes below a root: what is never captured, the policy's rows, then the driver's.
    package static func classification(
        _ root: String, of driver: any Driver, _ component: String, _ options: CaptureOptions,
        takesWhatIsKept: Bool = false
    ) -> Classification {
        driver.classification(of: root).extended(
            by: (takesWhatIsKept ? [] : kept) + (options.rules[component] ?? []))
    }

    /// Captures it; `previous` are the locks of the last snapshot by name.
    ///
    /// Throws when the sink fails; what cannot be read, or is not there, is in the result.
    package func run(previous: [String: [UInt8]]) async throws -> CaptureResult {
        for _ in 1...Self.passes {
            var capture = self
            capture.driver = driver.surveyed()
            if let result = try await capture.captured(previous) { return result }
        }
        throw DriverFailure(
            "component '\(component.name)': a repository was made or removed while it was captured, \(Self.passes) times",
            hint: "run the command again when nobody makes any")
    }

    /// Captures it as the driver surveyed it; nil when a repository was made or removed meanwhile.
    private func captured(_ previous: [String: [UInt8]]) async throws -> CaptureResult? {
        var faults = driver.faults()
        func withoutFaulty(_ roots: [Root]) -> [Root] {
            roots.filter { root in !faults.contains { $0.root == root.name } }
        }
        var roots = withoutFaulty(driver.places())
        let cache = local.appending("cache").appending(component.name)
        try Files.makeDirectories(cache, mode: 0o700)
        let scratch = try Scratch(in: local)
        defer { withExtendedLifetime(scratch) {} }
        // Of what is not there nothing can be said: no lock, no inventory that would be of nothing.
        let isBlank = roots.isEmpty && !faults.isEmpty
        let frozen = isBlank ? Frozen() : try await driver.freeze(scratch: scratch.path, cache: cache)
        faults += frozen.faults
        roots = withoutFaulty(roots)
        // What keeps it from being told is not there, or is named where it is captured.
        let version = try? await driver.version()
        var captured = CapturedComponent(
            name: component.name, driver: component.driver, version: version,
            roots: roots.map { .init(name: $0.name, path: $0.path, kind: $0.kind) })
        captured.unreadable = frozen.unreadable
        captured.notes = frozen.notes
        if !frozen.obstacles.isEmpty { captured.obstacles = frozen.obstacles }
        return try await write(
            roots, faults, repositories(in: roots, of: driver), frozen, &captured, previous, scratch.path)
    }

    private func repositories(in roots: [Root], of driver: any Driver) -> [SourceRepository] {
        let names = Set(roots.map(\.name))
        return driver.repositories().filter { names.contains($0.root) }
    }

    private func write(
        _ places: [Root], _ missing: [RootFault], _ found: [SourceRepository], _ frozen: Frozen,
        _ captured: inout CapturedComponent, _ previous: [String: [UInt8]], _ scratch: FilePath
    ) async throws -> CaptureResult? {
        let reader = FileReader(sink, sealer: sealer)
        let lane = reader.lane
        var tree = NestedTree()
        var history = NestedTree()
        var archives: [String: [Entry]] = [:]
        let texts = NewTexts(of: sink, in: scratch)
        var caches: [Background<ReplacementFile>] = []
        var leaks: [String] = []
        var artifactLeaks: [CapturedComponent.Problem] = []
        var faults = missing
        var trees: [String: ObjectID] = [:]
        var kept: [ObjectID: [UInt8]] = [:]
        for root in places where root.kind != .rebuilt {
            let manifest: ManifestWriter.Written
            do {
                switch root.kind {
                case .directory, .rebuilt:
                    let walked = try walk(root, found, frozen, texts, scratch, &captured, &caches)
                    trees[root.name] = walked.root.record.tree
                    kept.merge(walked.found.kept) { first, _ in first }
                    manifest = walked.manifest
                    let record = walked.root.record
                    if record.tree != .none { tree.insert("files/\(root.name)", .tree, record.tree) }
                    if record.historyTree != .none {
                        history.insert("files/\(root.name)", .tree, record.historyTree)
                    }
                case .file:
                    let (written, entry) = try captureFile(root, reader, texts, &captured)
                    manifest = written
                    tree.insert(
                        ["files".utf8.map { $0 }] + names(root.name) + [entry.name], entry.mode, entry.id)
                }
            } catch let error as UnopenedRoot {
                faults.append(RootFault(root, error.failure))
                continue
            }
            archives[root.name] = manifest.archives
            leaks += manifest.leaks.map { "\(root.name)/\($0)" }
            for (entryClass, amount) in manifest.classes {
                captured.classes[entryClass.rawValue, default: .init()].entries += amount.entries
                captured.classes[entryClass.rawValue, default: .init()].bytes += amount.bytes
            }
            tree.insert("manifest/\(root.name)", .tree, manifest.tree)
            captured.manifests[root.name] = hex(manifest.digest)
        }
        let faulty = Set(faults.map(\.root))
        captured.roots.removeAll { faulty.contains($0.name) }
        captured.unreadable += faults.map {
            .init(path: "\($0.root)/.", reason: "\($0.failure.description) (\($0.failure.hint))")
        }
        let roots = places.filter { !faulty.contains($0.name) }
        let repositories = found.filter { !faulty.contains($0.root) }
        let isBlank = roots.isEmpty && !faults.isEmpty
        var dumps: [DatabaseLock.Line] = []
        for artifact in frozen.artifacts {
            let entryClass = artifact.name.hasPrefix("database/") ? EntryClass.database : .plugin
            let result: FileReader.Result
            do throws(FileFailure) {
                result = try reader.read(OpenFile(artifact.file), entryClass)
            } catch {
                // Some stand where the component has them, and go away.
                guard error.reason == .noSuchFileOrDirectory else { throw error }
                captured.unreadable.append(.init(path: artifact.name, reason: "\(error)"))
                continue
            }
            if let failure = reader.sinkFailure { throw failure }
            if result.isTorn { captured.torn.append(artifact.name) }
            let contents = result.contents
            var place = names(artifact.name).map { StoredName.escaped($0) }
            if !contents.sealedDigest.isEmpty { place[place.count - 1] += StoredName.sealedSuffix }
            if contents.isChunked { place[place.count - 1] += StoredName.chunksSuffix }
            tree.insert(place[...], contents.isChunked ? .tree : .file, contents.id)
            if entryClass == .database {
                let digest = (0..<32).map { contents.digest[$0] }
                dumps.append(
                    .init(
                        name: artifact.name, size: contents.size, digest: hex(digest),
                        sealedDigest: hex(contents.sealedDigest)))
            }
            if let leak = result.leak {
                leaks.append(artifact.name)
                artifactLeaks.append(.init(path: artifact.name, reason: leak.words))
            }
            captured.classes[entryClass.rawValue, default: .init()].entries += 1
            captured.classes[entryClass.rawValue, default: .init()].bytes += contents.size
        }
        note(artifactLeaks, below: "", &captured)
        if let sealer {
            try writeKey(of: sealer, &tree, &captured, lane)
        } else {
            noteWhatIsInClear(&captured)
        }
        guard self.repositories(in: roots, of: driver.surveyed()) == repositories else {
            // The sink takes what it was given once for given.
            try reader.flush()
            return nil
        }
        let sources = try await captureSources(
            repositories,
            CapturedFiles(
                sink: sink, roots: trees, kept: kept,
                places: Dictionary(roots.map { ($0.name, FilePath($0.path)) }) { first, _ in first },
                hasSealed: sealer != nil),
            &captured, previous,
            lane)
        for (id, text) in sources.newTexts { try texts.add(id, text) }
        for listing in sources.listings {
            tree.insert(listing.name, .file, listing.id)
            history.insert(listing.name, .file, listing.id)
        }
        let sourcesLock =
            repositories.isEmpty ? [] : [Lock(name: SourcesLock.name, contents: sources.lock.contents)]
        let databaseLock =
            dumps.isEmpty
            ? [] : [Lock(name: DatabaseLock.name, contents: DatabaseLock(lines: dumps).contents)]
        let driverLocks = isBlank ? [] : try driver.locks(archives: archives, previous: previous)
        for lock in frozen.locks + sourcesLock + databaseLock + driverLocks {
            let id = try lane.add(.blob, lock.contents)
            try texts.add(id, lock.contents)
            tree.insert(lock.name, .file, id)
            history.insert(lock.name, .file, id)
            captured.locks[lock.name] = hex(SHA256.digest(lock.contents))
        }
        captured.torn = Set(captured.torn).sorted()
        captured.unreadable.sort { $0.path < $1.path }
        captured.notCaptured.sort { $0.path < $1.path }
        let historyTree = try history.write(lane)
        // A component of which nothing could be read is an empty tree: the snapshot is partial and names what is missing.
        let whole = try tree.write(lane) ?? (captured.isComplete ? nil : lane.add(.tree, []))
        guard let id = whole else {
            throw DriverFailure(
                "component '\(component.name)' has nothing to capture",
                hint: "name at least one path in the system file")
        }
        try reader.flush()
        return CaptureResult(
            captured: captured, tree: id, history: historyTree, newTexts: texts, caches: caches,
            leaks: leaks, sources: sources.lock, faults: faults)
    }

    /// Captures the objects of the repositories that were found before and after the files were captured.
    private func captureSources(
        _ repositories: [SourceRepository], _ files: CapturedFiles,
        _ captured: inout CapturedComponent, _ previous: [String: [UInt8]], _ lane: any ObjectLane
    ) async throws -> SourceCapture.Result {
        guard !repositories.isEmpty else { return SourceCapture.Result(lock: SourcesLock()) }
        let result = try await SourceCapture(
            driver: driver, files: files, transfer: transfer,
            previous: try SourcesLock(previous[SourcesLock.name] ?? [])
        ).run(repositories, lane)
        captured.unreadable += result.damaged
        captured.notes += result.notes
        return result
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
        let what = count == 1 ? "1 secret or database is" : "\(count) secrets and databases are"
        captured.notes.append(
            "\(what) in the store in clear, since the system file names no recipients: "
                + "'understudy key add --generate FILE' makes a key to seal them to")
    }

    private func names(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    /// Walks a directory until nothing moves any more, three times at most.
    private func walk(
        _ root: Root, _ repositories: [SourceRepository], _ frozen: Frozen, _ texts: NewTexts,
        _ scratch: FilePath, _ captured: inout CapturedComponent,
        _ caches: inout [Background<ReplacementFile>]
    ) throws -> CapturedTree {
        let cacheFile = local.appending("cache").appending(
            "\(component.name)-\(hex(SHA256.digest(Array(root.name.utf8)).prefix(6))).stat")
        let classification = Self.classification(
            root.name, of: driver, component.name, options, takesWhatIsKept: takesWhatIsKept)
        let allowed = allowedInClear(in: root)
        let fingerprint = try fingerprint(of: root, classification, allowed)
        // What an earlier night saved may have been in a pack that is lost: then everything is read.
        let isLost = sink.existing.map { !$0.lostPacks.isEmpty } ?? false
        let isNew = heldRoots.map { !$0.contains(root.name) } ?? false
        var cache = isLost || isNew ? StatCache() : try StatCache(cacheFile, fingerprint: fingerprint)
        let replacements = Dictionary(
            frozen.replacements.filter { $0.root == root.name }.map { ($0.path, $0.copy) }
        ) { first, _ in first }
        let directories = repositories.filter { $0.root == root.name }.map(\.path)
        var kept: [ObjectID: [UInt8]] = [:]
        var pass = 1
        var leaks: [CapturedComponent.Problem] = []
        while true {
            let capture: RootCapture
            do throws(FileFailure) {
                capture = try RootCapture(
                    FilePath(root.path), classification: classification, cache: cache, isLaterPass: pass > 1,
                    sink: sink, newTexts: texts, replacements: replacements, leavingOut: options.leftOut,
                    keeping: directories.isEmpty ? [] : [.state],
                    written: written["\(component.name)/\(root.name)"], sealer: sealer,
                    allowedInClear: allowed)
            } catch {
                throw UnopenedRoot(failure: error)
            }
            var walked = try capture.run(rootClass: classification.defaultClass)
            kept.merge(walked.found.kept) { first, _ in first }
            // The next pass finds them in the cache, sealed already.
            leaks += walked.found.leaks.filter { !leaks.contains($0) }
            let isStill = walked.found.moving.isEmpty && walked.found.left.isEmpty
            if isStill || pass == Self.passes {
                if walked.found.hasNews, sink.isWritten {
                    let (root, last) = (walked.root, cache)
                    caches.append(
                        Background {
                            try StatCache.write(root, over: last, to: cacheFile, fingerprint: fingerprint)
                        })
                }
                record(walked, root, pass, &captured)
                for path in replacements.keys where !walked.found.replaced.contains(path) {
                    let entryClass = classification.entryClass(of: path, isDirectory: false)
                    guard !options.leftOut.contains(entryClass) else { continue }
                    captured.unreadable.append(
                        .init(path: "\(root.name)/\(path)", reason: try whyUnmet(path, below: root)))
                }
                note(leaks, below: root.name + "/", &captured)
                // References were packed while they were read: one of them may have been in neither place.
                captured.torn += Set(walked.found.moving).intersection(directories).sorted().map {
                    "\(root.name)/\($0.appending("packed-refs"))"
                }
                walked.found.kept = kept
                return walked
            }
            // What this pass read is known to the next, also where nothing is written.
            let known = scratch.appending("known")
            try StatCache.write(walked.root, over: cache, to: known, fingerprint: fingerprint).commit()
            cache = try StatCache(known, fingerprint: fingerprint)
            pass += 1
        }
    }

    /// Why a walk did not come by a file that is there.
    private func whyUnmet(_ path: EntryPath, below root: Root) throws -> String {
        if let link = try Files.link(on: FilePath(bytes: path.bytes), below: FilePath(root.path)) {
            return
                "\(root.name)/\(link) is a link, and what it leads to is not captured: put the directory in its "
                + "place, or bind-mount it there"
        }
        return "it went away while it was captured, or is in a directory that the policy leaves out"
    }

    /// What a cache depends on besides the files: where they are, on which host, and what the policy says of them.
    private func fingerprint(
        of root: Root, _ classification: Classification, _ allowed: [[UInt8]: Set<[UInt8]>]
    ) throws -> [UInt8] {
        var text = "\(root.path)\n"
        text += String(decoding: try Files.readIfPresent("/etc/machine-id") ?? [], as: UTF8.self) + "\n"
        for rule in classification.rules { text += "\(rule.entryClass.rawValue) \(rule.pattern)\n" }
        text += "\(classification.defaultClass.rawValue)\n"
        text += options.leftOut.map(\.rawValue).sorted().joined(separator: ",")
        if let sealer {
            text += "\nsealed \(sealer.key.id) \(sealer.recipients)\nleaks \(LeakScanner.version)\n"
            for (path, digests) in allowed.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                text += "\(hex(path)) \(digests.map { hex($0) }.sorted())\n"
            }
        }
        return SHA256.digest(Array(text.utf8))
    }

    /// What the policy allows in clear below a root, by path.
    private func allowedInClear(in root: Root) -> [[UInt8]: Set<[UInt8]>] {
        var allowed: [[UInt8]: Set<[UInt8]>] = [:]
        for (path, digests) in options.allowedInClear[component.name] ?? [:]
        where path.hasPrefix(root.name + "/") {
            allowed[Array(path.utf8.dropFirst(root.name.utf8.count + 1))] = digests
        }
        return allowed
    }

    private func note(
        _ leaks: [CapturedComponent.Problem], below place: String, _ captured: inout CapturedComponent
    ) {
        guard !leaks.isEmpty else { return }
        let names = leaks.sorted { $0.path < $1.path }.prefix(5).map {
            "\(place)\($0.path) (\($0.reason))"
        }
        captured.notes.append(
            "sealed \(counted(leaks.count, "new file")) because something in \(leaks.count == 1 ? "it" : "them") looks like a secret: "
                + names.joined(separator: ", ") + (leaks.count > 5 ? ", …" : "")
                + "; allowInClear in the policy keeps readable what opens nothing")
    }

    private func record(
        _ walked: CapturedTree, _ root: Root, _ pass: Int, _ captured: inout CapturedComponent
    ) {
        captured.passes = max(captured.passes, pass)
        captured.torn += walked.found.torn.map { "\(root.name)/\($0)" }
        captured.unreadable += walked.found.unreadable.map {
            .init(path: "\(root.name)/\($0.path)", reason: $0.reason)
        }
        captured.notCaptured += walked.found.notCaptured.map {
            .init(path: "\(root.name)/\($0.path)", reason: $0.reason)
        }
        captured.notes += walked.notesOnNamesInClear(below: root.name)
        let moving = Set(walked.found.moving + walked.found.left).sorted()
        if !moving.isEmpty {
            let names = moving.prefix(3).map(\.description).joined(separator: ", ")
            captured.notes.append(
                "\(root.name): \(moving.count == 1 ? "1 directory was" : "\(moving.count) directories were") being changed during each of \(pass) passes: \(names)"
            )
        }
    }

    /// Captures a root that is one file; its manifest is one part with the file under its own name.
    private func captureFile(
        _ root: Root, _ reader: FileReader, _ texts: NewTexts, _ captured: inout CapturedComponent
    ) throws -> (ManifestWriter.Written, TreeEntry) {
        let path = FilePath(root.path)
        let entryClass = driver.classification(of: root.name).defaultClass
        let result: FileReader.Result
        do throws(FileFailure) {
            result = try reader.read(OpenFile(path), entryClass)
        } catch {
            throw reader.sinkFailure ?? UnopenedRoot(failure: error)
        }
        if let failure = reader.sinkFailure { throw failure }
        if result.isTorn { captured.torn.append(root.name) }
        captured.passes = max(captured.passes, 1)
        let name = path.byteArray.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? []
        var record = EntryRecord(result.status, .file, entryClass)
        record.set(result.contents)
        var extra = EntryExtra()
        extra.sealedDigest = result.contents.sealedDigest
        extra.attributes = result.attributes
        let written = try ManifestWriter(sink, cache: StatCache(), newTexts: texts).write(
            record, extra, name: name, reader.lane)
        return (written, treeEntry(record, name))
    }
}
