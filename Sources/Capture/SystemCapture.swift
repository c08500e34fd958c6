internal import Cryptography
internal import Drivers
internal import FileTree
package import Git
package import GitStore
package import Sealing
internal import SnapshotModel
internal import SystemPackage
internal import Workers

/// Takes snapshots of a delivery system: plan, drivers, one write session.
package struct SystemCapture: Sendable {
    private let system: DeliverySystem
    private let store: SnapshotStore
    private let identities: [Identity]?

    /// The stat cache of one of a component's roots, on its way.
    private typealias NewCache = (component: String, file: Background<ReplacementFile>)

    /// A capture of a system into its store; `identities` open what its snapshots hold sealed.
    package init(_ system: DeliverySystem, store: SnapshotStore, identities: [Identity]? = nil) {
        self.identities = identities
        self.system = system
        self.store = store
    }

    /// What somebody gave to a snapshot.
    package struct Request: Sendable {
        /// Why: the message's first line, nil to let the changes speak.
        package var message: String?
        /// The components to capture, empty for all; the others are taken over from the last snapshot.
        package var components: Set<String>
        /// Who: `Name <address>`.
        package var author: String
        /// Whether it only saves what a restore is about to replace.
        package var isSafety: Bool
        /// Words by which the retention policy can keep it.
        package var tags: [String]

        /// A request.
        package init(
            message: String?, components: Set<String>, author: String, isSafety: Bool = false,
            tags: [String] = []
        ) {
            self.tags = tags
            self.isSafety = isSafety
            self.message = message
            self.components = components
            self.author = author
        }
    }

    /// Takes a snapshot; `progress` is told what is being captured.
    package func take(
        _ request: Request, holding lock: WriterLock, progress: @escaping @Sendable (String) -> Void
    ) async throws -> TakenSnapshot {
        // An hour of reading must not end with a key that is not there.
        try await store.signer?.check()
        let (reader, previous) = try ground()
        let known = try store.localSealingKey()
        let sealer = try sealer { isSealedToOthers(previous) ? SealingKey() : known ?? SealingKey() }
        // The first key now, while there is nothing else that its sync could wait for. One that takes the place of another not
        // before something is sealed under it.
        if known == nil, let key = sealer?.key { try store.keep(key, holding: lock) }
        let pack = try PackWriter(reader, keepsTrees: previous != nil || hasRepositories)
        var result: TakenSnapshot
        let caches: [NewCache]
        do {
            let drafted = try await draft(request, into: pack, sealer, reader, previous, progress)
            (result, caches) = (drafted.taken, drafted.caches)
            if let known, let key = sealer?.key, key.id != known.id { try store.keep(key, holding: lock) }
            result.commit = try await store.commit(
                drafted.draft, to: pack, reader: reader, holding: lock
            ).commit
        } catch {
            // The first failure is the one to tell; what is left of the pack is removed by the next writer.
            try? pack.abandon()
            throw error
        }
        // Not before: syncs would wait for what nobody needs on the disk.
        // What was taken over was not read anew: its next capture must not take for granted what was in them either.
        let isWhole = request.components.isEmpty
        keep(caches, &result, missing: isWhole ? [] : reader.gonePacks, holding: lock)
        return result
    }

    /// Keeps what the next snapshot takes for granted.
    ///
    /// This one is there, whatever becomes of what can be made again.
    private func keep(
        _ caches: [NewCache], _ taken: inout TakenSnapshot, missing packs: [String], holding lock: WriterLock
    ) {
        func note(_ text: String, at place: Int?) {
            guard let place = place ?? taken.snapshot.components.indices.first else { return }
            taken.snapshot.components[place].notes.append(text)
        }
        for cache in caches {
            do {
                try cache.file.wait().commit()
            } catch {
                note(
                    "the next snapshot reads again what this one read, since the list of it could not be kept: \(error)",
                    at: taken.snapshot.components.firstIndex { $0.name == cache.component })
            }
        }
        do {
            try store.rememberPacks(missing: packs, holding: lock)
        } catch {
            note(
                "the next snapshot does not miss a pack that goes, since the list of them could not be kept: \(error)",
                at: nil)
        }
        // Also what others brought back: else it would be read each night to find it whole.
        do {
            try store.forgetHealed(holding: lock)
        } catch {
            note("the list of what is damaged in the store is not up to date: \(error)", at: nil)
        }
    }

    private var hasRepositories: Bool { system.components.contains { $0.driver.mayHaveRepositories } }

    /// Says what a snapshot would hold, and writes nothing.
    package func rehearse(
        _ request: Request, progress: @escaping @Sendable (String) -> Void
    ) async throws -> TakenSnapshot {
        let (reader, previous) = try ground()
        // A store that has not sealed yet has no key; what is only rehearsed is sealed under any.
        let sealer = try sealer { try store.localSealingKey() ?? SealingKey() }
        return try await draft(request, into: Rehearsal(reader), sealer, reader, previous, progress).taken
    }

    /// What a new snapshot stands on: the newest one, nil when there is none, and a reader that knows what of it is lost.
    private func ground() throws -> (reader: ObjectReader, previous: StoredSnapshot?) {
        let last = try store.newestSnapshot(of: system.name)
        let reader = try store.reader(takingForGranted: last)
        return (reader, try last.map { try store.read($0, with: reader) })
    }

    /// Whether the last snapshot can be opened by somebody who must not open the next one: he has its sealing key, and
    /// could recognise guesses at later secrets with it.
    private func isSealedToOthers(_ previous: StoredSnapshot?) -> Bool {
        let current = Set(system.recipients.map(\.description))
        let sealings = previous?.snapshot.components.compactMap(\.sealing) ?? []
        return !sealings.allSatisfy { current.isSuperset(of: $0.recipients) }
    }

    private func sealer(_ key: () throws -> SealingKey) throws -> Sealer? {
        guard !system.recipients.isEmpty else { return nil }
        return Sealer(try key(), recipients: system.recipients)
    }

    /// The live state of a component, and what differs between it and a snapshot.
    package func drift(
        since stored: StoredSnapshot, component: String, reader: ObjectReader, readsTexts: Bool = false
    ) async throws -> Difference {
        guard let (described, driver) = system.components.first(where: { $0.component.name == component })
        else {
            let captured = stored.snapshot.components.first { $0.name == component }
            return Difference(removed: captured?.name ?? component)
        }
        let old = state(component, of: stored, reader)
        let sink = Rehearsal(reader)
        // Sealed as the snapshot was, so that only what changed since is another.
        let sealer = try old.flatMap {
            try store.sealer(of: $0.captured, in: $0.tree, identities: identities, with: reader)
        }
        let live = try await ComponentCapture(
            described, driver: driver, sink: sink, options: system.options, sealer: sealer,
            local: store.localDirectory
        ).run(previous: try locks(old, reader))
        return try Difference(
            from: old,
            to: ComponentState(live, sink: sink, reader: reader, identities: identities), driver: driver,
            readsTexts: readsTexts)
    }

    /// A component as a snapshot holds it, nil when it does not.
    package func state(_ name: String, of stored: StoredSnapshot, _ reader: ObjectReader) -> ComponentState? {
        guard let captured = stored.snapshot.components.first(where: { $0.name == name }),
            let tree = stored.tree(of: name)
        else { return nil }
        return ComponentState(captured, tree: tree, reader: reader, identities: identities)
    }

    /// The newest snapshot, nil when there is none.
    package func lastSnapshot(_ reader: ObjectReader) throws -> StoredSnapshot? {
        guard let last = try store.newestSnapshot(of: system.name) else { return nil }
        return try store.read(last, with: reader)
    }

    /// The locks of the last snapshot, without what was in a pack that is lost.
    private func locks(_ state: ComponentState?, _ reader: ObjectReader) throws -> [String: [UInt8]] {
        guard let state else { return [:] }
        var locks: [String: [UInt8]] = [:]
        for name in state.captured.locks.keys {
            do {
                locks[name] = try state.source.lock(name)
            } catch  where reader.mayHaveLost(error) {
                continue
            }
        }
        guard reader.hasLosses, let lock = locks[SourcesLock.name] else { return locks }
        let whole = try SourcesLock(lock).lines.filter { line in
            do {
                let kept = [line.keepAlive, line.references].compactMap { ObjectID(hex: $0.utf8) }
                try reader.reach(from: kept.filter { $0 != .none }, into: ObjectSet())
                return true
            } catch  where reader.mayHaveLost(error) {
                return false
            }
        }
        locks[SourcesLock.name] = SourcesLock(lines: whole).contents
        return locks
    }

    /// The locks of the last snapshot, with what earlier ones say of repositories in roots that were not there then, and are
    /// again: the store has their objects, and needs none of them twice.
    private func known(
        _ old: ComponentState?, _ driver: any Driver, _ reader: ObjectReader
    ) throws -> [String: [UInt8]] {
        var locks = try self.locks(old, reader)
        guard let old, !reader.hasLosses else { return locks }
        let problems = old.captured.unreadable.map(\.path).filter { $0.hasSuffix("/.") }
        var wanted = Set(problems.map { String($0.dropLast(2)) })
        wanted.subtract(old.captured.roots.map(\.name))
        if !wanted.isEmpty { wanted.subtract(driver.faults().map(\.root)) }
        guard !wanted.isEmpty else { return locks }
        do {
            var lines = try SourcesLock(locks[SourcesLock.name] ?? []).lines
            for reference in try store.snapshots(of: system.name).reversed() where !wanted.isEmpty {
                let stored = try store.read(reference, with: reader)
                guard let earlier = state(old.captured.name, of: stored, reader) else { continue }
                let found = wanted.intersection(earlier.captured.roots.map(\.name))
                guard !found.isEmpty else { continue }
                wanted.subtract(found)
                let lock = try SourcesLock(earlier.source.lock(SourcesLock.name) ?? [])
                for line in lock.lines where found.contains(line.repository.root) {
                    // Nobody looked whether all of it is still there.
                    let kept = [line.keepAlive, line.references].compactMap { ObjectID(hex: $0.utf8) }
                    try reader.reach(from: kept.filter { $0 != .none }, into: ObjectSet())
                    lines.append(line)
                }
            }
            if !lines.isEmpty { locks[SourcesLock.name] = SourcesLock(lines: lines).contents }
        } catch {
            // Then they are stored once more: an earlier snapshot that cannot be read is told by whoever looks at it.
        }
        return locks
    }

    private func draft(
        _ request: Request, into sink: any ObjectSink, _ sealer: Sealer?, _ reader: ObjectReader,
        _ previous: StoredSnapshot?, _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> (draft: SnapshotDraft, taken: TakenSnapshot, caches: [NewCache]) {
        let started = Clock.now
        let lane = sink.makeLane()
        var captured: [CapturedComponent] = []
        var entries: [TreeEntry] = []
        var history: [TreeEntry] = []
        var changes: [Change] = []
        var otherFiles: [String: Int] = [:]
        var isBlind = false
        var caches: [NewCache] = []
        var keepAlives: [ObjectID] = []
        let transfer = sink.isWritten ? SourceTransfer(store, reader: reader) : nil
        let wanted = system.components.filter {
            request.components.isEmpty || request.components.contains($0.component.name)
        }
        let options = system.options
        let local = store.localDirectory
        let held: [String: Set<String>] = Dictionary(
            previous?.snapshot.components.map { ($0.name, Set($0.roots.map(\.name))) } ?? []
        ) { first, _ in first }
        let results = try await SimultaneousCapture.run(
            try wanted.map { component, driver in
                let old = previous.flatMap { state(component.name, of: $0, reader) }
                return .init(component: component, driver: driver, previous: try known(old, driver, reader))
            }
        ) { part in
            progress(part.component.name)
            return try await ComponentCapture(
                part.component, driver: part.driver, sink: sink, options: options, sealer: sealer,
                local: local, transfer: transfer, heldRoots: held[part.component.name] ?? []
            ).run(previous: part.previous)
        }
        // A snapshot of nothing is none: a mistake in the system file is told, and no night takes it for a state.
        if results.values.allSatisfy({ $0.isBlank || $0.captured.entries == 0 }),
            let fault = wanted.compactMap({ results[$0.component.name]?.faults.first }).first
        {
            throw fault.failure
        }
        for (component, driver) in system.components {
            let old = previous.flatMap { state(component.name, of: $0, reader) }
            guard let result = results[component.name] else {
                if let old {
                    let kept = try takeOver(old, previous, reader)
                    captured.append(kept.captured)
                    entries.append(TreeEntry(component.name, .tree, old.tree))
                    if let head = kept.history { history.append(head) }
                    keepAlives += kept.keepAlives
                }
                continue
            }
            if system.options.refusesLeaks, !request.isSafety, let first = result.leaks.first {
                throw CaptureRefusal(
                    "\(result.leaks.count == 1 ? "1 file of '\(component.name)' holds" : "\(result.leaks.count) files of '\(component.name)' hold") what looks like a secret, and their class is none, the "
                        + "first is \(first)",
                    hint:
                        "move the secret out, class the file as secret, or allow it in the policy (allowInClear); "
                        + "'leaks: seal' takes the snapshot and seals them")
            }
            keepAlives += result.sources.keepAlives
            captured.append(result.captured)
            let needing = system.dependents(of: [component.name])
            if !result.captured.isComplete, !needing.isEmpty {
                captured[captured.count - 1].notes.append(
                    "it is not complete, and \(needing.joined(separator: ", ")) must not be restored without it (after:)"
                )
            }
            caches += result.caches.map { (component.name, $0) }
            entries.append(TreeEntry(component.name, .tree, result.tree))
            if let id = result.history { history.append(TreeEntry(component.name, .tree, id)) }
            if previous != nil {
                let new = ComponentState(result, sink: sink, reader: reader, identities: identities)
                do {
                    let difference = try Difference(from: old, to: new, driver: driver)
                    changes += difference.told
                    isBlind = isBlind || !difference.unknown.isEmpty
                    otherFiles.merge(difference.otherFiles, uniquingKeysWith: +)
                } catch  where reader.mayHaveLost(error) {
                    changes.append(
                        Change(
                            component: component.name, kind: "component", name: component.name,
                            change: .changed, detail: "what changed in it cannot be determined: \(error)"))
                }
                captured[captured.count - 1].notes += new.untold.map {
                    "what changed in \($0) is not told: it went away after it was captured"
                }
            }
        }
        let description = try self.description(lane)
        try lane.flush()
        let seconds = idTime(started.seconds, after: previous?.reference.id)
        // Snapshots within a second, and the one that a restore takes, go ahead by a second each.
        if seconds > started.seconds + 60, !captured.isEmpty {
            captured[0].notes.append(
                "the clock of this host is behind the last snapshot, \(previous?.reference.id.description ?? ""): "
                    + "the id is a second after that, so that it is the latest")
        }
        if let place = captured.firstIndex(where: { results[$0.name] != nil }) {
            captured[place].notes += textsWithSecrets
            captured[place].notes += notes(of: reader)
        }
        let snapshot = Snapshot(
            id: SnapshotID(seconds: seconds, random: UInt16.random(in: 0...UInt16.max)),
            system: system.name,
            tool: system.tool, host: system.host, systemFile: system.file,
            started: CivilTime(seconds: started.seconds).iso8601,
            finished: CivilTime(seconds: Clock.now.seconds).iso8601, components: captured)
        let others = otherFiles.values.reduce(0, +)
        let words =
            if !changes.isEmpty {
                summary(of: changes)
            } else if previous == nil {
                "first snapshot"
            } else {
                unchangedWords("no change", hasOtherFiles: others > 0, isBlind: isBlind)
                    + (others == 0 ? "" : ", other files: \(others)")
            }
        let draft = SnapshotDraft(
            snapshot: snapshot, previous: previous?.reference.id, entries: entries + description,
            history: history + description, keepAlives: keepAlives,
            subject: request.message ?? words,
            body: commitBody(request.message == nil ? nil : words, changes), author: request.author,
            time: started.seconds, isSafety: request.isSafety, tags: request.tags)
        let taken = TakenSnapshot(
            snapshot: snapshot, changes: changes, otherFiles: otherFiles, isBlind: isBlind,
            isFirst: previous == nil, lostPacks: reader.losses)
        return (draft, taken, caches)
    }

    /// What to say of what is lost of the store.
    private func notes(of reader: ObjectReader) -> [String] {
        let packs = reader.lostPacks.map {
            "a pack of the store cannot be read, so every file is read and stored again where the store lacks it; earlier "
                + "snapshots may lack what only that pack held, 'understudy verify --all --heal' fetches it: \($0)"
        }
        return packs
            + reader.lostObjectsInWords.map {
                "\($0); what of it is live is stored again, earlier snapshots may lack the rest, and "
                    + "'understudy verify --all --heal' fetches it"
            }
    }

    /// A component as the last snapshot has it, its part of history, nil when it has none, and the commits that keep its
    /// repositories.
    ///
    /// What that stored may have been in a pack that is lost: where something of it is missing, the component is incomplete.
    private func takeOver(
        _ old: ComponentState, _ previous: StoredSnapshot?, _ reader: ObjectReader
    ) throws -> (captured: CapturedComponent, history: TreeEntry?, keepAlives: [ObjectID]) {
        var captured = old.captured
        var history: TreeEntry?
        var keepAlives: [ObjectID] = []
        do {
            history = try historyEntry(captured.name, previous, reader)
            keepAlives = try SourcesLock(old.source.lock(SourcesLock.name) ?? []).keepAlives
            if reader.hasLosses {
                let trees = [old.tree] + (history.map { [$0.id] } ?? [])
                try reader.reach(from: trees + keepAlives, into: ObjectSet())
            }
        } catch  where reader.mayHaveLost(error) {
            let problem = CapturedComponent.Problem(
                path: ".",
                reason:
                    "the store lacks something of the last snapshot of it: capture it anew, with all components"
            )
            if !captured.unreadable.contains(problem) { captured.unreadable.append(problem) }
        }
        return (captured, history, keepAlives)
    }

    /// What looks like a secret in the system file and the policies, in words: they are in clear, and an empty machine reads
    /// them before it has a key.
    private var textsWithSecrets: [String] {
        ([("understudy.yaml", system.text)] + system.policies.map { ("\(Snapshot.policiesName)/\($0)", $1) })
            .compactMap {
                name, text in
                let leak = unsafe text.withUnsafeBytes { unsafe LeakScanner.find($0) }
                return leak.map {
                    "\(name) is in clear in every snapshot and on every remote, and something in it looks like a secret "
                        + "(\($0.kind)): take it out, change the secret, and let the command read it from a file"
                }
            }
    }

    /// The system file and the policies: what an empty machine needs beside the components.
    private func description(_ lane: any ObjectLane) throws -> [TreeEntry] {
        let text = TreeEntry("understudy.yaml", .file, try lane.add(.blob, system.text))
        guard !system.policies.isEmpty else { return [text] }
        let files = try system.policies.map { name, contents in
            TreeEntry(name, .file, try lane.add(.blob, contents))
        }
        return [text, TreeEntry(Snapshot.policiesName, .tree, try lane.add(.tree, Tree.contents(files)))]
    }

    /// The time in a snapshot's id: its own, but always after the last one's.
    ///
    /// Two snapshots within a second, and one after the clock went back, would not be in their order otherwise.
    private func idTime(_ seconds: Int64, after last: SnapshotID?) -> Int64 {
        last.map { max(seconds, $0.seconds + 1) } ?? seconds
    }

    /// The history's tree of a component that is taken over as it was, nil when it has none.
    private func historyEntry(
        _ component: String, _ previous: StoredSnapshot?, _ reader: ObjectReader
    ) throws -> TreeEntry? {
        guard let parent = previous?.commit.parents.first else { return nil }
        let commit = try store.commit(parent, with: reader)
        return try reader.tree(commit.tree).first { $0.name == Array(component.utf8) }
    }
}
