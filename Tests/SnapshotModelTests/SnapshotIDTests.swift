import SnapshotModel
import Testing

@Suite struct SnapshotIDTests {
    @Test func anIDIsItsTimeAndFourDigits() {
        let id = SnapshotID(seconds: 1_795_469_400, random: 0x1f)
        #expect(id.description == "20261123T213000Z-001f")
        #expect(id.time == "2026-11-23T21:30:00Z")
        #expect(SnapshotID(id.description) == id)
        #expect(id < SnapshotID(seconds: 1_795_469_401, random: 0))
    }

    @Test(
        arguments: [
            "", "20261123T213000Z", "20261123T213000Z-001", "20261123T213000Z-001F", "20261123t213000Z-001f",
            "20261123T213000Z-001f ", "2026112xT213000Z-001f", "20261123T213000Z_001f",
            "20261123T213000Z-001é",
        ])
    func whatIsNoIDIsRefused(_ text: String) {
        #expect(SnapshotID(text) == nil)
    }
}
