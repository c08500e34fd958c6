internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// Restores a tool by its command, and goes back by restoring what its capture command says is there now.
struct CommandApplication: Application {
    let contract: CommandContract

    private static let key = "directory"
    /// The name of what says in the directory that the restore was begun; left out in a record of a version that made none.
    private static let mark = "mark"

    func plan(_ source: any FileSource, captured: CapturedComponent) async throws -> ApplicationPlan {
        let lines = try source.lock(DatabaseLock.name).map { try DatabaseLock($0).lines } ?? []
        let bytes = lines.reduce(0) { $0 + $1.size }
        guard !lines.isEmpty else {
            return ApplicationPlan(words: ["stays as it is, because the snapshot lacks it"])
        }
        return ApplicationPlan(
            words: [
                "restored by its own command from \(counted(lines.count, "file")), \(counted(Int(bytes), "byte"))"
            ],
            replaces: true)
    }

    func record(_ staged: StagedComponent, mark: String, directory: FilePath) async throws -> Record {
        guard try Files.exists(export(staged)) else { return [] }
        return [[Self.key: directory.string, Self.mark: "begun"]]
    }

    func stage(_ staged: StagedComponent, _ record: Record) async throws -> StagedApplication {
        guard let place = Place(record) else {
            return StagedApplication(record: record, notes: [], proof: .equal)
        }
        try Files.removeTree(place.directory)
        try Files.makeDirectory(place.directory, mode: 0o700)
        try Files.rename(export(staged), to: place.restored)
        var result = StagedApplication(record: record, notes: [], proof: .later)
        try Files.makeDirectory(place.partial, mode: 0o700)
        do {
            try await contract.succeed(.capture, in: place.partial)
            try Files.rename(place.partial, to: place.before)
        } catch let failure as DriverFailure {
            // A lost tool cannot be captured, and must be restorable all the same.
            result.hasWayBack = false
            result.notes.append(
                "there is no way back: what is there now could not be captured: \(failure.description)")
        }
        return result
    }

    func isApplied(_ record: Record) async throws -> Bool {
        guard let place = Place(record) else { return true }
        return try Files.exists(place.before)
    }

    func apply(_ record: Record) async throws {
        guard let place = Place(record) else { return }
        if let begun = place.begun { try Files.replace(begun, with: [], mode: 0o600) }
        try await contract.succeed(.restore, in: place.restored, lock: place.lock)
    }

    func unapply(_ record: Record) async throws -> [String] {
        guard let place = Place(record) else { return [] }
        // What the tool wrote since it was captured is lost only where something is to be taken back.
        if let begun = place.begun, try !Files.exists(begun) { return [] }
        guard try Files.exists(place.before) else {
            return [
                "\(contract.component) stays as the restore left it: what was there before could not be captured"
            ]
        }
        try await contract.succeed(.restore, in: place.before, lock: place.lock)
        if let begun = place.begun { try Files.remove(begun) }
        return []
    }

    func differences(_ record: Record) async throws -> [String] {
        guard let place = Place(record) else { return [] }
        try Files.removeTree(place.again)
        try Files.makeDirectory(place.again, mode: 0o700)
        try await contract.succeed(.capture, in: place.again)
        let differences = try Export(place.again).differences(from: Export(place.restored))
        try Files.removeTree(place.again)
        return differences
    }

    func discard(_ record: Record) async throws {
        guard let place = Place(record) else { return }
        try Files.removeTree(place.directory)
    }

    private func export(_ staged: StagedComponent) -> FilePath {
        (staged.artifacts ?? "").appending(CommandDriver.place)
    }

    /// Where the two sides are.
    private struct Place {
        let directory: FilePath
        /// Stands there from the beginning of the restore until it is taken back; nil where none is made.
        let begun: FilePath?

        init?(_ record: Record) {
            guard let path = record.first?[CommandApplication.key] else { return nil }
            directory = FilePath(path)
            begun = record.first?[CommandApplication.mark].map { FilePath(path).appending($0) }
        }

        /// What the snapshot holds.
        var restored: FilePath { directory.appending("restored") }
        /// What was there, complete.
        var before: FilePath { directory.appending("before") }
        /// What was there, as far as it was captured.
        var partial: FilePath { directory.appending("partial") }
        /// What is there after the restore.
        var again: FilePath { directory.appending("again") }
        /// Held by the command that runs.
        var lock: FilePath { directory.appending("lock") }
    }
}
