internal import ArgumentParser
internal import Configuration
internal import FileTree
internal import Sealing
internal import SystemPackage

/// The option of every command that can open what is sealed.
struct IdentityOption: ParsableArguments {
    @Option(
        name: .long,
        help:
            "A file with the recovery key, an age identity; - for standard input; default: $UNDERSTUDY_IDENTITY.",
        completion: .file())
    var identity: String?

    /// The identities that were given, nil when none were.
    func read() throws -> [Identity]? {
        let variable = environment("UNDERSTUDY_IDENTITY").flatMap { $0.isEmpty ? nil : $0 }
        guard let name = identity ?? variable else { return nil }
        guard !holdsSecretKey(name) else {
            throw CommandFailure(
                .usage,
                identity == nil
                    ? "a secret key was given in $UNDERSTUDY_IDENTITY instead of the path of its file"
                    : "a secret key was given instead of the path of its file: other users may have seen it in the process list",
                hint:
                    "put it into a file that only you can read, and give the path; where others may have seen it, "
                    + "'understudy key rotate --generate FILE' makes another")
        }
        if name == "-" {
            let bytes =
                Terminal.isInput
                ? try Terminal.secret("recovery key: ") : try Terminal.input(limit: IdentityFile.limit)
            return try identities(bytes, "standard input")
        }
        let bytes: [UInt8]
        do {
            bytes = try Files.read(FilePath(name), limit: IdentityFile.limit)
        } catch {
            throw CommandFailure(
                .noKeyFits, "there is no identity: \(error)",
                hint:
                    "give a file with the recovery key that you may read; what another program prints is given by "
                    + "standard input: PROGRAM | understudy … --identity -",
                path: name)
        }
        return try identities(bytes, name)
    }

    private func identities(_ bytes: [UInt8], _ name: String) throws -> [Identity] {
        try IdentityFile.identities(bytes, name: name) { try Terminal.secret("passphrase of \(name): ") }
    }
}
