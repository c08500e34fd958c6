import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Journeys of real repositories with the binary, judged by git.
@Suite struct RepositoriesJourneyTests {
    /// What every script of these tests begins with.
    private static let prologue = """
        export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b
        export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        store=$PWD/git.git
        latest() { git -C "$store" for-each-ref --format='%(refname)' refs/snapshots | tail -n 1; }

        """

    @discardableResult
    private func shell(_ script: String, in directory: FilePath) async throws -> String {
        try await TestSupport.shell(Self.prologue + script, in: directory)
    }

    /// A repository of three commits and a clone of it, and the system that holds it.
    private func start(_ directory: FilePath, _ script: String = "") async throws -> CommandLineRunner {
        try await shell(
            """
            mkdir git; git init -q --bare -b main git/app.git; git clone -q git/app.git clone 2>/dev/null; cd clone
            git checkout -q -b main; for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm c$i; done
            git push -q origin main; cd ..
            """ + script, in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("git")
        return runner
    }

    /// A root is called by its path, and a path may hold what ends a line.
    @Test func aRepositoryWithALineBreakInItsNameComesBack() async throws {
        try await withTemporaryDirectory { directory in
            let name = "a\nb.git"
            let runner = try CommandLineRunner(directory)
            try await shell(
                """
                git init -q -b main 'clone'; cd clone; echo 1 >f; git add .; git commit -qm 1; cd ..
                git clone -q --bare clone $'a\\nb.git'
                """, in: directory)
            try await runner.initialize(name, "--name", "git")
            let taken = try await runner.succeed("snapshot")
            #expect(taken.contains("has a tab or a line break"), "\(taken)")
            #expect(try await runner.succeed("snapshot").contains("no change"))
            try Files.removeTree(directory.appending(name))
            #expect(try await runner.succeed("restore").contains("proven: "))
            let head = try await shell(
                "git -C $'a\\nb.git' fsck; git -C $'a\\nb.git' show main:f", in: directory)
            #expect(head == "1\n")
        }
    }

    /// Overwrites bytes of a file of the repository where the store has it.
    private func damageAFile(_ directory: FilePath) async throws {
        let id = try await shell("git -C git/app.git rev-parse main:f2", in: directory)
        try await StoreDamage.flip(object: id, in: directory.appending("git.git"))
    }

    @Test func repositoriesOfEveryShapeComeBackBitForBit() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory,
                #"""

                git -C clone tag -a v1 -m v1 HEAD~1; git -C clone tag -a v1-again -m nested v1 2>/dev/null
                git -C clone tag content HEAD:f1; git -C clone tag files 'HEAD^{tree}'; git -C clone push -q --tags
                git -C git/app.git pack-refs --all; git -C clone push -q origin main:loose
                git -C git/app.git symbolic-ref refs/heads/alias refs/heads/main
                printf '#!/bin/sh\ntouch ../../hook-ran\n' >git/app.git/hooks/post-receive
                chmod +x git/app.git/hooks/post-receive; echo "the app" >git/app.git/description
                mkdir -p git/app.git/lfs/objects/ab/cd; echo large >git/app.git/lfs/objects/ab/cd/abcd
                git clone -q --bare git/app.git git/fork.git; git clone -q --shared --bare git/app.git git/borrower.git
                git clone -q --depth 1 "file://$PWD/git/app.git" git/shallow
                git clone -q git/app.git git/work; cd git/work; echo a >stashed; git add stashed; git stash -q
                echo b >lost; git add lost; git commit -qm lost; git reset -q --hard HEAD~1
                echo c >staged; git add staged; echo d >staged; echo e >untracked; git worktree add -q ../linked v1
                git update-index --index-version 4; git add -N untracked
                git -c protocol.file.allow=always submodule --quiet add "$PWD/../fork.git" module
                cd ../..; git init -q --bare git/empty.git
                """#)
            #expect(try await runner.succeed("snapshot").contains("complete"))
            // What fsck finds dangling it tells in the order of a hash table.
            let list =
                "set -o pipefail; for r in app.git fork.git borrower.git shallow work linked work/module empty.git; do git -C git/$r fsck --full | sort; git -C git/$r for-each-ref; git -C git/$r symbolic-ref -q HEAD || git -C git/$r rev-parse HEAD; git -C git/$r reflog 2>/dev/null || :; git -C git/$r stash list 2>/dev/null || :; done; git -C git/work ls-files -s; git -C git/work diff"
            let before = try await shell(list, in: directory)
            try await runner.checkStore(directory.appending("git.git"))
            try await shell(
                "git -C git.git gc --quiet --prune=now; cp -a git reference; rm -rf git", in: directory)
            let report = try await runner.succeed("restore")
            #expect(report.contains("it has the snapshot's own tree"))
            let differences = try await Program(
                "rsync",
                ["-ani", "--delete", "--exclude=objects/??", "--exclude=objects/pack", "reference/", "git/"],
                directory: directory
            ).runSuccessfully().output
            #expect(
                differences.split(separator: "\n").allSatisfy {
                    $0.hasPrefix(".d..t") || $0.hasSuffix("/index")
                }, "\(differences)")
            let after = try await shell(list, in: directory)
            #expect(after == before)
            try await shell(
                "cd clone; git commit -q --allow-empty -m more; git push -q origin main; test -e ../hook-ran",
                in: directory)
            #expect(try await runner.succeed("diff").contains("app.git refs/heads/main"))
            try await runner.succeed("verify", "--all")
            try await runner.succeed("undo")
            #expect(try !Files.exists(directory.appending("git")))
        }
    }

    /// git makes a pack where its objects are, and no file can be renamed to another file system.
    @Test func repositoriesComeBackFromAStoreOnAnotherFileSystem() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            let store = directory.appending("git.git")
            try await shell("mv git.git copy.git; mkdir -m 700 git.git", in: directory)
            let outcome = try await runner.run(
                under: [
                    "bwrap", "--dev-bind", "/", "/", "--tmpfs", "\(store)", "/bin/bash", "-euc",
                    """
                    cp -a copy.git/. git.git; chmod 700 git.git; "$0" snapshot; rm -rf git/app.git; "$0" restore
                    ! find git.git | grep tmp_
                    """,
                ], [])
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                try await shell("git -C git/app.git log --format=%s main", in: directory) == "c3\nc2\nc1\n")
        }
    }

    @Test func aRewrittenBranchIsStillInYesterdaysSnapshotAndForksShareItsObjects() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let old = try await shell("git -C git/app.git rev-parse main", in: directory)
            let count =
                "git -C git.git rev-list --objects --all | wc -l; git -C git.git count-objects -v | grep in-pack"
            _ = try await shell(count, in: directory)
            try await shell(
                """
                cd clone; git checkout -q --orphan other; git commit -qm rewritten; git push -qf origin other:main; cd ..
                git -C git/app.git gc -q --prune=now; cp -a git/app.git git/fork.git
                """, in: directory)
            #expect(try await runner.succeed("snapshot").contains("git/fork.git"))
            let objects = try await shell(
                "git -C git.git cat-file --batch-all-objects --batch-check | grep -c commit", in: directory)
            // Four of the sources, and for each of both nights a history commit, a snapshot and what keeps the sources.
            #expect(objects == "12\n")
            try await shell("rm -rf git", in: directory)
            try await runner.succeed("restore", "latest~1")
            #expect(
                try await shell(
                    "git -C git/app.git fsck --full; git -C git/app.git rev-parse main", in: directory) == old
            )
        }
    }

    /// Tools of long ago wrote such commits; git refuses to make them and complains of them for ever.
    @Test func anObjectOfBadFormIsNoDamage() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory,
                #"""

                cd git/app.git
                commit=$(printf 'tree %s\nauthor a <a@b> 1 +51800\ncommitter a <a@b> 1 +51800\n\nm\n' $(git rev-parse main:) |
                    git hash-object -t commit -w --stdin --literally)
                git update-ref refs/heads/odd $commit; ! git fsck --full 2>&1 | grep -v badTimezone
                """#)
            try await runner.succeed("snapshot")
            try await runner.succeed("verify", "--all")
            #expect(try await runner.succeed("drill").contains("'git fsck' finds nothing"))
            // What is missing is told all the same, and the complaint is not.
            try await shell(
                """
                cd git.git; for i in objects/pack/*.pack; do mv $i x; rm -f ${i%pack}*; git unpack-objects -q <x; done; rm -f x
                id=$(git -C ../git/app.git rev-parse main:f2); rm -f objects/${id:0:2}/${id:2}
                """, in: directory)
            let verified = try await runner.run("verify", "--all")
            #expect(verified.status == 6, "\(verified.errorOutput)")
            #expect(verified.output.contains("cannot read object"), "\(verified.output)")
            #expect(!verified.output.contains("badTimezone"), "\(verified.output)")
        }
    }

    /// What somebody pushed beside the snapshots is not theirs, and what is whole in a pack is read from there.
    @Test func onlyWhatASnapshotReachesIsLookedThrough() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            for name in ["a", "b"] {
                try await shell(
                    "cd clone; git commit -q --allow-empty -m \(name); git push -q origin main", in: directory
                )
                try await runner.succeed("snapshot")
            }
            try await shell(
                """
                rot() { f=$store/objects/${1:0:2}/${1:2}; mkdir -p ${f%/*}; rm -f $f; echo rotten >$f; }
                cd git.git; id=$(echo theirs | git hash-object -w --stdin); git tag theirs $id; rot $id
                rot $(git -C ../git/app.git rev-parse main:f2); ! git fsck --full 2>/dev/null
                """, in: directory)
            for arguments in [["verify"], ["verify", "--all"], ["drill"]] {
                let outcome = try await runner.run(arguments, limit: .seconds(120))
                #expect(outcome.status == 0, "\(arguments): \(outcome.output)\(outcome.errorOutput)")
            }
            // What only a captured repository has is looked at in each of them.
            try await damageAFile(directory)
            let verified = try await runner.run("verify", "--all")
            #expect(verified.status == 6)
            #expect(
                verified.output.split(separator: "\n").filter {
                    $0.contains("objects of captured repositories: ")
                }.count == 2, "\(verified.output)")
        }
    }

    @Test func aPruneFreesWhatOnlyTheForgottenSnapshotHeld() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let old = try await shell("git -C git/app.git rev-parse main", in: directory).dropLast()
            try await shell(
                """
                cd clone; git checkout -q --orphan other
                git -c protocol.file.allow=always submodule --quiet add "$PWD/../git/app.git" sub
                git commit -qm rewritten; git ls-tree HEAD | grep -q '^160000 commit'
                git push -qf origin other:main; cd ..; git -C git/app.git gc -q --prune=now
                """, in: directory)
            try await runner.succeed("snapshot")
            try Files.replace(
                directory.appending("policies/retention.yaml"), with: Array("keep: {last: 1}\n".utf8))
            try await runner.succeed("prune")
            let gone = try await Program(
                "git", ["-C", "git.git", "cat-file", "-e", "\(old)"], directory: directory
            ).run()
            #expect(gone.status != 0)
            try await runner.succeed("verify", "--all")
            try await shell("rm -rf git", in: directory)
            try await runner.succeed("restore")
            try await shell("git -C git/app.git fsck --full --strict", in: directory)
        }
    }

    @Test func aReflogWithASecretIsSealedAndReadAllTheSame() async throws {
        try await withTemporaryDirectory { directory in
            let token = "ghp_" + "x7Kq2mZ9Lw4Rt8Vb1Nc6Yd3Hf5Jg0Ps2Aa4E"
            let runner = try await start(
                directory,
                "\ngit clone -q git/app.git git/work; git -C git/work commit -q --allow-empty -m \(token)\n")
            try await runner.succeed("snapshot")
            try await shell(
                "git -C git.git ls-tree -r \"$(latest)\" | grep -q 'logs/HEAD.age'; sleep 0.1", in: directory)
            for tag in ["one", "two"] {
                try await shell("git -C git/work tag \(tag)", in: directory)
                #expect(try await runner.succeed("snapshot").contains("complete"))
            }
        }
    }

    @Test func aNightWithoutChangeKeepsTheVerySameObjects() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            let packs =
                "cd git.git; git rev-parse \"$(latest)^2\" \"$(latest):git/refs\" \"$(latest):git/sources.lock\""
            let first = try await shell(packs, in: directory)
            try await runner.succeed("snapshot")
            #expect(try await shell(packs, in: directory) == first)
        }
    }

    @Test func pushesGoOnWhileSnapshotsAreTakenAndEachRepositoryIsWhole() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            async let pushes: String = shell(
                """
                cd clone; n=0; while [ ! -e ../stop ]; do n=$((n + 1)); git commit -q --allow-empty -m "$n"
                git push -qf origin "HEAD:main" "HEAD:b$((n % 5))"; [ $((n % 7)) != 0 ] || git -C ../git/app.git pack-refs --all; sleep 0.05
                done; echo $n
                """, in: directory)
            var statuses: [Int32] = []
            for _ in 0..<4 { statuses.append(try await runner.run("snapshot").status) }
            try Files.replace(directory.appending("stop"), with: [])
            #expect(Int(try await pushes.dropLast()) ?? 0 > 0)
            #expect(statuses.allSatisfy { $0 == 0 || $0 == 3 })
            try await runner.succeed("verify", "--all")
            for number in 0..<4 {
                try await runner.succeed("restore", "--to", "out\(number)", "latest~\(number)")
                try await shell(
                    "git -C $(find out\(number) -name app.git) fsck --full --no-reflogs", in: directory)
            }
        }
    }

    /// Git looks only at the sizes of files when it lists what a reference needs.
    @Test(arguments: [
        "rm -f $object", "chmod u+w $object; : >$object", "chmod u+w $object; echo none >$object",
    ])
    func aLostObjectIsNamedEachNightAndTheOtherReferencesAreCaptured(_ damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await shell(
                """
                cd clone; git checkout -q -b broken; echo x >only-here; git add .; git commit -qm x; git push -q origin broken
                cd ../git/app.git; id=$(git rev-parse broken:only-here); [ -e objects/${id:0:2}/${id:2} ] || git unpack-objects -q <objects/pack/*.pack
                object=objects/${id:0:2}/${id:2}; \(damage); : >refs/heads/torn
                """, in: directory)
            for _ in 0..<2 {
                let outcome = try await runner.run("snapshot")
                #expect(outcome.status == 3, "\(outcome.errorOutput)")
                #expect(outcome.output.contains("app.git/refs/heads/broken"), "\(outcome.output)")
                #expect(
                    outcome.output.contains("app.git/refs/heads/torn: the reference is empty"),
                    "\(outcome.output)")
            }
            try await runner.checkStore(directory.appending("git.git"))
            try await shell("rm -rf git", in: directory)
            #expect(try await runner.run("restore").status == 7)
            try await runner.succeed("restore", "--partial")
            try await shell("git -C git/app.git rev-list --objects main >/dev/null", in: directory)
        }
    }

    /// As git's own `git-new-workdir` makes them.
    @Test func aRepositoryWhoseObjectsAreBehindALinkIsMissed() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory, "\nmv git/app.git/objects away; ln -s $PWD/away git/app.git/objects\n")
            let outcome = try await runner.run("snapshot")
            #expect(outcome.status == 3, "\(outcome.output)\(outcome.errorOutput)")
            #expect(outcome.output.contains("git/app.git/objects: it is a link"), "\(outcome.output)")
        }
    }

    @Test func nothingThatAHostileRepositorySaysIsRun() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory,
                #"""

                git clone -q git/app.git git/work; run="touch $PWD/ran"
                for r in git/app.git git/work; do cd $r
                git config core.fsmonitor "$run"; git config core.sshCommand "$run"; git config core.alternateRefsCommand "$run"
                git config core.hooksPath "$PWD"; git config uploadpack.packObjectsHook "$run"; git config core.pager "$run"
                git config filter.x.clean "$run"; git config gc.recentObjectsHook "$run"; cd -; done >/dev/null
                echo '* filter=x' >git/work/.gitattributes
                for hook in post-index-change reference-transaction pre-auto-gc post-checkout; do
                printf '#!/bin/sh\n%s\n' "$run" >git/app.git/hooks/$hook; chmod +x git/app.git/hooks/$hook
                cp git/app.git/hooks/$hook git/work/.git/hooks/; done; rm -f ran
                """#)
            try await runner.succeed("snapshot")
            try await runner.succeed("verify")
            try await runner.succeed("diff")
            try await shell("rm -rf git", in: directory)
            try await runner.succeed("restore")
            #expect(try !Files.exists(directory.appending("ran")))
        }
    }

    @Test func stockGitAloneTakesARepositoryOutOfTheStore() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory,
                "\ngit -C clone tag -a v1 -m v1; git -C clone push -q --tags; git -C git/app.git gc -q\n")
            try await runner.succeed("snapshot")
            // The lines of docs/git-repositories.md.
            let guide = try Files.read(
                FilePath(#filePath).removingLastComponent().appending("../../docs/git-repositories.md"))
            let lines = String(decoding: guide, as: UTF8.self).split(separator: "\n").filter {
                $0.hasPrefix("    ")
            }
            try await shell(
                "git -C git.git gc -q --prune=now; store=$PWD/git.git snapshot=$(latest) component=git path=\"${PWD#/}/git/app.git\"\n"
                    + lines.joined(separator: "\n"), in: directory)
            try await shell(
                "git -C app.git fsck --full --strict; git -C app.git for-each-ref >one; git -C git/app.git for-each-ref >other; cmp one other; test ! -e app.git/objects/info/alternates",
                in: directory)
        }
    }

    @Test func aDamagedObjectOfARepositoryIsFoundIsNotRestoredAndIsHealedFromACopy() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(
                directory,
                "\ngit -C clone -c protocol.file.allow=always submodule --quiet add \"$PWD/git/app.git\" sub; git -C clone commit -qm sub; git -C clone push -q\n"
            )
            try await runner.succeed("snapshot")
            try await shell(
                """
                git clone -q --no-hardlinks --mirror git.git copy.git; cp -a git reference
                """, in: directory)
            try await damageAFile(directory)
            #expect(try await runner.run("verify").status == 6)
            let restore = try await runner.run("restore")
            #expect(restore.status == 6, "\(restore.errorOutput)")
            try await shell("diff -r git reference", in: directory)
            try await runner.succeed("remote", "add", "copy", "copy.git")
            // It is fetched on the way, as every other object of the snapshot is.
            try await runner.succeed("restore")
            try await shell("git -C git/app.git fsck --full", in: directory)
            try await runner.succeed("verify", "--all", "--heal")
            try await shell("rm -rf git", in: directory)
            try await runner.succeed("restore")
            try await shell("git -C git/app.git fsck --full", in: directory)
        }
    }

    /// The live repository has what the store has not any more.
    @Test func aDamagedObjectOfARepositoryIsStoredAgain() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await damageAFile(directory)
            #expect(try await runner.run("verify").status == 6)
            let taken = try await runner.run("snapshot")
            #expect(taken.status == 6, "\(taken.output)\(taken.errorOutput)")
            #expect(taken.output.contains("found damaged or missing"), "\(taken.output)")
            try await shell(
                "git -C git.git cat-file blob $(git -C git/app.git rev-parse main:f2)", in: directory)
            try await shell("cp -a git reference; rm -rf git", in: directory)
            try await runner.succeed("restore")
            try await shell("git -C git/app.git fsck --full", in: directory)
            #expect(try await runner.succeed("snapshot").contains("complete"))
        }
    }

    /// A snapshot that nobody signed may be damaged besides.
    @Test func aDamagedObjectIsFoundBesideAMissingSignature() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            try await runner.succeed("snapshot")
            try await shell(
                """
                ssh-keygen -q -t ed25519 -N '' -f key
                sed -i "s|^components:|signers: [$(cut -d' ' -f1,2 key.pub)]\\n&|" understudy.yaml
                """, in: directory)
            try await damageAFile(directory)
            let verdict = try await runner.run("verify")
            #expect(verdict.status == 6, "\(verdict.output)\(verdict.errorOutput)")
            for words in ["is not signed", "objects of captured repositories: "] {
                #expect(verdict.output.contains(words), "\(verdict.output)")
            }
            #expect(try Files.exists(directory.appending("git.git/understudy/damaged-objects")))
        }
    }

    @Test func killedAtAnyMomentTheStoreIsSoundAndTheNextNightIsComplete() async throws {
        try await withTemporaryDirectory { directory in
            let runner = try await start(directory)
            var loop = CrashLoop(runner, seed: 8)
            var hits = 0
            for instant in try await loop.instants(of: ["snapshot"], count: 8) {
                try await shell(
                    "cd clone; git commit -q --allow-empty -m more; git push -q origin main", in: directory)
                if try await loop.kill(["snapshot"], at: instant) { hits += 1 }
                try await runner.checkStore(directory.appending("git.git"))
            }
            #expect(hits > 0)
            try await runner.succeed("snapshot")
            try await runner.succeed("verify", "--all")
            let names = try Files.names(directory.appending("git.git/understudy"))
            #expect(!names.contains(Array("incoming".utf8)))
        }
    }
}
