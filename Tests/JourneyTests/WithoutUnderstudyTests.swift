import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

/// Does what docs/without-understudy.md says, block by block, and compares.
@Suite struct WithoutUnderstudyTests {
    /// The shell of the page.
    private func page() throws -> String {
        let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let text = String(
            decoding: try Files.read(root.appending("docs/without-understudy.md")), as: UTF8.self)
        var isShell = false
        var lines: [Substring] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            switch line {
            case "```bash": isShell = true
            case "```": isShell = false
            default: if isShell { lines.append(line) }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    @Test func thePageGivesEverythingBack() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await shell(
                #"""
                mkdir -p tree/sub/empty tree/.git 'tree/with space' srv; echo hello >tree/a.conf; ln tree/a.conf tree/sub/hard
                ln -s /nowhere tree/dangling; touch -h -d '1999-01-02 03:04:05.678' tree/dangling; ln -s x $'tree/lin\nk'
                printf x >$'tree/new\nline'; ln $'tree/new\nline' $'tree/hard\nlink'; printf z >tree/%41; echo ref >tree/.git/HEAD
                echo s3cret >tree/b.key; echo s >$'tree/with space/c\\d.key'; head -c 9000000 /dev/urandom >tree/large.bin
                head -c 8500000 /dev/urandom >tree/big.key; truncate -s 9M tree/sparse; echo end >>tree/sparse
                setfattr -n user.note -v bar tree/a.conf; setfacl -m u:1234:rwx tree/sub; chmod 4755 tree/a.conf
                printf y >$'tree/\xff\xfe'; echo x >tree/notes.age; echo x >tree/x.chunks; : >tree/empty
                # Only root reads what its mode keeps everybody from.
                if [ $(id -u) = 0 ]; then chmod 000 tree/empty; fi
                touch -d '1969-12-31 23:59:58.5Z' tree/sub/empty; mkdir tree/nothing
                git init -q srv/w; cd srv/w; git config user.name x; git config user.email x@x; echo one >one; git add one
                git commit -q -m one; git tag -a -m t v1; git rm -q one; git commit -q -m two
                """#, in: directory)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree", "srv", "--name", "acme", "--signing-key", "keys/sign")
            try await runner.succeed("snapshot")
            _ = try await shell("echo changed >tree/a.conf; echo new >tree/%41", in: directory)
            try await runner.succeed("snapshot")
            _ = try await shell("git clone -q --mirror acme.git copy.git; rm -r acme.git", in: directory)
            try Files.replace(directory.appending("page.sh"), with: Array(try page().utf8))
            let said = try await Program(
                "/bin/bash", ["-eu", "page.sh"],
                environment: [
                    "STORE": directory.appending("copy.git").string, "OUT": directory.appending("out").string,
                    "KEY": directory.appending(CommandLineRunner.recoveryKey).string,
                ], directory: directory, limit: .seconds(120), outputLimit: 1 << 22
            ).run()
            #expect(said.status == 0, "\(said.output)\(said.errorOutput)")
            let tree = directory.appending("tree")
            let restored = directory.appending("out/tree").pushing(FilePath(String(tree.string.dropFirst())))
            #expect(try await runner.differences(tree, restored) == "")
            let repository = "out/srv\(directory)/srv/w"
            let log =
                "log --format='%H %s' --all; git tag -n; git cat-file -p v1:one; git fsck --full --no-dangling"
            let ours = try await shell("cd \(repository); git \(log)", in: directory)
            let theirs = try await shell("cd srv/w; git \(log)", in: directory)
            #expect(ours == theirs)
            // Git agrees about who signed, as the page says.
            _ = try await shell(
                "echo \"me $(cat keys/sign.pub)\" >allowed; git -C copy.git -c gpg.ssh.allowedSignersFile=$PWD/allowed verify-commit $(git -C copy.git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1)",
                in: directory)
        }
    }
}
