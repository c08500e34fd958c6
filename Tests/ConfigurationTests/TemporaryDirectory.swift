import FileTree
import SystemPackage

/// Runs `body` with a directory of its own, which is removed afterwards.
func withTemporaryDirectory<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
    let name = "understudy-configuration-\(UInt64.random(in: 0...UInt64.max))"
    try Files.makeDirectory(FilePath("/tmp").appending(name), mode: 0o700)
    let directory = try Files.resolved(FilePath("/tmp").appending(name))
    let result = Swift.Result { try body(directory) }
    try Files.removeTree(directory)
    return try result.get()
}

/// Makes a file, and the directories above it.
func makeFile(_ path: FilePath, _ text: String = "") throws {
    try Files.makeDirectories(path.removingLastComponent())
    try Files.replace(path, with: Array(text.utf8))
}
