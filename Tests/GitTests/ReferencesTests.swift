import FileTree
import Glibc
import Programs
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Workers

@testable import Git

/// References as we and stock git read and write them, side by side in one repository.
@Suite struct ReferencesTests {
    /// A repository with three commits, made by stock git.
    private func withRepository(
        _ body: (FilePath, References, [ObjectID]) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("r.git")
            _ = try await git(path, "init", "--quiet", "--bare", path.string)
            let tree = try await git(path, "hash-object", "-w", "-t", "tree", "/dev/null")
            var commits: [ObjectID] = []
            for message in ["a", "b", "c"] {
                let text = try await git(
                    path, "-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", message, tree)
                commits.append(try #require(ObjectID(hex: text.utf8)))
            }
            try await body(path, References(path), commits)
        }
    }

    private func git(_ repository: FilePath, _ arguments: String...) async throws -> String {
        let output = try await Program("git", ["--git-dir", repository.string] + arguments)
            .runSuccessfully().output
        return String(output.reversed().drop { $0 == "\n" }.reversed())
    }

    @Test func whatWeSetGitReadsAndWhatGitSetsWeRead() async throws {
        try await withRepository { path, references, commits in
            try references.set("refs/heads/x", to: commits[0], expecting: nil)
            #expect(try await git(path, "rev-parse", "refs/heads/x") == "\(commits[0])")
            _ = try await git(path, "update-ref", "refs/snapshots/s/1", "\(commits[1])")
            #expect(try references.target(of: "refs/snapshots/s/1") == commits[1])
            #expect(try references.target(of: "refs/snapshots/s") == nil)
            #expect(try references.target(of: "refs/heads/x/below") == nil)
            _ = try await git(path, "fsck", "--full", "--strict")
        }
    }

