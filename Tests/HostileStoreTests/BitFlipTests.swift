import FileTree
import Git
import GitStore
import Glibc
import Programs
import Restore
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

/// Every byte of a small store is changed, one at a time: the verification says so, and what a restore writes is right or
/// is not written at all.
///
/// `UNDERSTUDY_TEST_FLIPS_APART` says how many bytes lie between two that are changed: `make sanitize` is many times slower.
@Suite struct BitFlipTests {
    private var distance: Int {
        unsafe getenv("UNDERSTUDY_TEST_FLIPS_APART").flatMap { Int(unsafe String(cString: $0)) } ?? 1
    }

    private func makeStore(in directory: FilePath) async throws -> FilePath {
        try await shell(
            "mkdir -p tree/jobs; echo one > tree/jobs/config.xml; printf 'a%.0s' {1..700} > tree/long; ln -s long tree/link",
            in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree")
        try await runner.succeed("snapshot")
        return directory.appending("tree.git")
    }

    /// The files of a tree by path, links by their targets.
    private func contents(of directory: FilePath) throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for name in try Files.names(directory) {
            let path = directory.appending(String(decoding: name, as: UTF8.self))
            switch try Files.status(path)?.kind {
            case .directory:
                for (key, value) in try contents(of: path) { all[path.string + "/" + key] = value }
            case .link: all[path.string] = try Files.linkTarget(path)
            default: all[path.string] = try Files.read(path)
            }
        }
        return all
    }

    private func problems(of store: FilePath) -> [String] {
        do {
            let store = try SnapshotStore.open(at: store)
            let references = try store.snapshots(of: "tree")
            guard !references.isEmpty else { return ["there is no snapshot"] }
            let verification = try Verification(store)
            return references.flatMap { verification.verify($0).problems } + (try verification.verifyStore())
        } catch {
            return ["\(error)"]
        }
    }

    /// Restores the only snapshot; nil when that was refused.
    private func restored(_ path: FilePath, to place: FilePath) throws -> [String: [UInt8]]? {
        // What the restore says is what to tell.
        defer { try? Files.removeTree(place) }
        do {
            let store = try SnapshotStore.open(at: path)
            let reader = try store.reader()
            let snapshot = try store.read(try store.snapshot("latest", of: "tree"), with: reader)
            guard let component = snapshot.snapshot.components.first,
                let tree = snapshot.tree(of: component.name),
                let (name, digest) = component.manifests.first
            else { return nil }
            let root = try StoredRoot(name, in: tree, digest: digest, with: reader)
            _ = try TreeWriter(root, reader: reader, owners: OwnerMap(root.survey())).write(to: place)
        } catch {
            return nil
        }
        return try contents(of: place)
    }

    @Test(arguments: [".pack", ".idx"])
    func everyChangedByteIsFoundAndNoneIsRestored(_ suffix: String) async throws {
        try await withTemporaryDirectory { directory in
            let store = try await makeStore(in: directory)
            let packs = store.appending("objects/pack")
            let name = try #require(
                try Files.names(packs).map { String(decoding: $0, as: UTF8.self) }.first {
                    $0.hasSuffix(suffix)
                })
            let file = packs.appending(name)
            let whole = try Files.read(file)
            let place = directory.appending("out")
            let expected = try #require(try restored(store, to: place))
            #expect(expected.count == 3)
            #expect(problems(of: store).isEmpty)
            try Files.setMode(file, 0o644)
            var restores = 0
            for index in stride(from: 0, to: whole.count, by: distance) {
                // Others wait for programs, and not for ever.
                await Task.yield()
                var changed = whole
                changed[index] ^= UInt8(1) << UInt8(index % 8)
                try Files.replaceWithoutSync(file, with: changed)
                #expect(!problems(of: store).isEmpty, "byte \(index) of \(suffix)")
                if let files = try restored(store, to: place) {
                    restores += 1
                    #expect(files == expected, "byte \(index) of \(suffix)")
                }
            }
            // Checksums and what is not of this tree do not matter to it; all else must have been refused.
            #expect(restores < whole.count / distance)
        }
    }
}
