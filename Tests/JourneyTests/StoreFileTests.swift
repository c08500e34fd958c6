import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// One file with a whole store in it: out, in, by stock tools, and what hostile ones come to.
@Suite struct StoreFileTests {
    /// A store with three snapshots, and the first and the last of them in `acme.tar.zst`.
    private func start(_ directory: FilePath) async throws -> (runner: CommandLineRunner, ids: [String]) {
        _ = try await shell(
            "mkdir tree; seq 1000 >tree/a; echo s3cret-in-b >tree/b.key; ln -s a tree/link", in: directory)
        let runner = try CommandLineRunner(directory)
        try await runner.initialize("tree", "--name", "acme")
        for text in ["one", "two", "three"] {
            try Files.replace(directory.appending("tree/c"), with: Array("\(text)\n".utf8))
            try await runner.succeed("snapshot")
        }
        let names = try await shell(
            "git -C acme.git for-each-ref --format='%(refname:lstrip=3)' refs/snapshots", in: directory)
        let ids = names.split(separator: "\n").map(String.init)
        let written = try await runner.succeed("export", ids[0], "latest", ids[0], "acme.tar.zst")
        let digest = try await shell("sha256sum <acme.tar.zst | cut -d' ' -f1", in: directory)
        #expect(written.contains("SHA-256 \(digest)"))
        return (runner, ids)
    }

