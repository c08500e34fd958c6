package import SystemPackage
internal import FileTree

/// A directory of a test's own, removed when the test lets go of it.
package final class ScratchDirectory: Sendable {
    /// Where it is.
    package let path: FilePath

    /// Makes an empty directory below `/tmp`.
    package init() throws {
        path = FilePath("/tmp/understudy-test-\(UInt64.random(in: 0...UInt64.max))")
        try Files.makeDirectory(path, mode: 0o700)
    }

    deinit {
        // A test that made something unremovable has failed already; the directory is left for a look.
        try? Files.removeTree(path)
    }

    /// The path of a name in it.
    package func appending(_ name: String) -> FilePath {
        path.appending(name)
    }
}
