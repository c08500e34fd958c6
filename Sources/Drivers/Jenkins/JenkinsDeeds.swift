internal import Glibc
internal import SnapshotModel
internal import XML

/// What the plugin Job Configuration History wrote down of a job or of the whole system: `config-history/**/history.xml`.
///
/// Its times are those of the controller's clock and zone, which is taken to be this host's.
struct JenkinsDeeds {
    /// What was done, in no order.
    private(set) var deeds: [Deed] = []

    init(of kind: String, _ name: String, in source: any FileSource) throws {
        let directory: EntryPath
        switch kind {
        case "job":
            let path = name.split(separator: "/").map { "jobs/\($0)" }.joined(separator: "/")
            directory = EntryPath("config-history/\(path)")
        case "system": directory = EntryPath("config-history/config")
        case "node": directory = EntryPath("config-history/nodes/\(name)")
        default: return
        }
        try read(directory, source)
        // What was deleted is kept beside, under a name with the time of its end.
        let mark = Array(directory.name) + "_deleted_".utf8
        for (other, isDirectory) in try source.names(root: "home", directory: directory.parent)
        where isDirectory && other.starts(with: mark) {
            try read(directory.parent.appending(other), source)
        }
    }

    private mutating func read(_ directory: EntryPath, _ source: any FileSource) throws {
        for (name, isDirectory) in try source.names(root: "home", directory: directory) where isDirectory {
            guard
                let bytes = try source.contents(
                    root: "home", path: directory.appending(name).appending("history.xml")),
                let entry = NormalXML.read(bytes).element
            else { continue }
            let stamp = entry.child("timestamp")?.text ?? String(decoding: name, as: UTF8.self)
            guard let time = Self.seconds(stamp) else { continue }
            func text(_ key: String) -> String { printable((entry.child(key)?.text ?? "").utf8) }
            let user = text("user")
            let id = text("userId")
            deeds.append(
                Deed(
                    time: time, what: text("operation"),
                    who: user == id || id.isEmpty ? user : "\(user) (\(id))",
                    why: text("changeReasonComment"),
                    was: text("oldName").isEmpty ? nil : text("oldName")))
        }
    }

    /// `2026-11-26_07-00-00` in seconds since 1970.
    private static func seconds(_ stamp: String) -> Int64? {
        let numbers = stamp.split { $0 == "-" || $0 == "_" }.compactMap { Int32($0) }
        guard numbers.count == 6 else { return nil }
        var parts = unsafe tm()
        unsafe parts.tm_year = numbers[0] - 1900
        unsafe parts.tm_mon = numbers[1] - 1
        unsafe parts.tm_mday = numbers[2]
        unsafe parts.tm_hour = numbers[3]
        unsafe parts.tm_min = numbers[4]
        unsafe parts.tm_sec = numbers[5]
        unsafe parts.tm_isdst = -1
        let time = unsafe mktime(&parts)
        return time == -1 ? nil : Int64(time)
    }
}
