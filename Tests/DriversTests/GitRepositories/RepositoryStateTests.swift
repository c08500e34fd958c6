import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

@Suite struct RepositoryStateTests {
    private let a = String(repeating: "a", count: 40)
    private let b = String(repeating: "b", count: 40)
    private let c = String(repeating: "c", count: 40)

    private func tips(_ files: [String: String]) throws -> SourceTips {
        let below = Dictionary(uniqueKeysWithValues: files.map { ("app.git/\($0.key)", $0.value) })
        let repository = SourceRepository(root: "srv/git", path: EntryPath("app.git"))
        return try RepositoryState(repository, CapturedTexts(files: below)).tips
    }

    @Test func aLooseReferenceHidesThePackedOneOfItsName() throws {
        let tips = try tips([
            "HEAD": "ref: refs/heads/main\n",
            "packed-refs":
                "# pack-refs with: peeled fully-peeled sorted \n\(a) refs/heads/main\n\(b) refs/tags/v1\n^\(c)\n",
            "refs/heads/main": "\(c)\n", "refs/remotes/origin/HEAD": "ref: refs/remotes/origin/main\n",
        ])
        #expect(
            String(decoding: tips.listing, as: UTF8.self)
                == "ref:refs/heads/main HEAD\n\(c) refs/heads/main\nref:refs/remotes/origin/main refs/remotes/origin/HEAD\n\(b) refs/tags/v1\n"
        )
        #expect(tips.references.map(\.id) == [c, b])
        #expect(tips.problems.isEmpty)
    }

    @Test func whatIsOnlyRememberedNeedNotBeThere() throws {
        let tips = try tips([
            "HEAD": "\(a)\n", "ORIG_HEAD": "\(b)\n", "FETCH_HEAD": "\(c)\tnot-for-merge\tbranch 'x' of y\n",
            "logs/refs/heads/main": "\(SourcesLock.none) \(b) A <a@b> 1 +0000\tcommit\n",
            "worktrees/w/HEAD": "\(c)\n", "worktrees/w/refs/bisect/bad": "\(b)\n",
        ])
        #expect(tips.references.map(\.name) == ["HEAD", "worktrees/w/HEAD", "worktrees/w/refs/bisect/bad"])
        #expect(Set(tips.remembered.map(\.id)) == [b, c])
    }

    @Test(arguments: [
        ("refs/heads/torn", ""), ("refs/heads/odd", "not a reference\n"),
        ("packed-refs", "abc refs/heads/x\n"),
        ("index", "DIRC"),
    ]) func whatCannotBeReadIsToldByPath(_ path: String, _ text: String) throws {
        let problems = try tips(["HEAD": "ref: refs/heads/main\n", path: text]).problems
        #expect(problems.map(\.path) == ["srv/git/app.git/\(path)"])
    }

    /// Files of which one went away after it was captured.
    private struct Moving: FileSource {
        let files: CapturedTexts
        let gone: String

        func names(root: String, directory: EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)] {
            try files.names(root: root, directory: directory)
        }

        func contents(root: String, path: EntryPath) throws -> [UInt8]? {
            guard "\(path)" != gone else { throw FileFailure("open", path.bytes, .noSuchFileOrDirectory) }
            return try files.contents(root: root, path: path)
        }

        func lock(_ name: String) throws -> [UInt8]? { try files.lock(name) }
    }

    @Test func whatWentAwayAfterItWasCapturedIsToldByPath() throws {
        let files = CapturedTexts(files: [
            "app.git/HEAD": "\(a)\n", "app.git/packed-refs": "\(b) refs/heads/main\n",
        ])
        let repository = SourceRepository(root: "srv/git", path: EntryPath("app.git"))
        let tips = try RepositoryState(repository, Moving(files: files, gone: "app.git/packed-refs")).tips
        #expect(tips.problems.map(\.path) == ["srv/git/app.git/packed-refs"])
        #expect(tips.references.map(\.id) == [a])
    }

    @Test(arguments: [2, 3, 4]) func anIndexOfEachVersionStagesWhatGitSays(_ version: Int) async throws {
        try await withTemporaryDirectory { directory in
            let listing = try await Program(
                "/bin/bash",
                [
                    "-euc",
                    """
                    git init -q .; mkdir -p some/directory; for i in 1 22 333 4444 55555 666666; do echo $i >some/directory/$i; done
                    git add .; echo x >announced; git add -N announced; git update-index --index-version \(version)
                    [ \(version) != 3 ] || git update-index --skip-worktree some/directory/1
                    git ls-files -s | grep -v announced | cut -d ' ' -f 2
                    """,
                ], environment: ["GIT_CONFIG_GLOBAL": "/dev/null"], directory: directory
            ).runSuccessfully().output
            let bytes = try Files.read(directory.appending(".git/index"))
            #expect(
                IndexFile.objects(bytes)?.subtracting([IndexFile.emptyBlob])
                    == Set(listing.split(separator: "\n").map(String.init)))
            for count in [0, 11, 12, 31, 60, 90, 130] { _ = IndexFile.objects(Array(bytes.prefix(count))) }
            #expect(IndexFile.objects(Array(bytes.prefix(90))) == nil)
        }
    }

    @Test func aLockOfRepositoriesReadsWhatItWrote() throws {
        let lines = ["app.git", "", "team a/.git"].map {
            SourcesLock.Line(
                repository: SourceRepository(root: "srv/git", path: EntryPath($0)), tree: a, keepAlive: b,
                references: c)
        }
        let lock = SourcesLock(lines: lines)
        #expect(try SourcesLock(lock.contents) == lock)
        #expect(lines[2].repository.referencesName == "refs/srv+git+team a+.git.refs")
    }

    @Test(arguments: [
        "x", "\t\t\t\t", "ID\tID\tID\tsrv\t../../etc", "ID\tID\tID\tsrv\ta/./b", "ID\tID\tsrv\ta",
    ])
    func aLockThatWasTamperedWithIsRefused(_ text: String) {
        #expect(throws: SourcesLock.Damage.self) {
            try SourcesLock(Array(text.replacing("ID", with: a).utf8))
        }
    }
}
