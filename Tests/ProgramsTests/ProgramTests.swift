import FileTree
import Programs
import SystemPackage
import Testing

/// Other programs, as they end.
@Suite struct ProgramTests {
    @Test func aProgramMayEndBeforeItHasReadItsInput() async throws {
        let input = [UInt8](repeating: 0x61, count: 1 << 20)
        for _ in 0..<20 {
            #expect(try await Program("true", [], input: input).run().status == 0)
        }
        let counted = try await Program("wc", ["-c"], input: input).runSuccessfully()
        #expect(counted.output == "1048576\n")
        #expect(try await Program("cat", []).runSuccessfully().output == "")
    }

    @Test func whatAProgramSaysIsOneLineWithoutItsIndentation() async throws {
        let failure = await #expect(throws: ProgramFailure.self) {
            try await Program("sh", ["-c", "printf 'no server\\n\\tIs it  running?\\n' >&2; exit 2"])
                .runSuccessfully()
        }
        #expect(failure?.description == "sh ended with status 2: no server; Is it running?")
    }

    /// The first account of this host that is named in the list of a group which is not its own.
    private static let member: (name: String, user: UInt32, group: UInt32)? = {
        func rows(_ path: FilePath) -> [[String]] {
            // A host without the file has nobody to try it with.
            let text = (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return text.split(separator: "\n").map {
                $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            }
        }
        let members = Set(
            rows("/etc/group").flatMap { $0.last?.split(separator: ",").map(String.init) ?? [] })
        return rows("/etc/passwd").first { $0.count > 3 && $0[2] != "0" && members.contains($0[0]) }
            .flatMap { row in
                UInt32(row[2]).flatMap { user in UInt32(row[3]).map { (row[0], user, $0) } }
            }
    }()

    @Test(
        .enabled(
            if: Accounts.ownNumbers.user == 0 && member != nil,
            "SKIPPED: it takes root, and an account with more than one group"))
    func aProgramOfAnotherUserHasItsGroupsOnlyWhenToldSo() async throws {
        let (name, user, group) = try #require(Self.member)
        var program = Program("id", ["-G"], user: (owner: user, group: group))
        #expect(try await program.runSuccessfully().output == "\(group)\n")
        program.hasGroupsOfUser = true
        #expect(
            try await program.runSuccessfully().output
                == Program("id", ["-G", name]).runSuccessfully().output)
    }
}
