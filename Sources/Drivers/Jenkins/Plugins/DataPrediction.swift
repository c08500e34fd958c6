package import SnapshotModel

/// Which settings of a home the predicted plugins cannot read: what the first save of an object would lose for good.
///
/// Jenkins writes the plugin and its version beside everything a plugin wrote (`plugin="git@5.2.1"`), and passes over what it
/// has no class for. Builds are not looked at: Jenkins does not report them either.
package struct DataPrediction: Hashable, Sendable {
    /// What is wrong with a plugin's settings.
    package enum Kind: String, Hashable, Sendable {
        /// The plugin will not be there: its settings are passed over.
        case missing
        /// The plugin will be older than the one that wrote them: some may not be understood.
        case older
    }

    /// Settings that may be lost.
    package struct Loss: Hashable, Sendable {
        /// The plugin that wrote them.
        package var plugin: String
        /// What is wrong.
        package var kind: Kind
        /// The newest version that wrote any of them.
        package var version: String
        /// The version that will be there, nil when none will.
        package var predicted: String?
        /// What is affected in each file: classes, sorted.
        package var files: [EntryPath: Set<String>]
    }

    /// Settings that may be lost, sorted by plugin.
    package var losses: [Loss]
    /// Files that cannot be read as XML, and why: nothing is known of them.
    package var unreadable: [EntryPath: String]

    /// Holds what was read of a home against the plugins that will be there, given with their versions.
    package init(_ reading: HomeReading, loaded: [String: String]) {
        var written: [String: Loss] = [:]
        for file in reading.files {
            for mention in file.mentions { Self.add(mention, EntryPath(file.path), to: &written) }
        }
        unreadable = Dictionary(
            reading.files.compactMap { file in file.fault.map { (EntryPath(file.path), $0) } }
        ) { first, _ in first }
        losses = written.values.compactMap { loss in
            guard let version = loaded[loss.plugin] else { return loss }
            guard VersionNumber(version).isOlder(than: VersionNumber(loss.version)) else { return nil }
            var loss = loss
            loss.kind = .older
            loss.predicted = version
            return loss
        }.sorted { $0.plugin < $1.plugin }
    }

    private static func add(
        _ mention: HomeReading.Mention, _ path: EntryPath, to written: inout [String: Loss]
    ) {
        var loss =
            written[mention.plugin]
            ?? Loss(
                plugin: mention.plugin, kind: .missing, version: mention.version, predicted: nil, files: [:])
        if VersionNumber(loss.version).isOlder(than: VersionNumber(mention.version)) {
            loss.version = mention.version
        }
        loss.files[path, default: []].insert(mention.element)
        written[mention.plugin] = loss
    }
}

extension DataPrediction: CustomStringConvertible {
    /// A line for each plugin, then one for each file that cannot be read.
    package var description: String {
        let lost = losses.map { loss in
            let places = loss.files.keys.sorted()
            let some = places.prefix(3).map {
                "\($0) (\((loss.files[$0] ?? []).sorted().joined(separator: ", ")))"
            }
            let more = places.count > 3 ? " and \(places.count - 3) more" : ""
            let what =
                loss.predicted.map { "wrote settings, and \($0) will read them" }
                ?? "wrote settings, and will not be there"
            return "\(loss.plugin) \(loss.version) \(what): \(some.joined(separator: ", "))\(more)"
        }
        let unread = unreadable.sorted { $0.key < $1.key }.map { "\($0.key) cannot be read: \($0.value)" }
        return (lost + unread).joined(separator: "\n")
    }
}
