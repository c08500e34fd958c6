internal import Capture
internal import Drivers
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension Journal.Applied {
    /// The driver that puts it in place.
    ///
    /// Throws a ``RestoreFailure`` when the system file does not describe the component any more.
    func application(in system: DeliverySystem) throws -> any Application {
        guard let application = system.driver(of: component)?.application else {
            throw RestoreFailure(
                .refused,
                "the system file does not describe '\(component)' any more, which the last restore put in place",
                hint: "describe it as it was and run the command again")
        }
        return application
    }
}

extension Journal {
    /// Every component that the restore changes.
    var components: Set<String> {
        Set(
            places.map(\.component) + (mountedRoots ?? []).map(\.component)
                + ((applied ?? []) + (owed ?? [])).map(\.component))
    }

    /// Writes down what a driver puts in place after `others`; what the snapshot has nothing for stays as it is, and is not
    /// taken back.
    mutating func note(_ new: Applied, after others: [Applied], _ local: FilePath) throws {
        applied = others + (new.record.isEmpty ? [] : [new])
        try write(local)
    }

    /// Why nothing can be taken back: a component ran on what would change, and the system file says no more how it is
    /// stopped, somebody has open what it does not describe any more, or a link came on the way; nil when there is none.
    func unstoppable(in system: DeliverySystem) throws -> DriverFailure? {
        if let (link, path) = try system.linkOnTheWay(to: changedPaths) {
            return DriverFailure(
                "\(link) is a link now, and \(path) would be replaced through it",
                hint: "put the directory back that was there")
        }
        for place in places where system.driver(of: place.component) == nil {
            // After the host went down, say, and came up with its services.
            let holders = try RestorePlanner.refusals(ofHoldersOf: FilePath(place.live))
            guard let holder = holders.first else { continue }
            return DriverFailure(
                "\(holder.reason), and the system file does not describe '\(place.component)' any more",
                hint: "stop it by hand, or describe the component as it was")
        }
        let changed = components
        let name = running.first { name in
            guard changed.contains(name), !keepsRunning(name), let driver = system.driver(of: name) else {
                return false
            }
            return driver.lifecycle == nil
        }
        return name.map { name in
            DriverFailure(
                "the system file does not say any more how '\(name)' is stopped, which ran before \(what)",
                hint: "put its commands back as they were")
        }
    }

    /// Puts the old places back, and takes away what was made from the new ones and the directories that were made for them.
    ///
    /// What is done is no more in the journal: what somebody makes there from now on is his. What could not be done hinders
    /// nothing else, and is returned with the components that it is about. What is put aside is in the journal in `local`
    /// before it is: after a kill nobody else knows of it.
    mutating func putBack(_ local: FilePath) -> [(components: Set<String>, failure: any Error)] {
        var failures: [(components: Set<String>, failure: any Error)] = []
        let all = Set(places.map(\.component))
        func left<Item>(of items: [Item], _ components: (Item) -> Set<String>, _ undo: (Item) throws -> Void)
            -> [Item]
        {
            items.filter { item in
                do {
                    try undo(item)
                    return false
                } catch {
                    failures.append((components(item), error))
                    return true
                }
            }
        }
        let lives = Set(places.map(\.live))
        let staging = stagingDirectories.map { FilePath($0) }
        func exchange(_ place: Place) throws {
            if try isLogThatGoes(place) { return try Files.remove(FilePath(place.live)) }
            let beside = staging.first { FilePath(place.other).starts(with: $0) }
            try Self.putBack(place, amid: lives, beside: beside) { path in
                let words =
                    "what was written to \(place.live) since, where nothing stood before, is kept as \(path)"
                guard kept?.contains(words) != true else { return }
                kept = (kept ?? []) + [words]
                // It is written again when all is back; a full disk keeps nothing from coming back.
                try? write(local)
            }
        }
        let entries = places
        var there: [MountedRoot] = []
        let away = left(of: mountedRoots ?? [], { [$0.component] }) { root in
            if try !root.isBack(entries) { there.append(root) }
        }
        let waiting = entries.filter { place in away.contains { $0.has(place) } }
        let ready = entries.filter { place in
            place.isEntry != true || there.contains { $0.has(place) }
        }
        places = waiting + left(of: ready.reversed(), { [$0.component] }, exchange).reversed()
        // What is back leaves the journal: then it must be so on the disk too.
        _ = left(of: there, { [$0.component] }) { try $0.sync() }
        // Until all of a root is back, it is known what is new in it, and stays so.
        let partly = there.filter { root in places.contains { root.has($0) } }
        let whole = there.filter { root in !places.contains { root.has($0) } }
        let mounted = away + partly + left(of: whole, { [$0.component] }) { try $0.takeBack() }
        mountedRoots = mounted.isEmpty ? nil : mounted
        derived = left(of: derived ?? [], { _ in all }) { try Files.removeTree(FilePath($0)) }
        newDirectories = left(of: (newDirectories ?? []).reversed(), { _ in all }) { directory in
            let path = FilePath(directory)
            guard try Files.exists(path) else { return }
            // Where somebody else has put something meanwhile, the directory is his.
            try Files.removeDirectoryIfEmpty(path)
            try Files.syncDirectory(path.removingLastComponent())
        }.reversed()
        return failures
    }

