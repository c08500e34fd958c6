import SnapshotModel
import Testing

@Suite struct CountedTests {
    @Test(arguments: [
        (1, "repository", "1 repository"), (4, "repository", "4 repositories"), (0, "boot", "0 boots"),
        (2, "key", "2 keys"), (2, "builder", "2 builders"),
    ]) func oneIsOneAndAllElseAreSeveral(_ number: Int, _ noun: String, _ words: String) {
        #expect(counted(number, noun) == words)
    }
}
