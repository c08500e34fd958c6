package import SystemPackage

/// What a proposed change does besides the files that it brings: `change.yaml`, at the top of its tree.
package struct ChangeFile: Hashable, Sendable {
    /// The keys of the file; each may be left out.
    package enum Key: String, CaseIterable, Sendable {
        case component, packages, removePackages, removeFiles, removes
    }

    /// The name of the file in the change's tree.
    package static let fileName = "change.yaml"

    /// The component that is changed; nil when the file does not say.
    package var component: String?
    /// The versions that plugins or packages are to have, by name.
    package var packages: [String: String]
    /// Plugins or packages that are to go.
    package var removePackages: [String]
    /// Files that are to go, as `ROOT/PATH`.
    package var removeFiles: [String]
    /// What is to be gone afterwards, and is no surprise: `KIND:NAME`.
    package var removes: [String]

    /// A file with these values.
    package init(
        component: String?, packages: [String: String] = [:], removePackages: [String] = [],
        removeFiles: [String] = [], removes: [String] = []
    ) {
        self.component = component
        self.packages = packages
        self.removePackages = removePackages
        self.removeFiles = removeFiles
        self.removes = removes
    }

    /// The file: for equal values the same bytes.
    package var text: String {
        var lines: [String] = []
        if let component { lines.append("\(Key.component.rawValue): \(scalar(component))") }
        if !packages.isEmpty {
            lines.append("\(Key.packages.rawValue):")
            lines += packages.sorted { $0.key < $1.key }.map { "  \(scalar($0.key)): \(scalar($0.value))" }
        }
        for (key, items) in [
            (Key.removePackages, removePackages), (.removeFiles, removeFiles), (.removes, removes),
        ] where !items.isEmpty {
            lines.append("\(key.rawValue):")
            lines += items.sorted().map { "  - \(scalar($0))" }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// What `text` spells; `path` is the file's name in messages.
    package static func parse(_ text: String, path: FilePath) throws(SystemFileFailure) -> ChangeFile {
        let root: DocumentNode?
        do throws(DocumentFailure) {
            root = try Document.read(text)
        } catch {
            throw SystemFileFailure(path: path, problems: error.problems)
        }
        guard let root else { return ChangeFile(component: nil) }
        var reader = ChangeFileReader()
        let file = reader.file(of: root)
        return try reader.document.finish(file, path: path)
    }
}

/// Turns the document of a change into its values.
private struct ChangeFileReader {
    /// What was found wrong so far.
    var document = DocumentReader()

    /// The values, nil when something is so wrong that there are none.
    mutating func file(of root: DocumentNode) -> ChangeFile? {
        let fields = document.fields(
            of: root, what: "the change", allowed: ChangeFile.Key.allCases.map(\.rawValue))
        guard let fields = fields?.known else { return nil }
        var file = ChangeFile(component: nil)
        for key in ChangeFile.Key.allCases {
            guard let node = fields[key.rawValue]?.value else { continue }
            switch key {
            case .component: file.component = document.text(node, expected: "the name of a component")
            case .packages: file.packages = packages(node)
            case .removePackages: file.removePackages = texts(node, "the name of a plugin or package")
            case .removeFiles: file.removeFiles = texts(node, "a file, ROOT/PATH") { $0.contains("/") }
            case .removes:
                file.removes = texts(node, "what goes on purpose, KIND:NAME") { $0.contains(":") }
            }
        }
        return file
    }

    private mutating func packages(_ node: DocumentNode) -> [String: String] {
        let pairs = document.pairs(of: node, expected: "plugins or packages and their versions") ?? []
        var packages: [String: String] = [:]
        for (name, position, value) in pairs {
            guard !name.isEmpty, !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
            else {
                document.refuse("found '\(shortened(name))', expected the name of a package", at: position)
                continue
            }
            let expected = "the version of \(shortened(name)) as text"
            guard let version = document.text(value, expected: expected, isQuoted: true) else { continue }
            if packages.updateValue(version, forKey: name) != nil {
                document.refuse("found '\(shortened(name))' twice, expected it once", at: position)
            }
        }
        return packages
    }

    private mutating func texts(
        _ node: DocumentNode, _ expected: String, _ isFine: (String) -> Bool = { _ in true }
    ) -> [String] {
        let items = document.list(node, expected: "a list") ?? []
        return items.compactMap { item in
            guard let text = document.text(item, expected: expected) else { return nil }
            guard isFine(text) else {
                document.refuse(item, expected: expected)
                return nil
            }
            return text
        }
    }
}
