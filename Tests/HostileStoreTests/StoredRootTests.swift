import Cryptography
import FileTree
import Git
import Restore
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import GitStore

/// What a stored root says of its manifest and of its trees, whoever made them.
@Suite struct StoredRootTests {
    private static let digest = SHA256.digest(Array("contents".utf8))

    private func entry(_ path: String, isDirectory: Bool, size: Int64) -> Entry {
        Entry(
            path: EntryPath(path), kind: isDirectory ? .directory : .file, mode: isDirectory ? 0o755 : 0o644,
            owner: 7, group: 7, ownerName: "jenkins", groupName: "jenkins",
            modified: .init(seconds: 5, nanoseconds: 7), size: isDirectory ? 0 : size,
            digest: isDirectory ? [] : Self.digest, entryClass: .config)
    }

    /// A root that holds what a manifest of one part says, directories written with a slash at their end; `tree` is what it
    /// has of files, each of `size` bytes, `links` are further names and what they are names of.
    private func withRoot<Result>(
        _ paths: [String], size: Int64 = 8, links: [String: String] = [:],
        tree: (PackLane) throws -> ObjectID? = { _ in nil },
        _ body: (StoredRoot, ObjectReader) throws -> Result
    ) throws -> Result {
        try withTemporaryDirectory { directory in
            let path = directory.appending("r.git")
            _ = try Repository(creatingBareAt: path)
            var text: [UInt8] = []
            for path in paths {
                let isDirectory = path.hasSuffix("/")
                let name = path == "/" ? "" : isDirectory ? String(path.dropLast()) : path
                var line = entry(name, isDirectory: isDirectory, size: size)
                line.hardLink = links[name].map { EntryPath($0) }
                Manifest.append(line, to: &text)
            }
            let pack = try PackWriter(ObjectReader(path))
            let lane = pack.lane()
            let part = try lane.add(.blob, text)
            let parts = try lane.add(.tree, Tree.contents([TreeEntry("root.mtree", .file, part)]))
            let manifest = try lane.add(.tree, Tree.contents([TreeEntry("home", .tree, parts)]))
            var entries = [TreeEntry("manifest", .tree, manifest)]
            if let files = try tree(lane) {
                let roots = try lane.add(.tree, Tree.contents([TreeEntry("home", .tree, files)]))
                entries.append(TreeEntry("files", .tree, roots))
            }
            let component = try lane.add(.tree, Tree.contents(entries))
            try lane.flush()
            _ = try pack.finish()
            let digest = hex(SHA256.digest(Array("\(hex(SHA256.digest(text)))  root.mtree\n".utf8)))
            let reader = try ObjectReader(path)
            return try body(
                try StoredRoot("home", in: component, digest: digest, with: reader), reader)
        }
    }

    @Test(arguments: [
        (["/", "a", "a"], "in it twice"), (["/", "a/", "a"], "in it twice"), (["/", "b", "a"], "too late"),
        (["/", "a/", "a/x", "b", "a/y"], "no directory of it"), (["/", "a/", "b", "a/y"], "no directory"),
        (["/", "a", "a/x"], "no directory"), (["/", "x/y"], "no directory"), (["/", "/"], "no directory"),
        (["a", "/"], "no directory"), (["/", "a/", "a/b/", "a/b/x", "a/b-/", "a/b"], "too late"),
    ]) func aManifestInAnotherOrderThanThatOfAWalkIsRefused(_ paths: [String], _ reason: String) {
        let failure = #expect(throws: StoreFailure.self) { try withRoot(paths) { _, _ in } }
        #expect(failure?.description.contains(reason) == true, "\(String(describing: failure))")
    }

