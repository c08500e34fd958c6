internal import FileTree
internal import SystemPackage
internal import XML

/// The names and labels of production's agents: a build that asks for one of them waits for ever where nobody has it.
struct AgentLabels {
    private var atoms: Set<String> = []

    /// Those of nobody.
    init() {}

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

    /// As Jenkins keeps it, escaped for XML; the same for the same labels.
    var text: String {
        ShadowUsers.escaped(atoms.sorted().joined(separator: " "))
    }

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
