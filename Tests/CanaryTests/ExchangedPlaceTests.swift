import Drivers
import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Canary

/// What a promotion puts beside production.
@Suite struct ExchangedPlaceTests {
    /// Writes files by name.
    private func write(_ files: [String: String], to directory: FilePath) throws {
        try Files.makeDirectory(directory)
        for (name, text) in files {
            try Files.replace(directory.appending(name), with: Array(text.utf8))
        }
    }

    @Test func nothingThatIsMaskedInAShadowComesWithThePackages() async throws {
        try await withTemporaryDirectory { directory in
            let (live, masked) = (directory.appending("live"), directory.appending("masked"))
            let beside = directory.appending("beside")
            try write(
                [
                    "git.jpi": "1", "mailer.jpi": "1", "old.jpi": "1", "lab.jpl": "token=k7Jq2mPzX9",
                    "store.key": "k7Jq2mPzX9", "notes.txt": "password: k7Jq2mPzX9", "left.tmp": "x",
                ], to: live)
            try write(
                [
                    "git.jpi": "1", "mailer.jpi": "1", "old.jpi": "1", "lab.jpl": "token=shadow-masked-0",
                    "notes.txt": "password: shadow-masked-1",
                ], to: masked)
            try write(
                [
                    "git.jpi": "2", "mailer.jpi": "1", "new.jpi": "1", "lab.jpl": "token=shadow-masked-0",
                    "notes.txt": "password: shadow-masked-1", "seen.txt": "shadow-masked-2",
                ], to: beside)
            try write(["a": "unpacked"], to: beside.appending("git"))
            // Plugins that lie there unpacked: one that the change leaves, one that it takes away, one that an archive replaces.
            for (name, text) in [("lib.jpi", "token=k7Jq2mPzX9"), ("gone.jpi", "x"), ("was.jpi", "x")] {
                try write(["a": text], to: live.appending(name))
            }
            try write(["a": "token=shadow-masked-3"], to: beside.appending("lib.jpi"))
            try Files.replace(beside.appending("was.jpi"), with: Array("2".utf8))
            // A shadow has no link with the name of a key, and what ran in it may have put links in the place of files.
            try Files.makeLink(live.appending("ca.key"), to: Array("store.key".utf8))
            try Files.remove(beside.appending("notes.txt"))
            try Files.makeLink(beside.appending("notes.txt"), to: Array("/etc/passwd".utf8))
            try await ExchangedPlace.keepOwn(of: live, in: beside, unlike: masked) { name in
                String(decoding: name, as: UTF8.self).contains(".jp")
            }
            let names = try Files.names(beside).map { String(decoding: $0, as: UTF8.self) }
            #expect(
                names == [
                    "ca.key", "git", "git.jpi", "lab.jpl", "left.tmp", "lib.jpi", "mailer.jpi", "new.jpi",
                    "notes.txt", "store.key", "was.jpi",
                ])
            #expect(try Files.linkTarget(beside.appending("ca.key")) == Array("store.key".utf8))
            for (name, text) in [
                ("git.jpi", "2"), ("lab.jpl", "token=k7Jq2mPzX9"), ("store.key", "k7Jq2mPzX9"),
                ("notes.txt", "password: k7Jq2mPzX9"), ("git/a", "unpacked"),
                ("lib.jpi/a", "token=k7Jq2mPzX9"), ("was.jpi", "2"),
            ] {
                let bytes = try Files.read(beside.appending(name))
                #expect(String(decoding: bytes, as: UTF8.self) == text, "\(name)")
            }
        }
    }

    /// A change holds contents alone.
    @Test func aFileHasWhatTheOneBeforeItHadAndANewOneThatIsSealedIsForItsOwnerAlone() async throws {
        try await withTemporaryDirectory { directory in
            let classes = Classification([.init("secrets/**", .secret)], defaultClass: .config)
            var contents = ChangeContents(component: "ci")
            let paths = ["secrets/token", "jobs.py", "secrets/shared"]
            for path in paths { try contents.set(root: "master", path: path, contents: Array(path.utf8)) }
            let live = directory.appending("live")
            try write([:], to: live)
            try write(["shared": "before"], to: live.appending("secrets"))
            try Files.setMode(live.appending("secrets/shared"), 0o640)
            // Not every file system of temporary files has attributes.
            let script = "import os, sys; os.setxattr(sys.argv[1], 'user.note', b'ours')"
            let hasAttributes =
                try await Program(
                    "/usr/bin/python3", ["-c", script, live.appending("secrets/shared").string]
                ).run().status == 0
            var modes: [String: UInt16] = [:]
            for file in contents.change.files {
                let place = ExchangedPlace(
                    root: file.root, below: file.path, live: live.appending(file.path), file: file)
                let beside = directory.appending("beside")
                try await place.make(file, at: beside, contents, classes: classes)
                #expect(try Files.read(beside) == Array(file.path.utf8))
                modes[file.path] = try Files.status(beside)?.mode
                guard file.path == "secrets/shared", hasAttributes else { continue }
                #expect(try Files.attribute("user.note", of: beside) == Array("ours".utf8))
            }
            #expect(modes == ["secrets/token": 0o600, "jobs.py": 0o644, "secrets/shared": 0o640])
        }
    }
}