    @Test func filesOfMadeUpSizesAreRefused() throws {
        func files(_ lane: PackLane) throws -> ObjectID? {
            let blob = try lane.add(.blob, Array("contents".utf8))
            return try lane.add(.tree, Tree.contents(["a", "b", "c"].map { TreeEntry($0, .file, blob) }))
        }
        try withTemporaryDirectory { directory in
            try withRoot(["/", "a", "b", "c"], size: .max, tree: files) { root, reader in
                let writer = TreeWriter(root, reader: reader, owners: OwnerMap(try root.survey()))
                let failure = #expect(throws: RestoreFailure.self) {
                    try writer.write(to: directory.appending("out"))
                }
                #expect(failure?.description.contains("is damaged in the store") == true)
            }
        }
    }

    private static let linked = ["/", "a", "b", "c", "sub/", "sub/x"]

    private func entries(of root: StoredRoot) throws -> [Entry] {
        var all: [Entry] = []
        var open = [root.directory]
        while let directory = open.popLast() {
            all += directory.children
            open += try directory.children.filter { $0.kind == .directory }.map {
                try root.directory($0, in: directory, stored: .empty)
            }
        }
        return all
    }

    @Test(arguments: [
        ["a": "a"], ["a": "b", "b": "a"], ["a": "b", "b": "c", "c": "a"], ["a": "sub"], ["a": "nowhere"],
        ["b": "a", "c": "b"], ["a": "sub/y"],
    ]) func aFurtherNameOfNoFileIsRefused(_ links: [String: String]) throws {
        try withRoot(Self.linked, links: links) { root, _ in
            let all = try entries(of: root)
            let failure = #expect(throws: StoreFailure.self) { try root.checkLinks(all) }
            #expect(failure?.description.contains("a further name") == true)
        }
    }

    @Test(arguments: [[:], ["b": "a"], ["b": "a", "c": "a", "sub/x": "a"], ["a": "sub/x"]])
    func aFurtherNameOfAFileIsTaken(_ links: [String: String]) throws {
        try withRoot(Self.linked, links: links) { root, _ in
            try root.checkLinks(try entries(of: root))
        }
    }

    @Test func aCircleOfNamesIsRefusedBeforeTheFirstIsGiven() throws {
        try withTemporaryDirectory { directory in
            try withRoot(["/", "a", "b"], links: ["a": "b", "b": "a"]) { root, reader in
                let writer = TreeWriter(root, reader: reader, owners: OwnerMap(try root.survey()))
                let failure = #expect(throws: StoreFailure.self) {
                    try writer.write(to: directory.appending("out"))
                }
                #expect(failure?.description.contains("a further name") == true)
            }
        }
    }

    @Test func aManifestOfAnotherKindThanTheRootIsRefused() throws {
        try withRoot(["a"]) { root, _ in
            #expect(throws: StoreFailure.self) { try root.check(.directory) }
            #expect(throws: Never.self) { try root.check(.file) }
        }
        try withRoot(["/", "a"]) { root, _ in
            #expect(throws: StoreFailure.self) { try root.check(.file) }
            #expect(throws: Never.self) { try root.check(.directory) }
        }
    }

    @Test(arguments: ["aab", "aaabbba", "abab", "bb", "a", ""])
    func equalChunksCountEachTime(_ order: String) throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("r.git")
            _ = try Repository(creatingBareAt: path)
            let pack = try PackWriter(ObjectReader(path))
            let lane = pack.lane()
            var list = NumberedTree()
            var whole: [UInt8] = []
            for letter in order.utf8 {
                let chunk = [UInt8](repeating: letter, count: 70_000)
                list.append(try lane.add(.blob, chunk))
                whole += chunk
            }
            let id = try lane.add(.tree, list.contents)
            try lane.flush()
            _ = try pack.finish()
            let found = try ReaderLane(ObjectReader(path)).check(
                StoredRoot.Contents(id: id, isChunked: true))
            #expect(found.digest == SHA256.digest(whole))
            #expect(found.size == Int64(whole.count))
        }
    }

    @Test func aWalkIsReadWithEverythingInItsDirectory() throws {
        let paths = ["/", "a/", "a/b/", "a/b/x", "a/b-", "a/c", "a-/", "a-/x", "b"]
        try withRoot(paths) { root, _ in
            var met: [String] = []
            func visit(_ directory: StoredRoot.Directory) throws {
                for child in directory.children {
                    #expect(child.path.parent == directory.entry.path)
                    met.append(child.path.description)
                    guard child.kind == .directory else { continue }
                    try visit(try root.directory(child, in: directory, stored: .empty))
                }
            }
            try visit(root.directory)
            #expect(met == paths.dropFirst().map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 })
            let survey = try root.survey()
            #expect(survey.entries == 9 && survey.bytes == 40 && survey.users == ["jenkins"])
        }
    }

    /// Names that stand close together in git's order, where a directory counts as if its name ended in a slash.
    @Test func everyNameOfATreeIsFoundAsWhatItIs() throws {
        let files = ["a", "a.b", "b.age", "b.chunks", "c", "d-", "d.x", "d0", ".git", "large"]
        let paths = (files + ["d/", "e/", "e.x"]).sorted {
            EntryPath(String($0.split(separator: "/")[0])) < EntryPath(String($1.split(separator: "/")[0]))
        }
        var ids: [String: ObjectID] = [:]
        try withRoot(
            ["/"] + paths,
            tree: { lane in
                var entries: [TreeEntry] = []
                for path in paths where path != "e.x" {
                    let isDirectory = path.hasSuffix("/")
                    let name = StoredName.escaped(Array((isDirectory ? String(path.dropLast()) : path).utf8))
                    let blob = try lane.add(.blob, Array(path.utf8))
                    ids[path] = blob
                    if isDirectory || path == "large" {
                        let id = try lane.add(.tree, Tree.contents([TreeEntry("0", .file, blob)]))
                        ids[path] = id
                        let suffix = isDirectory ? [] : StoredName.chunksSuffix
                        entries.append(TreeEntry(name: name + suffix, mode: .tree, id: id))
                    } else {
                        entries.append(TreeEntry(name: name, mode: .file, id: blob))
                    }
                }
                return try lane.add(.tree, Tree.contents(entries))
            },
            { root, reader in
                let stored = try StoredTree(of: root.directory, with: ReaderLane(reader))
                #expect(root.directory.children.count == paths.count)
                for (entry, path) in zip(root.directory.children, paths) {
                    if entry.kind == .directory {
                        #expect(stored.tree(of: entry) == ids[path])
                        #expect(stored.contents(of: entry) == nil)
                    } else {
                        #expect(stored.contents(of: entry)?.id == ids[path], "\(path)")
                        #expect(stored.contents(of: entry)?.isChunked ?? false == (path == "large"))
                        #expect(stored.tree(of: entry) == nil)
                    }
                    #expect(stored.target(of: entry) == nil)
                }
            })
    }

    @Test(arguments: ["", ".", "..", "a/b", "../a", "/"])
    func aNameThatLeadsElsewhereIsInNoTreeOfOurs(_ name: String) throws {
        let id = try #require(ObjectID(bytes: [UInt8](repeating: 7, count: 20)))
        let contents = Tree.contents([TreeEntry(name, .file, id)])
        #expect(throws: GitError.self) { try Tree.entries(contents, of: id) }
    }

    @Test func namesLikeThoseAreStillNames() throws {
        let id = try #require(ObjectID(bytes: [UInt8](repeating: 7, count: 20)))
        for name in ["...", ".a", "a.", "a..b", "\\"] {
            #expect(try Tree.entries(Tree.contents([TreeEntry(name, .file, id)]), of: id).count == 1)
        }
    }

    @Test(arguments: [
        ("..", "home", "/srv/home"), ("a/b", "home", "/srv/home"), ("", "home", "/srv/home"),
        ("ci", "..", "/srv/home"), ("ci", "../../etc", "/srv/home"), ("ci", "/etc", "/srv/home"),
        ("ci", "a//b", "/srv/home"), ("ci", "a/./b", "/srv/home"), ("ci", "", "/srv/home"),
        ("ci", "a\0", "/srv/home"), ("ci", "home", "srv/home"), ("ci", "home", "/srv/../etc"),
        ("ci", "home", "/srv//home"), ("ci", "home", "/srv/home/"), ("ci", "home", "/"),
        ("ci", "home", "/srv\0"), ("ci", "home", ""),
    ]) func aSnapshotWithNamesThatLeadElsewhereIsDamaged(_ component: String, _ root: String, _ path: String)
        throws
    {
        func snapshot(_ component: String, _ root: String, _ path: String) throws -> [UInt8] {
            try SnapshotJSON.encode(
                Snapshot(
                    id: SnapshotID(seconds: 1, random: 1), system: "acme", tool: "1", host: "h", started: "",
                    finished: "",
                    components: [
                        CapturedComponent(
                            name: component, driver: "files", version: nil,
                            roots: [.init(name: root, path: path, kind: .directory)])
                    ]))
        }
        #expect(throws: SnapshotJSON.StrangeName.self) {
            try SnapshotJSON.decode(snapshot(component, root, path))
        }
        #expect(throws: Never.self) { try SnapshotJSON.decode(snapshot("ci", "srv/ho me", "/srv/ho me")) }
    }

    @Test(arguments: [
        (["ci", "ci"], ["home"]), (["a", "b", "a"], ["home"]), (["ci"], ["home", "home"]),
    ]) func aSnapshotWithANameTwiceIsDamaged(_ components: [String], _ roots: [String]) throws {
        func snapshot(_ components: [String], _ roots: [String]) throws -> [UInt8] {
            try SnapshotJSON.encode(
                Snapshot(
                    id: SnapshotID(seconds: 1, random: 1), system: "acme", tool: "1", host: "h", started: "",
                    finished: "",
                    components: components.map { component in
                        CapturedComponent(
                            name: component, driver: "files", version: nil,
                            roots: roots.map { .init(name: $0, path: "/srv/\($0)", kind: .directory) })
                    }))
        }
        #expect(throws: SnapshotJSON.StrangeName.self) {
            try SnapshotJSON.decode(snapshot(components, roots))
        }
        #expect(throws: Never.self) { try SnapshotJSON.decode(snapshot(["a", "b"], ["x", "y"])) }
    }
}
