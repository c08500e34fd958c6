internal import Cryptography
internal import SnapshotModel
internal import XML

/// Jobs, plugins, users, nodes, views and credentials of a home, in the words of its users.
///
/// The source may be narrowed to what differs, so a folder's own config.xml need not be there for its children to be.
struct JenkinsInventory {
    private(set) var inventory = Inventory()
    private let source: any FileSource

    init(_ source: any FileSource) throws {
        self.source = source
        try addPlugins()
        try addItems(in: .root, name: "")
        try addFiles("users", kind: "user")
        try addFiles("nodes", kind: "node")
        try addSystem()
        try addCredentials(EntryPath("credentials.xml"), store: "system")
    }

    /// The contents of a file that is an item of a kind, and may hold any number of others; that it is sealed is kept.
    private mutating func contents(
        _ path: EntryPath, _ kind: String?, holding others: [String] = []
    ) throws -> [UInt8]? {
        if let bytes = try source.contents(root: "home", path: path) { return bytes }
        if try source.hides(root: "home", path: path) {
            inventory.sealed.append(.init(file: path, kind: kind, others: others))
        }
        return nil
    }

    private func directories(_ path: EntryPath) throws -> [[UInt8]] {
        try source.names(root: "home", directory: path).filter(\.isDirectory).map(\.name)
    }

    private mutating func addPlugins() throws {
        guard let bytes = try source.lock(PluginsLock.name) else { return }
        for row in PluginsLock(bytes).rows where !row.flags.contains("not-loaded") {
            inventory.items.append(
                .init(
                    kind: row.name == PluginsLock.core ? "core" : "plugin", name: row.name,
                    version: row.version,
                    digest: row.digest, detail: row.flags.joined(separator: ", "),
                    files: [EntryPath(row.origin), EntryPath(row.origin + ".disabled")]))
        }
    }

    /// Adds the items of a directory: `jobs/NAME` and, in a multibranch project, `branches/NAME`.
    private mutating func addItems(in parent: EntryPath, name prefix: String) throws {
        for container in ["jobs", "branches"] {
            let directory = parent.appending(container)
            for child in try directories(directory) {
                let path = directory.appending(child)
                let config = path.appending("config.xml")
                var title = printable(child)
                if let bytes = try source.contents(root: "home", path: path.appending("name-utf8.txt")) {
                    // A branch's directory is a mangled name; this file holds the true one.
                    title = printable(bytes.filter { $0 != UInt8(ascii: "\n") })
                }
                let name = prefix.isEmpty ? title : "\(prefix)/\(title)"
                if let bytes = try contents(config, "job", holding: ["credential"]) {
                    let reading = NormalXML.read(bytes)
                    var detail = Self.kind(reading.root)
                    if reading.element?.child("disabled")?.text == "true" { detail += ", disabled" }
                    add(
                        .init(
                            kind: "job", name: name, digest: reading.digest, detail: detail, files: [config]),
                        reading.element.map { JenkinsFacets(job: $0) })
                    if let element = reading.element { addFolderCredentials(element, store: name, config) }
                }
                try addItems(in: path, name: name)
            }
        }
    }

    /// What people call an item by the root element of its configuration.
    static func kind(_ root: String?) -> String {
        switch root {
        case nil: "unreadable XML"
        case "project": "freestyle"
        case "flow-definition": "pipeline"
        case "com.cloudbees.hudson.plugins.folder.Folder": "folder"
        case "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject": "multibranch"
        case "jenkins.branch.OrganizationFolder": "organization folder"
        case "maven2-moduleset": "maven"
        case "matrix-project": "matrix"
        case let other?: other
        }
    }

    /// Adds users or nodes: `users/NAME/config.xml`.
    private mutating func addFiles(_ container: String, kind: String) throws {
        for name in try directories(EntryPath(container)) {
            let path = EntryPath(container).appending(name).appending("config.xml")
            guard let bytes = try contents(path, kind) else { continue }
            let reading = NormalXML.read(bytes)
            let title = reading.element?.child(kind == "user" ? "id" : "name")?.text ?? ""
            add(
                .init(
                    kind: kind, name: title.isEmpty ? printable(name) : printable(title.utf8),
                    digest: reading.digest,
                    detail: Self.detail(of: kind, root: reading.root), files: [path]),
                reading.element.map { kind == "user" ? JenkinsFacets(user: $0) : JenkinsFacets(node: $0) })
        }
    }

    /// What is out of the ordinary about a user or a node; only agents that people made are called `slave`.
    private static func detail(of kind: String, root: String?) -> String {
        guard let root else { return "unreadable XML" }
        return kind == "node" && root != "slave" ? "made by a cloud" : ""
    }

    /// Adds the views that the root configuration lists.
    private mutating func addSystem() throws {
        let path = EntryPath("config.xml")
        guard let bytes = try contents(path, "system", holding: ["view", "role", "rights"]) else { return }
        let reading = NormalXML.read(bytes)
        for view in reading.element?.child("views")?.children ?? [] {
            guard let name = view.child("name")?.text, !name.isEmpty else { continue }
            inventory.items.append(
                .init(kind: "view", name: printable(name.utf8), digest: digest(view), files: [path]))
        }
        inventory.items += JenkinsRights(reading.element, of: path).items
        add(
            .init(
                kind: "system", name: "config.xml", digest: reading.digest,
                detail: reading.root == nil ? "unreadable XML" : "", files: [path]),
            reading.element.map { JenkinsFacets(system: $0) })
    }

    /// Adds an item with what its users see in it; what cannot be read is compared by its bytes.
    private mutating func add(_ item: Inventory.Item, _ facets: JenkinsFacets?) {
        var item = item
        if let facets {
            item.facets = facets.facets
            item.digest = facets.digest
        }
        inventory.items.append(item)
    }

    private mutating func addCredentials(_ path: EntryPath, store: String) throws {
        guard let bytes = try contents(path, nil, holding: ["credential"]) else { return }
        let reading = NormalXML.read(bytes)
        guard let element = reading.element else {
            inventory.items.append(
                .init(
                    kind: "credential", name: store, digest: reading.digest, detail: "unreadable XML",
                    files: [path]))
            return
        }
        addCredentials(element, store: store, file: path)
    }

    private mutating func addFolderCredentials(_ element: XMLElement, store: String, _ file: EntryPath) {
        for property in element.child("properties")?.children ?? []
        where property.name.contains("FolderCredentialsProperty") {
            addCredentials(property, store: store, file: file)
        }
    }

    /// Adds every element that has an id and a scope or secret beside it; never a value.
    private mutating func addCredentials(_ element: XMLElement, store: String, file: EntryPath) {
        for child in element.children {
            if let id = child.child("id")?.text, !id.isEmpty, child.children.count > 1 {
                inventory.items.append(
                    .init(
                        kind: "credential", name: "\(store)/\(printable(id.utf8))", digest: digest(child),
                        detail: child.name.split(separator: ".").last.map(String.init) ?? child.name,
                        files: [file]))
            } else {
                addCredentials(child, store: store, file: file)
            }
        }
    }

    private func digest(_ element: XMLElement) -> String {
        var text: [UInt8] = []
        func append(_ element: XMLElement) {
            text += Array("<\(element.name)>\(element.text.utf8.count):\(element.text)".utf8)
            for child in element.children { append(child) }
        }
        append(element)
        return hex(SHA256.digest(text))
    }
}
