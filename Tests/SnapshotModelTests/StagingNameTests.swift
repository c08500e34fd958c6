import SnapshotModel
import Testing

@Suite struct StagingNameTests {
    @Test(arguments: [
        (StagingName.name("20261129T010203Z-1a2b", 0), true),
        (".understudy-20261129T010203Z-1a2b-12", true),
        (".understudy-20261129T010203Z-1a2b-12-kept", false), (".understudy-20261129T010203Z-1a2b-", false),
        (".understudy-20261129T010203Z-1a2b", false), (".understudy-20261129T010203Z-1a2b_0", false),
        (".understudy-20261129T010203Z-1A2B-0", false), (".understudy-x", false), ("understudy", false),
        ("", false),
        (".understudy-0123456789012345678901-", false),
    ]) func onlyWhatARestoreCallsSoIsOurs(_ name: String, _ isOurs: Bool) {
        #expect(StagingName.isOne(Array(name.utf8)) == isOurs)
    }
}
