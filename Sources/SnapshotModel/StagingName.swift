/// The names of the directories in which a restore makes what it brings and keeps what was there before, beside production or in
/// a root that is a mount point: `.understudy-20261129T010203Z-1a2b-0`.
package enum StagingName {
    private static let prefix = ".understudy-"
    private static let idLength = 21

    /// The name of directory `number` of what brings `snapshot`.
    package static func name(_ snapshot: String, _ number: Int) -> String { "\(prefix)\(snapshot)-\(number)" }

    /// Whether a name is one of these; not one that has more behind it, as what is kept for people.
    package static func isOne(_ name: some RandomAccessCollection<UInt8>) -> Bool {
        guard name.starts(with: prefix.utf8) else { return false }
        let rest = name.dropFirst(prefix.utf8.count)
        let number = rest.dropFirst(idLength)
        return number.count > 1 && number.first == UInt8(ascii: "-")
            && number.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && SnapshotID(String(decoding: rest.prefix(idLength), as: UTF8.self)) != nil
    }
}
