import FileTree
import SystemPackage
import TestSupport
import Testing

@testable import GitStore

/// What a store's configuration says of its format: read at once where we wrote it, asked of git where it is said in
/// another way.
@Suite struct StoreFormatTests {
    @Test(arguments: [
        ("[core]\n\tbare = true\n[understudy]\n\tformat = 2\n", "2"),
        ("[understudy]\n\tformat = 1\n[core]\n\tbare = true\n[understudy]\n\tformat = 2\n", "2"),
        ("[understudy]\n\tformat = 99\n", "99"),
        ("[core]\n\tbare = true\n", nil),
        ("[Understudy]\n\tFormat=2\n", nil),
        ("[understudy]\n\tformat=2\n", nil),
        ("[understudy]\n\tformat = 2 # two\n", nil),
        ("[understudy]\n\tformat = \n", nil),
        ("[understudy \"x\"]\n\tformat = 2\n", nil),
        ("[core]\n\tformat = 2\n", nil),
    ])
    func onlyWhatIsSaidPlainlyIsBelieved(_ text: String, _ format: String?) {
        #expect(StoreFormat.value(in: text) == format)
    }

    @Test func howeverTheConfigurationSaysItTheStoreOpensOrIsRefused() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending("s.git")
            _ = try SnapshotStore.create(at: path, system: "s")
            #expect(try StoreFormat.plain(path) == "2")
            let config = path.appending("config")
            let text = String(decoding: try Files.read(config), as: UTF8.self)
            let other = text.replacing("[understudy]\n\tformat = 2", with: "[UNDERSTUDY]\n\tFormat=2 ; two")
            try #require(other != text)
            try Files.replace(config, with: Array(other.utf8))
            #expect(try StoreFormat.plain(path) == nil)
            #expect(try SnapshotStore.open(at: path).references("refs/") == [])

            let included = directory.appending("newer")
            try Files.replace(included, with: Array("[understudy]\n\tformat = 99\n".utf8))
            try Files.replace(config, with: Array("\(text)[include]\n\tpath = \(included)\n".utf8))
            let newer = #expect(throws: StoreFailure.self) { try SnapshotStore.open(at: path) }
            #expect(newer?.code == .newerFormat)

            let unknown = "[extensions]\n\trefStorage = reftable\n"
            let extended = text.replacing("repositoryformatversion = 0", with: "repositoryformatversion = 1")
            try Files.replace(config, with: Array((extended + unknown).utf8))
            let otherKind = #expect(throws: StoreFailure.self) { try SnapshotStore.open(at: path) }
            #expect(otherKind?.description.contains("reftable") == true, "references that we cannot read")

            try Files.replace(config, with: Array(text.utf8))
            try Files.remove(path.appending("HEAD"))
            let none = #expect(throws: StoreFailure.self) { try SnapshotStore.open(at: path) }
            #expect(none?.code == .noStore)
        }
    }
}
