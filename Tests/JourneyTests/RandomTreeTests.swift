import FileTree
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Random trees through the binary and back, compared by what the system itself says of every path.
///
/// `UNDERSTUDY_TEST_TREES` sets how many trees there are; `make crash` sets it high.
@Suite struct RandomTreeTests {
    private static let count =
        unsafe getenv("UNDERSTUDY_TEST_TREES").flatMap { UInt64(unsafe String(cString: $0)) } ?? 2

    private func restored(_ runner: CommandLineRunner, _ id: String, to name: String) async throws
        -> TreeListing
    {
        try await runner.succeed("restore", id, "--to", name)
        let place = runner.directory.appending(name).appending("tree").pushing(
            FilePath(String("\(runner.directory)/tree".dropFirst())))
        return try TreeListing(place)
    }

    @Test(arguments: 1...count)
    func whatGoesInComesOutInEveryAspect(_ seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("tree")
            var tree = try RandomTree(at: path, seed: seed, count: 150)
            let runner = try CommandLineRunner(directory)
            try await runner.initialize("tree")
            try await runner.succeed("snapshot")
            let first = try TreeListing(path)
            #expect(try await restored(runner, "latest", to: "out1").differences(from: first) == [])
            try tree.change(60)
            let second = try TreeListing(path)
            #expect(second != first)
            try await runner.succeed("snapshot")
            #expect(try TreeListing(path).differences(from: second) == [], "a snapshot touches nothing")
            #expect(try await restored(runner, "latest", to: "out2").differences(from: second) == [])
            #expect(try await restored(runner, "latest~1", to: "out3").differences(from: first) == [])
            try await runner.succeed("restore", "latest~1")
            #expect(try TreeListing(path).differences(from: first) == [])
            try await runner.succeed("undo")
            #expect(try TreeListing(path).differences(from: second) == [])
            guard seed == 1 else { return }
            try await stockGit(runner, first, second)
        }
    }

    /// Git's own tools on such a store: it is sound for them, and after their care and in their copies all is there.
    private func stockGit(_ runner: CommandLineRunner, _ first: TreeListing, _ second: TreeListing)
        async throws
    {
        let directory = runner.directory
        try await runner.checkStore(directory.appending("tree.git"))
        try await shell(
            """
            for index in tree.git/objects/pack/*.idx; do git verify-pack -v $index > /dev/null; done
            git clone --quiet --mirror tree.git copy.git
            git -C copy.git fsck --full --strict
            git -C tree.git gc --quiet --aggressive --prune=now
            """, in: directory)
        try await runner.checkStore(directory.appending("tree.git"))
        #expect(try await restored(runner, "latest~1", to: "gc1").differences(from: first) == [])
        // The undone restore left a safety snapshot of the second state, and the second is the latest.
        #expect(try await restored(runner, "latest", to: "gc2").differences(from: second) == [])
        try await shell("mv tree.git away.git; mv copy.git tree.git", in: directory)
        #expect(try await restored(runner, "latest~1", to: "clone").differences(from: first) == [])
        try await runner.succeed("verify", "--all")
    }
}
