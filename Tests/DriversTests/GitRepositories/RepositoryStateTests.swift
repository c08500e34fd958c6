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

@Suite struct RepositorySearchTests {
    @Test func aDirectoryOfNothingButRepositoriesIsFound() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "git init -q --bare git/team/a.git; git init -q git/work; git init -q git/work/inner; mkdir other; git init -q --bare other/x.git; mkdir other/files",
                in: directory)
            let found = try GitRepositoriesDriver.detect(directory.appending("git"))
            #expect(found?.summary == "2 git repositories")
            #expect(try GitRepositoriesDriver.detect(directory.appending("other")) == nil)
            let all = RepositorySearch.repositories(in: directory.appending("git"))
            #expect(all.map(\.description) == ["team/a.git", "work/.git", "work/inner/.git"])
        }
    }

    @Test func aFileCalledAsGitsIsNoRepositoryUnlessItNamesOne() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "git init -q main; git -C main -c user.name=a -c user.email=b commit -q --allow-empty -m x; git -C main worktree add -q ../linked; mkdir other; printf 'gitdir' >other/.git",
                in: directory)
            let linked = try GitRepositoriesDriver.detect(directory.appending("linked"))
            #expect(linked?.summary == "1 git repository")
            #expect(try GitRepositoriesDriver.detect(directory.appending("other")) == nil)
        }
    }

    @Test func whatIsInARepositoryThatIsNotCapturedIsTold() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                mkdir git; for r in away git/near; do git init -q $r
                git -C $r -c user.name=a -c user.email=b commit -q --allow-empty -m x; done
                git -C away worktree add -q ../git/linked; git -C git/near worktree add -q ../next
                git init -q --separate-git-dir=apart.git git/apart; mkdir git/behind; ln -s ../../away/.git git/behind/.git
                mkdir git/other; echo 'gitdir: ' >git/other/.git; mkdir -p git/own.git/worktrees/tree
                cp -R away/.git/. git/own.git; cp git/own.git/HEAD git/own.git/worktrees/tree
                echo ../../../../away/.git >git/own.git/worktrees/tree/commondir
                """, in: directory)
            func freeze(_ paths: [String]) async throws -> Frozen {
                try await GitRepositoriesDriver(
                    Component(name: "git", driver: "git-repositories", settings: ["paths": .list(paths)])
                ).freeze(scratch: directory, cache: directory)
            }
            let told = try await freeze(["\(directory)/git"])
            for name in ["apart", "behind", "linked"] {
                #expect(
                    told.notes.count {
                        $0.contains("/git/\(name)/.git: the repository of this working tree is at")
                    } == 1, "\(told.notes)")
            }
            #expect(told.notes.count == 3, "\(told.notes)")
            let missed = told.unreadable.map(\.path)
            #expect(missed.count == 1)
            #expect(missed.first?.hasSuffix("/git/own.git/worktrees/tree/commondir") == true, "\(missed)")
            let whole = try await freeze(["\(directory)/git", "\(directory)/away", "\(directory)/apart.git"])
            #expect(whole.notes.isEmpty && whole.unreadable.isEmpty, "\(whole.notes)")
        }
    }

    @Test(arguments: [
        ("[remote \"o\"]\n\turl = https://me:pw@host/x\n", EntryClass.secret),
        ("[http]\n\textraHeader = Authorization: x\n", .secret), ("[core]\n\tbare = true\n", .config),
    ]) func aConfigWithAPasswordIsASecret(_ text: String, _ expected: EntryClass) throws {
        try withTemporaryDirectory { directory in
            try Files.replace(directory.appending("config"), with: Array(text.utf8))
            let rules = RepositoryClasses.rules(.root, in: directory)
            let matcher = Classification.Matcher(Classification(rules, defaultClass: .source))
            #expect(matcher.entryClass(matcher.start, name: Array("config".utf8)[...]) == expected)
        }
    }
}
