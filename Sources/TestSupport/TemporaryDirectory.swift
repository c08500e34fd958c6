internal import FileTree
package import SystemPackage

/// Runs `body` with a new directory of its own, and removes the directory with all in it afterwards.
package func withTemporaryDirectory<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
    let directory = try makeTemporaryDirectory()
    let result: Result
    do {
        result = try body(directory)
    } catch {
        // What the test found is what to tell.
        try? Files.removeTree(directory)
        throw error
    }
    try Files.removeTree(directory)
    return result
}

/// Runs `body` with a new directory of its own, and removes the directory with all in it afterwards.
package func withTemporaryDirectory<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result
{
    let directory = try makeTemporaryDirectory()
    let result: Result
    do {
        result = try await body(directory)
    } catch {
        // What the test found is what to tell.
        try? Files.removeTree(directory)
        throw error
    }
    try Files.removeTree(directory)
    return result
}

private func makeTemporaryDirectory() throws -> FilePath {
    let name = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let directory = FilePath("/tmp/understudy-\(name)")
    try Files.makeDirectory(directory, mode: 0o700)
    return directory
}
