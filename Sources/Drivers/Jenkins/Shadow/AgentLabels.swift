internal import FileTree
internal import SystemPackage
internal import XML

/// The names and labels of production's agents, also of those that a cloud would make: a build that asks for one of them waits for ever
/// where nobody has it.
struct AgentLabels {
    private var atoms: Set<String> = []

    /// Those of nobody.
    init() {}

    /// Those that a text has as Jenkins keeps them.
    init(_ text: String) {
        add(text)
    }

    /// Those of the agents that a home has in files of their own.
    init(home: FilePath) throws {
        let nodes = home.appending("nodes")
        guard try Files.status(nodes)?.kind == .directory else { return }
        for name in try Files.names(nodes) {
            let directory = nodes.pushing(FilePath(bytes: name))
            let file = directory.appending("config.xml")
            guard try Files.status(directory)?.kind == .directory, try Files.status(file)?.kind == .file
            else { continue }
            do {
                add(agent: try XMLOutline(document: try Files.read(file)), 0)
            } catch is XMLError {
                // Jenkins is shown no agent there either, and who makes the plan says so.
                continue
            }
        }
    }

    /// Those that the templates of a home's clouds give to the agents that they make.
    init(cloudsOf home: FilePath) throws {
        let file = home.appending("config.xml")
        guard try Files.status(file)?.kind == .file else { return }
        let outline: XMLOutline
        do {
            outline = try XMLOutline(document: try Files.read(file))
        } catch is XMLError {
            // Jenkins is shown no clouds there either, and who makes the plan says so.
            return
        }
        var rest = outline.children(of: outline.root, named: "clouds").flatMap(\.children)
        while let index = rest.popLast() {
            let element = outline.elements[index]
            if Self.templateFields.contains(element.name), element.children.isEmpty { add(element.text) }
            rest += element.children
        }
    }

    /// What plugins call the labels of a template: Kubernetes and ECS, Docker and Google's, EC2 and Azure.
    private static let templateFields: Set = ["label", "labelString", "labels"]

    /// With those of others.
    func adding(_ others: AgentLabels) -> AgentLabels {
        var labels = self
        labels.atoms.formUnion(others.atoms)
        return labels
    }

    /// With those that stand in the root configuration: the controller's own, and of agents of old.
    func adding(root document: DocumentEdit) -> AgentLabels {
        var labels = self
        let outline = document.outline
        for element in document.children("label") { labels.add(element.text) }
        for agents in document.children("slaves") {
            for index in agents.children { labels.add(agent: outline, index) }
        }
        return labels
    }

    /// As Jenkins keeps them; the same for the same labels.
    var text: String { atoms.sorted().joined(separator: " ") }

    private mutating func add(agent outline: XMLOutline, _ index: Int) {
        let agent = outline.elements[index]
        for name in outline.children(of: agent, named: "name") where !name.text.isEmpty {
            let isPlain = !name.text.contains { $0.isWhitespace || $0 == "\"" }
            if isPlain { add(name.text) } else { add("\"\(name.text.filter { $0 != "\"" })\"") }
        }
        for label in outline.children(of: agent, named: "label") { add(label.text) }
    }

    /// Takes what stands between blanks that are not in quotes.
    private mutating func add(_ text: String) {
        var isQuoted = false
        for atom in text.split(whereSeparator: { character in
            if character == "\"" { isQuoted.toggle() }
            return character.isWhitespace && !isQuoted
        }) {
            atoms.insert(String(atom))
        }
    }
}
