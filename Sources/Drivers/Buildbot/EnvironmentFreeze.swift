internal import Cryptography
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension PythonEnvironment {
    /// Everything that the environment is made again from: the lock, a wheel of each distribution, other files.
    func freeze(cache: FilePath) throws -> Frozen {
        var frozen = Frozen()
        let listing = try listing()
        frozen.unreadable = listing.problems
        var owned: Set<String> = []
        var wheels: [PythonLock.Wheel] = []
        var wheelCache = try WheelCache(cache.appending("wheels"))
        for name in try Files.names(path.appending(sitePackages)).map({ String(decoding: $0, as: UTF8.self) })
        {
            if name.hasSuffix(".egg-link") || name.hasSuffix(".egg-info") || name.hasSuffix(".egg") {
                frozen.unreadable.append(
                    .init(
                        path: "environment/\(sitePackages)/\(name)",
                        reason: "the distribution was not installed from a wheel; install it again with pip"))
            }
            guard name.hasSuffix(".dist-info") else { continue }
            do {
                let distribution = try PythonDistribution(name, in: self)
                let wheel = try wheelCache.wheel(of: distribution, in: self, listing: listing)
                owned.formUnion(distribution.owned)
                let file = "wheels/\(distribution.wheelName)"
                wheels.append(
                    .init(
                        name: distribution.name, version: distribution.version, file: file,
                        digest: wheel.digest))
                frozen.artifacts.append(.init(name: file, file: wheel.file))
                if let first = wheel.missing.first {
                    frozen.notes.append(
                        "\(distribution.name) \(distribution.version) lacks \(wheel.missing.count) of its files,"
                            + " \(first) first")
                }
            } catch let unusable as PythonDistribution.Unusable {
                frozen.unreadable.append(unusable.problem)
            }
        }
        try wheelCache.removeUnused()
        let extras = try extras(listing, owned: owned, into: &frozen)
        if usesSystemPackages {
            frozen.notes.append("the environment also uses packages of the host, which are not captured")
        }
        let status = try Files.status(path)
        wheels.sort { ($0.name.lowercased(), $0.file) < ($1.name.lowercased(), $1.file) }
        let lock = PythonLock(
            environment: self, owner: status?.owner ?? 0, group: status?.group ?? 0, wheels: wheels,
            extras: extras)
        frozen.locks.append(Lock(name: PythonLock.name, contents: Array(lock.text.utf8)))
        return frozen
    }

    /// Files that no distribution owns.
    private func extras(
        _ listing: Listing, owned: Set<String>, into frozen: inout Frozen
    ) throws -> [PythonLock.Extra] {
        var extras: [PythonLock.Extra] = []
        for (below, status) in listing.files.sorted(by: { $0.key < $1.key }) where !owned.contains(below) {
            // Parts of a distribution that cannot be captured are reported with it.
            guard !below.contains(".egg-info/"), !below.hasSuffix(".egg-link") else { continue }
            let file = path.appending(below)
            if status.kind == .link {
                let target = try Files.linkTarget(file)
                guard let text = String(validating: target, as: UTF8.self) else {
                    frozen.unreadable.append(
                        .init(path: "environment/\(below)", reason: "what it links to is no text"))
                    continue
                }
                extras.append(.init(path: below, kind: .link(target: text)))
            } else {
                // What went away after it was listed is none of it.
                guard let bytes = try Files.readIfPresent(file) else { continue }
                let digest = hex(SHA256.digest(bytes))
                let extra = PythonLock.Extra(path: below, kind: .file(mode: status.mode, digest: digest))
                extras.append(extra)
                frozen.artifacts.append(.init(name: extra.artifact, file: file))
            }
        }
        return extras
    }
}