    /// Gives up what lies beside production: it can be taken back no more, which is written down before anything is removed.
    ///
    /// What is not up again stays told. Returns in words what cannot be removed.
    mutating func giveUp(in system: DeliverySystem, _ local: FilePath) async throws -> [String] {
        if phase != .starting { phase = .undone }
        try write(local)
        return await removeStaging(in: system)
    }

    /// Removes everything that lies beside production.
    ///
    /// What cannot be removed must not keep the system from coming back: it stays in the journal, and is returned in words.
    mutating func removeStaging(in system: DeliverySystem) async -> [String] {
        let left = removeDirectories()
        return await left + Self.discard(&applied, in: system) + Self.discard(&owed, in: system)
            + Self.discard(&leftovers, in: system)
    }

    /// Takes over what could not be removed of an earlier restore: it is tried, and told, until somebody has removed it.
    mutating func takeOverLeftovers(of last: Journal) {
        stagingDirectories = last.stagingDirectories
        // In the middle of an exchange they are the way back.
        let applied = last.phase == .exchanging ? [] : (last.owed ?? []) + (last.applied ?? [])
        leftovers = last.leftovers
        addLeftovers(applied)
    }

    /// Notes what drivers could not remove.
    mutating func addLeftovers(_ applied: [Applied]) {
        guard !applied.isEmpty else { return }
        leftovers = (leftovers ?? []) + applied
    }

    /// Removes the directories beside production; those that cannot be removed stay in the journal, and are returned in words.
    mutating func removeDirectories() -> [String] {
        var left: [String] = []
        stagingDirectories = stagingDirectories.filter { directory in
            let path = FilePath(directory)
            do {
                try MountedRoot.keepingTime(of: path.removingLastComponent()) { try Files.removeTree(path) }
                return false
            } catch {
                left.append(
                    "\(directory), which a restore left, could not be removed, do it by hand: \(error)")
                return true
            }
        }
        return left
    }

    /// Lets drivers remove what they keep beside production, as a server that is down cannot: that is left in the list, and
    /// returned in words.
    static func discard(_ list: inout [Applied]?, in system: DeliverySystem) async -> [String] {
        var left: [Applied] = []
        var words: [String] = []
        for applied in list ?? [] {
            do {
                try await applied.application(in: system).discard(applied.record)
            } catch {
                left.append(applied)
                words.append(
                    "\(applied.component): what a restore left beside it could not be removed, do it by hand: \(error)"
                )
            }
        }
        list = left.isEmpty ? nil : left
        return words
    }

    /// Makes a directory beside production that is written down before; what an earlier restore left there and nobody can
    /// remove keeps its name.
    mutating func makeStagingDirectory(in parent: FilePath, _ local: FilePath) throws -> FilePath {
        var number = stagingDirectories.count
        while true {
            let path = parent.appending(StagingName.name(snapshot, number))
            number += 1
            guard !stagingDirectories.contains(path.string) else { continue }
            do {
                try Files.removeTree(path)
            } catch {
                guard try Files.exists(path) else { throw error }
                continue
            }
            stagingDirectories.append(path.string)
            try write(local)
            try MountedRoot.keepingTime(of: parent) { try Files.makeDirectory(path, mode: 0o700) }
            return path
        }
    }
}