    @Test func packedReferencesAreReadAndAFileOutweighsThem() async throws {
        try await withRepository { path, references, commits in
            for (index, name) in ["refs/heads/x", "refs/heads/xy", "refs/snapshots/s/1"].enumerated() {
                try references.set(name, to: commits[index], expecting: nil)
            }
            _ = try await git(
                path, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "t", "t",
                "\(commits[0])")
            _ = try await git(path, "pack-refs", "--all")
            #expect(try !Files.exists(path.appending("refs/heads/x")))
            #expect(try references.target(of: "refs/heads/x") == commits[0])
            try references.set("refs/heads/x", to: commits[2], expecting: commits[0])
            #expect(
                try references.list("refs/heads/x")
                    == [
                        .init(name: "refs/heads/x", target: commits[2]),
                        .init(name: "refs/heads/xy", target: commits[1]),
                    ])
            #expect(
                try references.list("refs/snapshots/") == [
                    .init(name: "refs/snapshots/s/1", target: commits[2])
                ])
            let all = try await git(path, "for-each-ref", "--format=%(objectname) %(refname)")
            let ours = try references.list("refs/").map { "\($0.target) \($0.name)" }
            #expect(ours.joined(separator: "\n") == all)
            #expect(throws: GitError.self, "a packed reference stands where a directory would have to") {
                try references.set("refs/heads/xy/z", to: commits[0], expecting: nil)
            }
        }
    }

    @Test func whatBeginsWithADotIsNoReference() async throws {
        try await withRepository { path, references, commits in
            try references.set("refs/heads/x", to: commits[0], expecting: nil)
            for name in ["refs/.nfs0001", "refs/heads/.nfs0002", "refs/heads/y.lock"] {
                try Files.replace(path.appending(name), with: Array("no id".utf8))
            }
            #expect(try await git(path, "for-each-ref", "--format=%(refname)") == "refs/heads/x")
            #expect(try references.list("refs/").map(\.name) == ["refs/heads/x"])
            #expect(try references.names(in: "refs/heads") == ["x"])
        }
    }

    /// The last reference that is there, how often all were looked at, and whether that is enough.
    private final class Progress: Sendable {
        let made = Atomic(-1)
        let looks = Atomic(0)
        let isOver = Atomic(false)
    }

    /// Stock git writes `packed-refs`, and then removes the files.
    @Test func noReferenceIsMissedWhileReferencesArePacked() async throws {
        try await withRepository { path, references, commits in
            let progress = Progress()
            try Files.makeDirectory(path.appending("refs/snapshots"))
            let writing = Background {
                var packed = "# pack-refs with: peeled fully-peeled sorted \n"
                var number = 1000
                while !progress.isOver.load(ordering: .sequentiallyConsistent) {
                    // A few while the others look once, so that there are not ever more of them.
                    guard number < 1010 + 4 * progress.looks.load(ordering: .sequentiallyConsistent) else {
                        sched_yield()
                        continue
                    }
                    let name = "refs/snapshots/\(number)"
                    let file = path.appending(name)
                    let new = path.appending("new")
                    try Files.replaceWithoutSync(new, with: Array("\(commits[0])\n".utf8))
                    try Files.rename(new, to: file)
                    progress.made.store(number, ordering: .sequentiallyConsistent)
                    packed += "\(commits[0]) \(name)\n"
                    try Files.replaceWithoutSync(path.appending("packed-refs"), with: Array(packed.utf8))
                    try Files.remove(file)
                    number += 1
                }
            }
            let reading = Background {
                while progress.looks.load(ordering: .sequentiallyConsistent) < 200, !writing.isDone {
                    let number = progress.made.load(ordering: .sequentiallyConsistent)
                    guard number >= 0 else { continue }
                    let names = try references.names(in: "refs/snapshots")
                    let tips = try references.tips().map(\.name)
                    guard names.contains("\(number)"), tips.contains("refs/snapshots/\(number)") else {
                        break
                    }
                    progress.looks.add(1, ordering: .sequentiallyConsistent)
                }
            }
            let read = Result { try reading.wait() }
            progress.isOver.store(true, ordering: .sequentiallyConsistent)
            try writing.wait()
            try read.get()
            #expect(progress.looks.load(ordering: .sequentiallyConsistent) == 200, "one was missed")
        }
    }

    @Test func onlyWhoKnowsWhatItWasMovesAReference() async throws {
        try await withRepository { path, references, commits in
            try references.set("refs/heads/x", to: commits[0], expecting: nil)
            for (expected, code) in [(nil, GitError.Code.exists), (commits[1], .modified)] {
                let error = #expect(throws: GitError.self) {
                    try references.set("refs/heads/x", to: commits[2], expecting: expected)
                }
                #expect(error?.code == code)
            }
            let error = #expect(throws: GitError.self) {
                try references.set("refs/heads/none", to: commits[2], expecting: commits[1])
            }
            #expect(error?.code == .modified)
            #expect(try references.target(of: "refs/heads/x") == commits[0])
            #expect(try Files.names(path.appending("refs/heads")) == [Array("x".utf8)], "a lock was left")
        }
    }

    @Test func aLockOfGitIsRespected() async throws {
        try await withRepository { path, references, commits in
            let lock = path.appending("refs/heads/x.lock")
            try Files.replace(lock, with: [])
            let error = #expect(throws: GitError.self) {
                try references.set("refs/heads/x", to: commits[0], expecting: nil)
            }
            #expect(error?.code == .locked)
            #expect(try Files.exists(lock), "somebody else's lock was removed")
            #expect(try references.list("refs/heads/") == [])
        }
    }

    @Test func aDirectoryThatAReferenceLeftIsNotInTheWay() async throws {
        try await withRepository { path, references, commits in
            try Files.makeDirectories(path.appending("refs/heads/x"))
            try references.set("refs/heads/x", to: commits[0], expecting: nil)
            #expect(try references.target(of: "refs/heads/x") == commits[0])
            #expect(throws: FileFailure.self) {
                try references.set("refs/heads/x/y", to: commits[0], expecting: nil)
            }
            try references.set("refs/heads/z/y", to: commits[0], expecting: nil)
            #expect(throws: FileFailure.self) {
                try references.set("refs/heads/z", to: commits[0], expecting: nil)
            }
            #expect(try references.list("refs/heads/").map(\.name) == ["refs/heads/x", "refs/heads/z/y"])
            #expect(try !Files.exists(path.appending("refs/heads/z.lock")), "a lock was left")
        }
    }

    @Test func whatIsNoReferenceIsAnError() async throws {
        try await withRepository { path, references, commits in
            try Files.replace(path.appending("refs/heads/empty"), with: [])
            #expect(throws: GitError.self) { try references.target(of: "refs/heads/empty") }
            #expect(throws: GitError.self) { try references.list("refs/") }
            try Files.remove(path.appending("refs/heads/empty"))
            try references.set("refs/heads/x", to: commits[0], expecting: nil)
            _ = try await git(path, "symbolic-ref", "refs/heads/s", "refs/heads/x")
            #expect(try references.target(of: "refs/heads/s") == commits[0])
            #expect(throws: GitError.self) { try references.list("refs/heads/") }
            _ = try await git(path, "symbolic-ref", "refs/heads/s", "refs/heads/s")
            #expect(throws: GitError.self) { try references.target(of: "refs/heads/s") }
            try Files.replace(path.appending("packed-refs"), with: Array("half a line".utf8))
            #expect(throws: GitError.self) { try references.target(of: "refs/heads/none") }
        }
    }

    @Test(arguments: [
        "refs/heads/x", "refs/snapshots/s/20261126T133325Z-5f07", "refs/heads/ä ö", "refs/../x",
        "refs/heads/.x",
        "refs/heads/x.lock", "refs/heads/x.", "refs/heads//x", "refs/heads/x/", "/refs/heads/x",
        "refs/heads/a~1",
        "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/[a",
        "refs/heads/a\\b",
        "refs/heads/@{", "refs/heads/@", "refs/heads/a\u{7f}", "refs/heads/a\tb", "refs/heads/a..b",
        "refs/a.b/c",
    ])
    func gitAgreesOnWhichNamesAreGood(_ name: String) async throws {
        let outcome = try await Program("git", ["check-ref-format", name]).run()
        #expect(References.isValid(name) == (outcome.status == 0))
    }

    @Test func namesInADirectoryAreThoseOfFilesAndOfPackedReferences() async throws {
        try await withRepository { path, references, commits in
            #expect(try references.names(in: "refs/snapshots/s") == [])
            try references.set("refs/snapshots/s/1", to: commits[0], expecting: nil)
            try references.set("refs/snapshots/sx/3", to: commits[0], expecting: nil)
            _ = try await git(path, "pack-refs", "--all")
            try references.set("refs/snapshots/s/2", to: commits[1], expecting: nil)
            try Files.replace(path.appending("refs/snapshots/s/4.lock"), with: [])
            #expect(try Set(references.names(in: "refs/snapshots/s")) == ["1", "2"])
            #expect(try Set(references.names(in: "refs/snapshots")) == ["s", "s/1", "sx/3"])
        }
    }
}
