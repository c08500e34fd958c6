import FileTree
import Git
import Glibc
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// What a night takes over from the last one: the same as if everything had been read.
@Suite struct StatCacheTests {
    private static let fingerprint = [UInt8](repeating: 5, count: 32)

    /// Directories enough for several manifest parts, with links, hard links and an empty directory among them.
    private func makeTree(_ tree: FilePath) throws {
        for group in 0..<4 {
            for job in 0..<25 {
                let directory = tree.appending("g\(group)/j\(job)")
                try Files.makeDirectories(directory)
                for file in 0..<3 {
                    try Files.replaceWithoutSync(directory.appending("f\(file)"), with: Array("\(job)".utf8))
                }
            }
            try Files.makeDirectory(tree.appending("g\(group)/empty"))
            try Files.makeLink(tree.appending("g\(group)/latest"), to: Array("j24".utf8))
        }
        let first = tree.appending("g3/j1/f1").string
        #expect(unsafe link(first, tree.appending("g3/j2/other").string) == 0)
        settle()
    }

    /// Waits until a later change shows in the times of what was written.
    private func settle() { usleep(60_000) }

    private func walk(
        _ tree: FilePath, _ cache: StatCache, _ sink: any ObjectSink, in directory: FilePath
    ) throws -> CapturedTree {
        try RootCapture(
            tree, classification: Classification([], defaultClass: .config), cache: cache, sink: sink,
            newTexts: NewTexts(of: sink, in: directory), replacements: [:], leavingOut: [], written: nil,
            sealer: nil, now: (Clock.now.seconds + 70, 0)
        ).run(rootClass: .config)
    }

    /// A walk into a repository, and the cache that it leaves.
    private func night(
        _ tree: FilePath, over last: StatCache, _ repository: FilePath, _ file: FilePath
    ) throws -> CapturedTree {
        let pack = try PackWriter(ObjectReader(repository), keepsTrees: true)
        let walked = try walk(tree, last, pack, in: file.removingLastComponent())
        _ = try pack.finish()
        try StatCache.write(walked.root, over: last, to: file, fingerprint: Self.fingerprint).commit()
        return walked
    }

    /// All that a cache says of a tree; what a directory's name has in the directory above it is only its place.
    private func lines(of file: FilePath) throws -> [String] {
        let cache = try StatCache(file, fingerprint: Self.fingerprint)
        var lines: [String] = []
        var directories = [(index: try #require(cache.root), path: ".")]
        while let (index, path) = directories.popLast() {
            var directory = cache.directory(index)
            (directory.firstEntry, directory.own.nameStart) = (0, 0)
            lines.append("\(path) \(directory)")
            cache.withEntries(of: index) { records, bytes in
                for position in records.indices {
                    var record = records[position]
                    let name = "\(path)/\(String(decoding: bytes.name(of: record), as: UTF8.self))"
                    if record.kind == .directory {
                        directories.append((Int(record.directory), name))
                    } else {
                        lines.append("\(name) \(bytes.extra(of: record))")
                        record.nameStart = 0
                        lines.append("\(record)")
                    }
                }
            }
        }
        return lines
    }

    private func withTwoNights(
        _ change: (FilePath) throws -> Void,
        _ body: (_ second: CapturedTree, _ whole: CapturedTree) throws -> Void
    ) throws {
        try withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try makeTree(tree)
            let repository = directory.appending("r.git")
            _ = try Repository(creatingBareAt: repository)
            let file = directory.appending("cache")
            _ = try night(tree, over: StatCache(), repository, file)
            try change(tree)
            settle()
            let last = try StatCache(file, fingerprint: Self.fingerprint)
            #expect(last.root == 0)
            let second = try night(tree, over: last, repository, file)
            let other = directory.appending("other")
            let whole = try walk(tree, StatCache(), Rehearsal(nil), in: directory)
            try StatCache.write(whole.root, over: StatCache(), to: other, fingerprint: Self.fingerprint)
                .commit()
            #expect(second.root.record.tree == whole.root.record.tree)
            #expect(second.manifest.tree == whole.manifest.tree)
            #expect(second.manifest.digest == whole.manifest.digest)
            #expect(second.manifest.classes == whole.manifest.classes)
            #expect(try lines(of: file) == lines(of: other))
            try body(second, whole)
        }
    }

    @Test func aNightWithoutAChangeKeepsNoDirectory() throws {
        try withTwoNights({ _ in }) { second, _ in
            #expect(!second.found.hasNews)
            // One group holds a file with two names, and which comes first is known at the end.
            #expect(second.root.children.count { $0.node == nil } == 3)
        }
    }

    @Test func aNightKeepsTheDirectoriesInWhichSomethingChanged() throws {
        try withTwoNights({ tree in
            try Files.replaceWithoutSync(tree.appending("g0/j7/f1"), with: Array("changed\n".utf8))
            try Files.removeTree(tree.appending("g1/j3"))
            try Files.makeDirectories(tree.appending("g1/new/deep"))
            try Files.replaceWithoutSync(tree.appending("g1/new/deep/file"), with: [1])
        }) { second, whole in
            #expect(second.found.hasNews)
            #expect(second.root.children.count { $0.node == nil } == 1)
            let changed = try #require(second.root.children[0].node)
            #expect(changed.children.count { $0.node != nil } == 1)
            #expect(whole.root.children.allSatisfy { $0.node != nil })
        }
    }

    @Test func aNightIsAsIfAllHadBeenReadWhateverChanges() throws {
        for seed in 1...6 {
            var random = SplitMix(state: UInt64(seed))
            try withTwoNights({ tree in
                for _ in 0..<Int.random(in: 1...5, using: &random) {
                    let group = tree.appending("g\(Int.random(in: 0..<4, using: &random))")
                    let job = group.appending("j\(Int.random(in: 0..<25, using: &random))")
                    guard try Files.isDirectory(job) else { continue }
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: try Files.replaceWithoutSync(job.appending("f0"), with: Array("x\(seed)".utf8))
                    case 1: try Files.removeTree(job)
                    case 2: try Files.setMode(job, 0o700)
                    case 3: try Files.makeDirectories(job.appending("a/b/c"))
                    default: try Files.rename(job, to: group.appending("moved\(seed)"))
                    }
                }
            }) { second, whole in
                #expect(second.root.record.historyTree == whole.root.record.historyTree)
            }
        }
    }
}
