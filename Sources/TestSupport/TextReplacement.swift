internal import FileTree
package import SystemPackage

/// Replaces a text wherever it stands in a file.
///
/// Throws a ``FixtureFailure`` when it stands nowhere: no test goes on with something that it did not arrange.
package func replaceText(_ old: String, with new: String, in file: FilePath) throws {
    let text = String(decoding: try Files.read(file), as: UTF8.self)
    guard text.contains(old) else { throw FixtureFailure("\(file) does not hold '\(old)'") }
    try Files.replace(file, with: Array(text.replacing(old, with: new).utf8))
}

extension CommandLineRunner {
    /// Describes more components in the system file, before those that are there.
    package func describe(_ components: String) throws {
        try replaceText(
            "components:\n", with: "components:\n\(components)", in: directory.appending("understudy.yaml"))
    }
}
