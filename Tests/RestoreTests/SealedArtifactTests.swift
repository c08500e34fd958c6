import Capture
import Drivers
import FileTree
import Git
import GitStore
import Restore
import Sealing
import SnapshotModel
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A driver of one directory with a dump and a settings file beside it, which takes both back.
private struct DumpDriver: Driver {
    static let name = "dump"
    static let settings: [SettingKey] = []

    /// What a restore handed back, by name.
    final class Restored: Sendable {
        let files = Mutex<[String: [UInt8]]>([:])
    }

    var root = FilePath()
    var artifacts: [Frozen.Artifact] = []
    let restored = Restored()

    static func detect(_ path: FilePath) throws -> Detection? { nil }
    init(_ component: Component) throws {}
    func places() -> [Root] {
        [Root(name: "root", path: root.string), Root(name: "made", path: "\(root)-made", kind: .rebuilt)]
    }
    func roots() throws -> [Root] { places() }
    func classification(of root: String) -> Classification { Classification([], defaultClass: .config) }
    func relocated(to roots: [String: FilePath]) -> DumpDriver { self }

    func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        frozen.artifacts = artifacts
        return frozen
    }

    func rebuild(_ staged: StagedComponent) async throws {
        guard let directory = staged.artifacts, let made = staged.root("made") else { return }
        for artifact in artifacts {
            let bytes = try Files.read(directory.appending(artifact.name))
            restored.files.withLock { $0[artifact.name] = bytes }
        }
        try Files.makeDirectory(made.staged)
    }
}

/// What lies beside the roots is sealed by what it is and by what it holds, and a driver gets it back as it was.
@Suite struct SealedArtifactTests {
    @Test func dumpsAndLeaksBesideTheRootsAreSealedAndHandedBack() async throws {
        try await withTemporaryDirectory { directory in
            var driver = try DumpDriver(Component(name: "db", driver: "dump", settings: [:]))
            driver.root = directory.appending("root")
            try Files.makeDirectory(driver.root)
            try Files.replace(driver.root.appending("a.conf"), with: Array("a\n".utf8))
            let contents: [String: [UInt8]] = [
                "database/ci.dump": Array("INSERT INTO users VALUES ('leaked-row');\n".utf8),
                "settings/site.ini": Array("password = leaked-too\n".utf8),
                "settings/notes.age": Array("no age file\n".utf8),
            ]
            for (index, (name, bytes)) in contents.sorted(by: { $0.key < $1.key }).enumerated() {
                let file = directory.appending("artifact-\(index)")
                try Files.replace(file, with: bytes)
                driver.artifacts.append(.init(name: name, file: file))
            }
            let identity = Identity()
            let system = DeliverySystem(
                name: "acme", text: [],
                components: [(Component(name: "db", driver: "dump", settings: [:]), driver)],
                options: CaptureOptions(), recipients: [identity.recipient], host: "here", tool: "test")
            let store = try SnapshotStore.create(at: directory.appending("acme.git"), system: "acme")
            let lock = try store.lock(purpose: "the test")
            let taken = try await SystemCapture(system, store: store).take(
                .init(message: nil, components: [], author: "t <t@t>"), holding: lock, progress: { _ in })
            #expect(
                taken.snapshot.components[0].notes.first?.contains("settings/site.ini (a password, line 1)")
                    == true)
            let objects = try await shell(
                "git -C acme.git cat-file --batch-all-objects --batch | tr -d '\\0' | iconv -f latin1 -t utf8",
                in: directory)
            #expect(!objects.contains("leaked") && objects.contains("no age file"))
            let reader = try store.reader()
            let reference = try store.snapshot("latest", of: "acme")
            #expect(try Verification(store, identities: [identity]).verify(reference).problems == [])
            let stored = try store.read(reference, with: reader)
            let request = RestoreRequest(
                components: [], destination: directory.appending("out"), starts: false, resumesWork: false,
                allowsPartial: false, author: "t <t@t>")
            let plan = try await RestorePlanner(
                OpenedStore(system, store: store, reader: reader, identities: [identity])
            )
            .plan(stored, request)
            _ = try await RestoreEngine(
                system, store: store, reader: reader, snapshot: stored, plan: plan, request: request,
                progress: { _ in }
            ).run(holding: lock)
            #expect(driver.restored.files.withLock { $0 } == contents)
        }
    }
}
