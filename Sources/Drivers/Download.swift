internal import Cryptography
internal import FileTree
internal import Programs
internal import SystemPackage

/// Fetches a file by way of curl.
struct Download {
    private let address: String
    private let limit: Int
    private let digest: String?

    /// A file of at most `limit` bytes; `digest` is the SHA-256 that it has to have in hexadecimal digits, nil when nobody
    /// says.
    init(_ address: String, limit: Int, digest: String? = nil) {
        self.address = address
        self.limit = limit
        self.digest = digest
    }

    /// Fetches it; whoever finds the file at the path finds the whole of it, and the right one.
    func run(to path: FilePath) async throws {
        let beside = path.removingLastComponent().appending(".fetching")
        let lines = [
            "url = \(quoted(address))", "output = \(quoted(beside.string))", "silent", "show-error", "fail",
            "location", "globoff", "proto = \"=http,https\"", "proto-redir = \"=http,https\"",
            "connect-timeout = 20", "max-time = 900", "max-filesize = \(limit)", "retry = 2",
        ]
        let outcome = try await Program(
            "curl", ["--disable", "--config", "-"], input: Array((lines.joined(separator: "\n") + "\n").utf8),
            limit: .seconds(1800)
        ).run()
        guard outcome.status == 0 else {
            try Files.remove(beside)
            throw DriverFailure(
                // curl says it again with each try.
                "\(address) cannot be fetched: \(outcome.errorOutput.split(whereSeparator: \.isNewline).last ?? "curl status \(outcome.status)")",
                hint: "give another address with --index, or what is needed with --archives and --offline")
        }
        let found = hex(SHA256.digest(try Files.read(beside, limit: limit)))
        guard digest == nil || digest == found else {
            try Files.remove(beside)
            throw DriverFailure(
                "\(address) is not what was published: its SHA-256 is \(found), and \(digest ?? "") is promised",
                hint: "try again; a mirror that goes on so is not to be trusted")
        }
        try Files.rename(beside, to: path)
    }
}
