import FileTree
import Git
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// Files that were captured, and of which some must be read again where they stand.
@Suite struct CapturedFilesTests {
    @Test func aSealedFileThatWentAwaySinceItWasCapturedIsNotAbsent() throws {
        try withTemporaryDirectory { directory in
            let sink = Rehearsal(nil)
            let lane = sink.makeLane()
            let sealed = try lane.add(.blob, Array("sealed".utf8))
            let name = Array("packed-refs".utf8) + StoredName.sealedSuffix
            let tree = try lane.add(.tree, Tree.contents([TreeEntry(name: name, mode: .file, id: sealed)]))
            let files = CapturedFiles(
                sink: sink, roots: ["git": tree], kept: [:], places: ["git": directory], hasSealed: true)
            let text = Array("# pack-refs with: peeled\n".utf8)
            try Files.replace(directory.appending("packed-refs"), with: text)
            #expect(try files.contents(root: "git", path: EntryPath("packed-refs")) == text)
            #expect(try files.contents(root: "git", path: EntryPath("HEAD")) == nil)
            try Files.remove(directory.appending("packed-refs"))
            #expect(throws: FileFailure.self) {
                try files.contents(root: "git", path: EntryPath("packed-refs"))
            }
        }
    }
}
