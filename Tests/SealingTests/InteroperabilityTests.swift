import Cryptography
import FileTree
import Glibc
import Programs
import Sealing
import SystemPackage
import TestSupport
import Testing

/// Debian's `age` reads what we write, and we read what it writes.
@Suite struct InteroperabilityTests {
    private static let sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 3_000_001]

    /// Bytes that no two pieces of 64 KiB have in the same order: the period is prime.
    private func contents(_ count: Int) -> [UInt8] {
        let period = (0..<4_099).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
        return Array([[UInt8]](repeating: period, count: count / 4_099 + 1).joined().prefix(count))
    }

    private func age(_ arguments: String..., in directory: FilePath) async throws {
        try await Program("age", arguments, directory: directory, limit: .seconds(60)).runSuccessfully()
    }

    /// Runs age on a terminal of its own, and types the passphrase each time it is asked for.
    private func ageOnTerminal(_ arguments: String..., passphrase: String, in directory: FilePath)
        async throws
    {
        let outcome = try await PassphraseTerminal(passphrase: passphrase).run(
            ["age"] + arguments, in: directory)
        #expect(outcome.status == 0, "\(outcome.output)")
    }

    @Test(arguments: sizes, [false, true]) func aFileForRecipientsGoesBothWays(_ size: Int, isArmored: Bool)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let identity = Identity()
            let other = Identity()
            let plain = contents(size)
            try Files.replace(
                directory.appending("key"), with: Array(IdentityFile.text(identity, created: "now").utf8))
            let ours = try AgeWriter(recipients: [other.recipient, identity.recipient]).seal(plain)
            try Files.replace(directory.appending("ours"), with: isArmored ? Armor.encode(ours) : ours)
            // With -o this age makes no file for no contents.
            try await shell("age -d -i key ours >opened", in: directory)
            #expect(try Files.read(directory.appending("opened")) == plain)
            try Files.replace(directory.appending("plain"), with: plain)
            try await age(
                "-r", "\(other.recipient)", "-r", "\(identity.recipient)", isArmored ? "-a" : "-e", "-o",
                "theirs",
                "plain", in: directory)
            let theirs = try Files.read(directory.appending("theirs"))
            #expect(Armor.isArmored(theirs) == isArmored)
            for one in [identity, other] {
                let file = isArmored ? try Armor.decode(theirs) : theirs
                #expect(try AgeReader(identities: [Identity(), one]).open(file) == plain)
            }
        }
    }

    @Test(arguments: [false, true]) func aFileUnderAPassphraseGoesBothWays(isArmored: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let plain = contents(70_000)
            let passphrase = "correct horse battery staple"
            let ours = try AgeWriter(passphrase: Array(passphrase.utf8), workFactor: 10).seal(plain)
            try Files.replace(directory.appending("ours"), with: isArmored ? Armor.encode(ours) : ours)
            try await ageOnTerminal("-d", "-o", "opened", "ours", passphrase: passphrase, in: directory)
            #expect(try Files.read(directory.appending("opened")) == plain)
            try Files.replace(directory.appending("plain"), with: plain)
            try await ageOnTerminal(
                "-p", isArmored ? "-a" : "-e", "-o", "theirs", "plain", passphrase: passphrase, in: directory)
            let theirs = try Files.read(directory.appending("theirs"))
            let file = isArmored ? try Armor.decode(theirs) : theirs
            #expect(try AgeReader(passphrase: Array(passphrase.utf8)).open(file) == plain)
            let failure = #expect(throws: SealingFailure.self) {
                try AgeReader(passphrase: Array("another".utf8)).open(file)
            }
            #expect(failure?.code == .noKeyFits)
        }
    }

    @Test func keysOfAgeKeygenAreRead() async throws {
        let made = try await Program("age-keygen", []).runSuccessfully()
        let identities = try IdentityFile.identities(Array(made.output.utf8), name: "keys") { [] }
        #expect(identities.count == 1)
        #expect(made.errorOutput.contains("\(identities[0].recipient)"))
    }

    /// A gigabyte through writer and reader; the machine's memory does not see it.
    @Test(.enabled(if: unsafe getenv("UNDERSTUDY_TEST_LARGE") != nil, "SKIPPED: run make large"))
    func aGigabytePassesThroughWithoutBeingHeld() throws {
        let identity = Identity()
        let writer = try AgeWriter(recipients: [identity.recipient])
        let reader = AgeReader(identities: [identity])
        let piece = contents(1 << 20)
        var opened = 0
        let before = try residentPages()
        for _ in 0..<1024 {
            try unsafe piece.withUnsafeBytes { bytes in
                try unsafe writer.update(bytes) { sealed in
                    try unsafe reader.update(sealed) { opened += $0.count }
                }
            }
        }
        try unsafe writer.finish { sealed in try unsafe reader.update(sealed) { opened += $0.count } }
        try unsafe reader.finish { opened += $0.count }
        #expect(opened == 1 << 30)
        #expect(try residentPages() - before < 4096)
    }

    /// The same gigabyte by Debian's `age`, both ways; neither side has it in memory.
    @Test(.enabled(if: unsafe getenv("UNDERSTUDY_TEST_LARGE") != nil, "SKIPPED: run make large"))
    func aGigabyteGoesBothWays() async throws {
        try await withTemporaryDirectory { directory in
            let identity = Identity()
            try Files.replace(
                directory.appending("key"), with: Array(IdentityFile.text(identity, created: "now").utf8))
            let piece = contents(1 << 20)
            let before = try residentPages()
            let file = try FileDescriptor.open(
                directory.appending("ours"), .writeOnly, options: [.create], permissions: .ownerReadWrite)
            let writer = try AgeWriter(recipients: [identity.recipient])
            for _ in 0..<1024 {
                try unsafe piece.withUnsafeBytes { bytes in
                    try unsafe writer.update(bytes) { _ = try unsafe file.writeAll($0) }
                }
            }
            try unsafe writer.finish { _ = try unsafe file.writeAll($0) }
            try file.close()
            try Files.replace(directory.appending("piece"), with: piece)
            let script = """
                set -o pipefail; age -d -i key ours | tee >(age -r \(identity.recipient) >theirs) | sha256sum
                for i in $(seq 1024); do cat piece; done | sha256sum
                """
            let sums = try await shell(script, in: directory, limit: .seconds(300)).split(separator: "\n")
            #expect(sums.count == 2 && sums[0] == sums[1])
            // The process substitution may end a moment after its shell.
            let size = (1 << 30) + (1 << 14) * 16
            try await wait("the sealed file") {
                try Files.status(directory.appending("theirs")).map { $0.size >= Int64(size) } ?? false
            }
            let theirs = try FileDescriptor.open(directory.appending("theirs"), .readOnly)
            let reader = AgeReader(identities: [identity])
            var hash = SHA256()
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe theirs.read(into: $0) }
                guard count > 0 else { break }
                try unsafe buffer.withUnsafeBytes { bytes in
                    try unsafe reader.update(UnsafeRawBufferPointer(rebasing: bytes[..<count])) {
                        unsafe hash.update($0)
                    }
                }
            }
            try unsafe reader.finish { unsafe hash.update($0) }
            try theirs.close()
            #expect(sums.first?.hasPrefix(hex(hash.finish())) == true)
            #expect(try residentPages() - before < 4096)
        }
    }

    private func residentPages() throws -> Int {
        let text = String(decoding: try Files.read("/proc/self/statm"), as: UTF8.self)
        return try #require(Int(text.split(separator: " ")[1]))
    }
}
