package import Git
internal import SnapshotModel

/// What is looked at before anything leaves this host.
extension SnapshotStore {
    /// The commits from a tip along first parents, newest first, down to one that is left out; nil for all of them.
    package func chain(_ tip: ObjectID?, downTo end: ObjectID?) throws -> [ObjectID] {
        let line = try line(tip, downTo: end)
        if let loss = line.loss { throw loss }
        return line.commits
    }

    /// Whether a commit is a tip or behind it along first parents; what is behind the commit is not read.
    func chain(_ tip: ObjectID?, holds commit: ObjectID) throws -> Bool {
        let line = try line(tip, downTo: commit)
        if let loss = line.loss { throw loss }
        return line.meetsEnd
    }

    /// Commits along first parents, newest first, as far as they can be read.
    struct Line {
        /// The commits; the last one is what is lost, where something is.
        var commits: [ObjectID] = []
        /// Whether it came down to the commit that it was to end with, which is left out.
        var meetsEnd = false
        /// Why it goes no further.
        var loss: GitError?
    }

    /// The commits from a tip on, down to one that is left out, or to one that cannot be read.
    func line(_ tip: ObjectID?, downTo end: ObjectID?) throws -> Line {
        let reader = try reader()
        var line = Line()
        var next = tip
        do {
            while let id = next, id != end {
                line.commits.append(id)
                next = try commit(id, with: reader).parents.first
            }
            line.meetsEnd = next != nil
        } catch let error as GitError where error.isLoss {
            line.loss = error
        }
        return line
    }

    /// Refuses snapshots that hold secrets in clear, and names the first.
    package func refuseWhatIsInClear(_ snapshots: [SnapshotReference], purpose: String) throws {
        let reader = try reader()
        for reference in snapshots {
            let components = try read(reference, with: reader).snapshot.components
            guard let open = components.first(where: { $0.sealing == nil }) else { continue }
            throw StoreFailure(
                .refused,
                "the snapshot \(reference.id) holds '\(open.name)' in clear, with every secret in it: it must not be \(purpose)",
                hint: Self.clearHint)
        }
    }

    /// Refuses a history of which a part was written when nothing was sealed, and names the first such commit.
    package func refuseHistoryInClear(
        _ tip: ObjectID, downTo end: ObjectID?, purpose: String, isSealing: ([UInt8]) -> Bool
    ) throws {
        let reader = try reader()
        var known: [ObjectID: Bool] = [:]
        for id in try chain(tip, downTo: end) {
            do {
                let tree = try reader.tree(commit(id, with: reader).tree)
                guard let file = tree.first(where: { $0.name == Array("understudy.yaml".utf8) }) else {
                    continue
                }
                let isFine =
                    try known[file.id]
                    ?? isSealing(reader.contents(file.id, .blob, limit: Self.longestText))
                known[file.id] = isFine
                guard !isFine else { continue }
            } catch let error as GitError where error.code == .notFound {
                // What is not here cannot leave, nor can what stands on it; whoever hands it on names it.
                continue
            }
            throw StoreFailure(
                .refused,
                "the history commit \(id) is of a time when the system file named no recipients, so that secrets can be in it "
                    + "in clear: it must not be \(purpose)", hint: Self.clearHint)
        }
    }

    private static let clearHint =
        "name a recipient ('understudy key add --generate FILE') and begin a new store: change 'store' in the system "
        + "file, run 'understudy init' without a path, and keep the old one on this host"
}