    @Test func stockToolsReadItAndWhatIsSealedStaysSealed() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, ids) = try await start(directory)
            let found = try await shell(
                """
                mkdir out; tar --zstd -C out -xf acme.tar.zst; cd out/acme.git; sha256sum --quiet -c SHA256SUMS
                git fsck --full --strict; git for-each-ref --format='%(refname:lstrip=3)' refs/snapshots
                """, in: directory)
            #expect(found == "\(ids[0])\n\(ids[2])\n")
            #expect(try await runner.run(under: ["grep", "-rq", "s3cret-in-b", "out"], []).status == 1)
            #expect(
                try await shell("git -C out/acme.git rev-parse acme", in: directory)
                    == shell("git -C acme.git rev-parse acme", in: directory))
            let again = try await runner.run("export", "acme.tar.zst")
            #expect(again.status == 1 && again.errorOutput.contains("exists already"))
            // What another export is writing, and what is none, stays; what one left that was killed goes.
            try await shell(
                "echo mine >new.tar.zst.part; head -c 999 acme.tar.zst >cut.tar.zst.part", in: directory)
            let beside = try await runner.run("export", "new.tar.zst")
            #expect(beside.status == 1 && beside.errorOutput.contains("new.tar.zst.part is in the way"))
            #expect(try await shell("cat new.tar.zst.part; ls new.tar.zst || :", in: directory) == "mine\n")
            let second = try await runner.run(
                under: ["flock", "cut.tar.zst.part"], ["export", "cut.tar.zst"])
            #expect(second.status == 1 && second.errorOutput.contains("is being written by another export"))
            try await runner.succeed("export", "cut.tar.zst")
            #expect(try !Files.exists(directory.appending("cut.tar.zst.part")))
            for arguments in [["latest"], ["latest", "latest~1"], [ids[0]]] {
                let outcome = try await runner.run(["export"] + arguments, limit: .seconds(60))
                #expect(
                    outcome.status == 64 && outcome.errorOutput.contains("the file comes last"),
                    "\(outcome.errorOutput)")
            }
            #expect(try CrashLoop.leftovers(in: directory.appending("acme.git")) == [])
        }
    }

    @Test func itIsImportedOnceAndIntoAStoreOfTheSame() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, ids) = try await start(directory)
            #expect(
                try await runner.succeed("import", "acme.tar.zst", "new/acme.git").contains(
                    "got 2 snapshots of acme"))
            try await runner.checkStore(directory.appending("new/acme.git"))
            #expect(try await runner.succeed("import", "acme.tar.zst", "new/acme.git").contains("already"))
            #expect(try await runner.succeed("import", "acme.tar.zst", "acme.git").contains("already"))
            // What was left out of the file is no loss, and what goes away later is one.
            try await runner.succeed("import", "acme.tar.zst", "kept.git")
            _ = try await shell("mv acme.git old.git; mv kept.git acme.git", in: directory)
            try await runner.succeed("verify", "--all")
            _ = try await shell("mv acme.git kept.git; mv old.git acme.git", in: directory)
            #expect(try await shell("stat -c %a new/acme.git", in: directory) == "700\n")
            // A store that was changed meanwhile is not overwritten.
            _ = try await shell(
                "git -C new/acme.git update-ref refs/snapshots/acme/\(ids[0]) refs/snapshots/acme/\(ids[2])",
                in: directory)
            let refused = try await runner.run("import", "acme.tar.zst", "new/acme.git")
            #expect(refused.status == 7 && refused.errorOutput.contains(ids[0]))
            #expect(try await runner.run("import", "acme.tar.zst", "tree").status == 10)
        }
    }

    @Test func whatACutImportBroughtIsElsewhereNoMore() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, ids) = try await start(directory)
            try await runner.succeed("import", "acme.tar.zst", "new.git")
            // As if it had been cut behind the last reference.
            try await shell("echo \(ids[2]) >>new.git/understudy/absent-snapshots", in: directory)
            try await runner.succeed("import", "acme.tar.zst", "new.git")
            let absent = try Files.read(directory.appending("new.git/understudy/absent-snapshots"))
            #expect(absent == Array("\(ids[1])\n".utf8))
        }
    }

    /// The names of packs in a file are its writer's: none takes the place of a pack that is here.
    @Test func aPackUnderAnothersNameReplacesNothing() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await start(directory)
            try await runner.succeed("import", "acme.tar.zst", "new/acme.git")
            _ = try await shell(
                """
                mkdir out; tar --zstd -C out -xf acme.tar.zst; tar --zstd -tf acme.tar.zst >members; cd out/acme.git
                own=$(cd ../../new/acme.git/objects/pack; ls *.pack | head -n 1); own=${own%.pack}
                rm objects/pack/*; git init --quiet --bare ../other.git
                echo else | git --git-dir ../other.git hash-object -w --stdin >../id
                name=$(git --git-dir ../other.git pack-objects -q objects/pack/pack <../id)
                rm -f objects/pack/*.rev
                for ending in pack idx; do mv objects/pack/pack-$name.$ending objects/pack/$own.$ending; done
                find * -type f ! -name SHA256SUMS -exec sha256sum {} + >../sums; mv ../sums SHA256SUMS; cd ..
                { grep -v 'pack-\\|SHA256SUMS' ../members; echo acme.git/objects/pack/$own.pack
                echo acme.git/objects/pack/$own.idx; echo acme.git/SHA256SUMS; } >order
                tar --zstd --no-recursion -cf ../hostile.tar.zst -T order
                """, in: directory)
            let outcome = try await runner.run("import", "hostile.tar.zst", "new/acme.git")
            #expect(
                !outcome.errorOutput.contains("it is not a store")
                    && !outcome.errorOutput.contains("not what"),
                "\(outcome.errorOutput)")
            try await runner.checkStore(directory.appending("new/acme.git"))
            #expect(try await runner.succeed("import", "acme.tar.zst", "new/acme.git").contains("already"))
        }
    }

    @Test func anEmptyMachineNeedsTheFileAndTheKeyAlone() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, ids) = try await start(directory)
            _ = try await shell("mv tree reference; rm -r acme.git understudy.yaml policies", in: directory)
            let report = try await runner.succeed("restore", "--from", "acme.tar.zst")
            #expect(
                report.contains("it has the snapshot's own tree")
                    && report.contains("wrote \(directory)/understudy.yaml"))
            #expect(
                report.contains("\(directory)/policies/notify.yaml is not here")
                    && report.contains("'understudy schedule install'"), "\(report)")
            #expect(
                try await runner.differences(directory.appending("reference"), directory.appending("tree"))
                    == "")
            try await runner.succeed("restore", ids[0], "--from", "acme.tar.zst")
            #expect(try Files.read(directory.appending("tree/c")) == Array("one\n".utf8))
            #expect(try await runner.succeed("snapshot").contains("complete"))
        }
    }

    @Test func aDamagedStoreIsNotExported() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await start(directory)
            try await StoreDamage.flip("a", in: directory.appending("acme.git"))
            let outcome = try await runner.run("export", "latest", "damaged.tar.zst")
            #expect(outcome.status == 6, "\(outcome.errorOutput)")
            #expect(outcome.errorOutput.contains("the store is damaged"), "\(outcome.errorOutput)")
            #expect(try !Files.exists(directory.appending("damaged.tar.zst")))
        }
    }

    /// Neither where the file is to be, nor in the store, where it is packed.
    @Test(arguments: ["acme.git", "out"])
    func aFullDiskIsNamedAndNothingIsLeftOnIt(_ full: String) async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await start(directory)
            try await shell("head -c 1500000 /dev/urandom >tree/noise", in: directory)
            try await runner.succeed("snapshot")
            try await shell("mv acme.git copy.git; mkdir -m 700 acme.git; mkdir out", in: directory)
            let outcome = try await runner.run(
                under: [
                    "bwrap", "--dev-bind", "/", "/", "--size", "2097152", "--tmpfs", "\(directory)/\(full)",
                    "/bin/bash", "-uc",
                    """
                    cp -a copy.git/. acme.git; chmod 700 acme.git; head -c 800000 /dev/zero >out/fill
                    "$0" export latest out/all.tar.zst; status=$?
                    find acme.git out -name 'tmp_*' -o -name '*.part' -o -name 'scratch-*' | grep . && exit 99
                    exit $status
                    """,
                ], [])
            #expect(outcome.status == 1, "\(outcome.output)\(outcome.errorOutput)")
            #expect(
                ["No space left on device", "Out of diskspace"].contains { outcome.errorOutput.contains($0) },
                "\(outcome.errorOutput)")
        }
    }

    @Test func oneThatIsCutOffAnywhereIsRefusedWhole() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await start(directory)
            let size = try #require(Int(try Files.status(directory.appending("acme.tar.zst"))?.size ?? 0))
            for length in [0, 1, 20, size / 3, size / 2, size - 200, size - 4, size - 1] {
                _ = try await shell("head -c \(length) acme.tar.zst >cut.tar.zst", in: directory)
                let outcome = try await runner.run("import", "cut.tar.zst", "cut.git")
                #expect(outcome.status == 6, "\(length): \(outcome.errorOutput)")
                #expect(outcome.errorOutput.contains("cut.tar.zst"))
                #expect(try !Files.exists(directory.appending("cut.git")), "\(length)")
            }
            for place in [100, size / 2, size - 100] {
                _ = try await shell(
                    "cp acme.tar.zst bad.tar.zst; printf '\\252\\125\\252' | dd of=bad.tar.zst bs=1 seek=\(place) conv=notrunc status=none",
                    in: directory)
                #expect(try await runner.run("import", "bad.tar.zst", "bad.git").status == 6, "\(place)")
                #expect(try !Files.exists(directory.appending("bad.git")))
            }
        }
    }

    /// What is done to an unpacked store, or to the members of its archive, before it is packed again; and what is said.
    static let attacks: [(name: String, python: String, words: String)] = [
        ("a name that leads out", "add('../evil', b'x')", "leads elsewhere"),
        ("an absolute name", "add('/etc/evil', b'x')", "leads elsewhere"),
        ("a name with dots within", "add('acme.git/objects/../../evil', b'x')", "leads elsewhere"),
        (
            "a link",
            "add('acme.git/objects/pack/pack-' + 'a' * 40 + '.pack', kind=tarfile.SYMTYPE, link='/etc/passwd')",
            "is a link"
        ),
        ("a hard link", "add('acme.git/HEAD2', kind=tarfile.LNKTYPE, link='acme.git/HEAD')", "is a link"),
        (
            "a link in place of a directory", "add('acme.git/refs2', kind=tarfile.SYMTYPE, link='/etc')",
            "is a link"
        ),
        ("a device", "add('acme.git/null', kind=tarfile.CHRTYPE)", "a device"),
        ("a fifo", "add('acme.git/fifo', kind=tarfile.FIFOTYPE)", "a device"),
        ("a member twice", "add('acme.git/HEAD', b'ref: refs/heads/evil\\n')", "in it twice"),
        ("a hook", "add('acme.git/hooks/post-checkout', b'#!/bin/sh\\n')", "'hooks/post-checkout' is in it"),
        ("alternates", "add('acme.git/objects/info/alternates', b'/srv/other.git/objects\\n')", "is in it"),
        ("another top", "add('other.git/HEAD', b'x')", "'other.git/HEAD' is in it"),
        (
            "a changed file",
            "change('acme.git/config', b'[core]\\n\\tbare = true\\n\\tfsmonitor = evil\\n')",
            "not what SHA256SUMS says"
        ),
        (
            "a changed reference",
            "change('acme.git/packed-refs', b'0' * 40 + b' refs/heads/acme\\n'); resum()", "lacks objects"
        ),
        (
            "a foreign reference",
            "change('acme.git/packed-refs', b'0' * 40 + b' refs/heads/../../evil\\n'); resum()",
            "it has the reference"
        ),
        ("a changed pack", "flip('.pack'); resum()", "not what their names say"),
        ("a missing pack", "drop('.pack')", "not what SHA256SUMS says"),
        ("no sums", "drop('SHA256SUMS')", "cut off"),
        ("something behind the sums", "after('acme.git/more', b'x')", "something follows SHA256SUMS"),
        (
            "a bomb", "add('acme.git/objects/pack/pack-' + 'b' * 40 + '.pack', zeros=400 << 20)",
            "times what it is"
        ),
    ]

    @Test func hostileFilesAreRefusedWhole() async throws {
        try await withTemporaryDirectory { directory in
            let (runner, _) = try await start(directory)
            for (index, attack) in Self.attacks.enumerated() {
                try await make(attack.python, in: directory)
                let before = try Files.names(directory)
                var commands = [["import", "evil.tar.zst", "evil.git"]]
                if index < 4 {
                    commands.append(["restore", "--from", "evil.tar.zst", "--store", "evil.git"])
                }
                for arguments in commands {
                    let outcome = try await runner.run(under: ["env"], arguments)
                    #expect(outcome.status == 6, "\(attack.name): \(outcome.output)")
                    #expect(
                        outcome.errorOutput.contains(attack.words), "\(attack.name): \(outcome.errorOutput)")
                    let now = try Files.names(directory)
                    #expect(now == before, "\(attack.name)")
                    for evil: FilePath in ["/etc/evil", directory.removingLastComponent().appending("evil")] {
                        #expect(try !Files.exists(evil), "\(attack.name)")
                    }
                }
            }
        }
    }

    /// Packs the members of `acme.tar.zst` again as `evil.tar.zst`, after a line of Python did something to them.
    private func make(_ python: String, in directory: FilePath) async throws {
        let script = """
            import hashlib, io, subprocess, sys, tarfile
            raw = subprocess.run(['zstd', '-dcq', 'acme.tar.zst'], check=True, capture_output=True).stdout
            source = tarfile.open(fileobj=io.BytesIO(raw))
            members = [(m, source.extractfile(m).read() if m.isfile() else None) for m in source.getmembers()]
            class Zeros:
                def __init__(self, n): self.left = n
                def read(self, n=-1):
                    n = min(n, self.left); self.left -= n; return bytes(n)
            def member(name, data=b'', kind=tarfile.REGTYPE, link='', zeros=0):
                m = tarfile.TarInfo(name); m.type = kind; m.linkname = link; m.size = zeros or len(data)
                return (m, Zeros(zeros) if zeros else data)
            def add(*a, **k): members.insert(len(members) - 1, member(*a, **k))
            def after(*a, **k): members.append(member(*a, **k))
            def change(name, data):
                for i, (m, d) in enumerate(members):
                    if m.name == name: m.size = len(data); members[i] = (m, data)
            def flip(end):
                for i, (m, d) in enumerate(members):
                    if m.name.endswith(end): b = bytearray(d); b[len(b) // 2] ^= 255; members[i] = (m, bytes(b))
            def drop(end): members[:] = [x for x in members if not x[0].name.endswith(end)]
            def resum():
                lines = [hashlib.sha256(d).hexdigest() + '  ' + m.name[9:] + chr(10) for m, d in members[:-1] if m.isfile()]
                change('acme.git/SHA256SUMS', ''.join(lines).encode())
            \(python)
            with open('evil.tar', 'wb') as f, tarfile.open(fileobj=f, mode='w') as t:
                for m, d in members: t.addfile(m, d if isinstance(d, Zeros) else io.BytesIO(d) if d is not None else None)
            subprocess.run(['zstd', '-qf', '--rm', 'evil.tar', '-o', 'evil.tar.zst'], check=True)
            """
        try await Program("python3", ["-c", script], directory: directory).runSuccessfully()
    }
}
