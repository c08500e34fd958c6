internal import FileTree
internal import Programs
internal import Sealing
internal import SystemPackage

/// The key that an argument spells, or that is in the file which it names.
func signerKey(_ argument: String) throws -> SignerKey {
    if let key = SignerKey(argument) { return key }
    let text = try Files.readIfPresent(FilePath(argument), limit: 1 << 16).map {
        String(decoding: $0, as: UTF8.self)
    }
    let line = text?.split(whereSeparator: \.isNewline).first.map(String.init)
    guard let line, let key = SignerKey(line) else {
        throw CommandFailure(
            .usage, "'\(argument)' is neither a public Ed25519 key of OpenSSH nor a file with one",
            hint: "give 'ssh-ed25519 AAAA…', or the .pub file that ssh-keygen wrote")
    }
    return key
}

/// The public half of the key in a file; the key is made there when nothing stands at the path.
func signingKey(at path: FilePath) async throws -> SignerKey {
    if try !Files.exists(path) {
        try Files.makeDirectories(path.removingLastComponent())
        do {
            try await Program(
                "ssh-keygen",
                ["-q", "-t", "ed25519", "-N", "", "-C", "understudy@\(hostName())", "-f", path.string]
            ).runSuccessfully()
        } catch let error as ProgramFailure {
            throw CommandFailure(
                .failed, "no key can be made: \(error)",
                hint: "apt-get install openssh-client, or name a key that is there", path: path.string)
        }
    }
    let half = path.extension == "pub" ? path : FilePath(path.string + ".pub")
    guard try Files.exists(half) else {
        throw CommandFailure(
            .usage, "the public half of \(path) is not beside it",
            hint: "write it: ssh-keygen -y -f \(path) > \(half)")
    }
    return try signerKey(half.string)
}
