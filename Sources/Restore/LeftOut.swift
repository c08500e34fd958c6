internal import Capture
internal import Drivers
internal import FileTree
internal import GitStore
internal import SnapshotModel
internal import SystemPackage

/// What stands in a root, is in no snapshot since the policy leaves it out, and goes when the root changes places.
///
/// What a driver itself calls derived is made again, and does not count.
struct LeftOut {
    /// How many files of each class there are, and the first of them.
    private var files: [EntryClass: (count: Int, first: EntryPath)] = [:]
    private var unread: [FileFailure] = []
    private let classes: Classification.Matcher
    private let own: Classification.Matcher
    private let leftOut: Set<EntryClass>
    private let content: StoredRoot
    private let place: FilePath

    /// How far the tables and the snapshot are followed in a directory.
    private struct Position {
        var path: EntryPath
        var state: Classification.Matcher.State
        var ownState: Classification.Matcher.State
        /// The class for which the directory is left out with all in it.
        var reason: EntryClass?
        /// The directory in the snapshot, nil where it has none.
        var stored: StoredRoot.Directory?
    }

    /// Looks for it in a directory of a root; nil where the policy leaves nothing out, which costs nothing then.
    init?(
        in root: Root, below only: EntryPath, of component: String, _ system: DeliverySystem,
        _ content: StoredRoot
    ) throws {
        let options = system.options
        let rules = options.rules[component] ?? []
        guard let driver = system.driver(of: component), root.kind == .directory,
            !options.leftOut.isEmpty || rules.contains(where: { $0.entryClass == .derived })
        else { return nil }
        own = Classification.Matcher(driver.classification(of: root.name))
        classes = Classification.Matcher(
            ComponentCapture.classification(root.name, of: driver, component, options))
        leftOut = options.leftOut.union([.derived])
        self.content = content
        place = FilePath(root.path)
        let top = place.appending(only)
        guard try Files.status(top)?.kind == .directory else { return }
        var position = Position(
            path: .root, state: classes.start, ownState: own.start, reason: nil, stored: content.directory)
        for name in only.components {
            guard var next = step(from: position, Array(name), isDirectory: true) else { return }
            let entry = position.stored?.children.first { $0.path.name.elementsEqual(name) }
            next.stored = try stored(entry, in: position)
            position = next
        }
        try walk(position) { try OpenDirectory(top) }
    }

    /// The directory in the snapshot that an entry of another stands for; nil for anything else.
    private func stored(_ entry: Entry?, in position: Position) throws -> StoredRoot.Directory? {
        guard let directory = position.stored, let entry, entry.kind == .directory else { return nil }
        return try content.directory(entry, in: directory, stored: .empty)
    }

    /// Where an entry is, nil for what the driver does not want either.
    private func step(from position: Position, _ name: [UInt8], isDirectory: Bool) -> Position? {
        let (ownClass, ownState) = own.step(position.ownState, name: name[...], isDirectory: isDirectory)
        guard ownClass != .derived else { return nil }
        let (entryClass, state) = classes.step(position.state, name: name[...], isDirectory: isDirectory)
        return Position(
            path: position.path.appending(name), state: state, ownState: ownState,
            reason: position.reason ?? (leftOut.contains(entryClass) ? entryClass : nil), stored: nil)
    }

    private mutating func walk(_ position: Position, _ open: () throws -> OpenDirectory) throws {
        do {
            try list(open(), position)
        } catch let failure as FileFailure {
            unread.append(failure)
        }
    }

    private mutating func list(_ directory: OpenDirectory, _ position: Position) throws {
        let names = NameList()
        try directory.read(into: names)
        let held: [[UInt8]: Entry] = Dictionary(
            position.stored?.children.map { (Array($0.path.name), $0) } ?? []
        ) { first, _ in first }
        for name in (0..<names.count).map({ Array(names.name($0)) }) {
            guard let status = try directory.statusIfThere(name) else { continue }
            let isDirectory = status.kind == .directory
            guard !isDirectory || !StagingName.isOne(name),
                var next = step(from: position, name, isDirectory: isDirectory)
            else { continue }
            let entry = held[name]
            guard isDirectory else {
                if let reason = next.reason, entry == nil {
                    files[reason, default: (0, next.path)].count += 1
                }
                continue
            }
            next.stored = try stored(entry, in: position)
            try walk(next) { try directory.directory(name) }
        }
    }

    /// How many files go.
    var count: Int { files.values.reduce(0) { $0 + $1.count } }

    /// What people should know of it.
    var warnings: [String] {
        let found = files.sorted { $0.key.rawValue < $1.key.rawValue }.map { entryClass, found in
            let isOne = found.count == 1
            let (first, verb) = (isOne ? "" : "first: ", isOne ? "is" : "are")
            let files = "\(counted(found.count, "file")) of class \(entryClass.rawValue)"
            return "\(files) that the policy leaves out (\(first)\(place)/\(found.first)) \(verb) not in the "
                + "snapshot: \(isOne ? "it goes" : "they go") with what stands there now, and \(verb) kept for "
                + "'undo' alone and only until the next restore"
        }
        return found
            + unread.prefix(3).map { "how much the policy leaves out that goes cannot be counted: \($0)" }
    }
}

extension RestorePlan {
    /// Counts and tells what the policy leaves out where a root, or what is restored alone of it, changes places.
    mutating func addLeftOut(
        to root: inout RootPlan, _ content: StoredRoot, in system: DeliverySystem
    ) throws {
        guard root.isThere,
            let found = try LeftOut(
                in: root.root, below: root.only ?? .root, of: root.component, system, content)
        else { return }
        root.delete += found.count
        warnings += found.warnings
    }
}
