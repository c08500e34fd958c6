/// The names of the directories in which a restore makes what it brings and keeps what was there before, beside production or in
/// a root that is a mount point: `.understudy-20261129T010203Z-1a2b-0`.
///
/// What has `-kept` behind that is people's: it is captured, and restored, as any other directory.
package enum StagingName {
    private static let prefix = ".understudy-"
    private static let idLength = 21

    /// The name of directory `number` of what brings `snapshot`.
    package static func name(_ snapshot: String, _ number: Int) -> String { "\(prefix)\(snapshot)-\(number)" }

    /// Whether a name is one of these.
    package static func isOne(_ name: some RandomAccessCollection<UInt8>) -> Bool {
        guard name.count > prefix.utf8.count + idLength, name.starts(with: prefix.utf8) else { return false }
        let rest = name.dropFirst(prefix.utf8.count)
        let number = rest.dropFirst(idLength + 1)
        return rest.dropFirst(idLength).first == UInt8(ascii: "-") && !number.isEmpty
            && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && SnapshotID(String(decoding: rest.prefix(idLength), as: UTF8.self)) != nil
    }
}
