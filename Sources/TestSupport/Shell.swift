internal import Programs
package import SystemPackage

/// Runs a script with bash in a directory and returns what it prints; a command that fails ends it, and so does a variable
/// that is not set.
///
/// Throws a ``ProgramFailure`` with the last of its complaints when its status is not 0, and one when it does not end in time.
@discardableResult
package func shell(
    _ script: String, in directory: FilePath, limit: Duration = .seconds(120)
) async throws -> String {
    try await Program(
        "/bin/bash", ["-euc", script], directory: directory, limit: limit, outputLimit: 1 << 26
    ).runSuccessfully().output
}
