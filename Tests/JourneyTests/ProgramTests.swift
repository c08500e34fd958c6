import Programs
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
}
