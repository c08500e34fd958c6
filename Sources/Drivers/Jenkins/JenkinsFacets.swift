internal import Cryptography
internal import SnapshotModel
internal import XML

/// What people see in a configuration of Jenkins: triggers, parameters, steps, the script.
///
/// What Jenkins rewrites by itself is not in it: versions of plugins, marks that a build of a declarative pipeline leaves, when somebody
/// logged in last. Nor is an order that means nothing.
struct JenkinsFacets {
    /// The facets, in the order of the document.
    private(set) var facets: [Inventory.Facet] = []

    /// A fingerprint of all that these say.
    var digest: String {
        let lines = facets.map { facet in
            [facet.aspect, facet.name, facet.value].map { "\($0.utf8.count):\($0)" }.joined()
        }
        let ordered = zip(facets, lines).filter(\.0.isOrdered).map(\.1)
        let others = zip(facets, lines).filter { !$0.0.isOrdered }.map(\.1).sorted()
        return hex(SHA256.digest(Array((ordered + others).joined(separator: "\n").utf8)))
    }

    /// Those of a job or folder.
    init(job root: XMLElement) {
        for attribute in root.attributes where attribute.name != "plugin" {
            add("setting", attribute.name, attribute.value)
        }
        if !root.text.allSatisfy(\.isWhitespace) { add("setting", "text", root.text) }
        for child in root.children {
            switch child.name {
            case "actions":
                for action in child.children where !action.name.hasPrefix(Self.declarative) {
                    add("action", Self.short(action), Self.flat(action))
                }
            case "description": add("description", "", child.text)
            case "triggers": addAll("trigger", child)
            case "builders", "prebuilders", "postbuilders": addAll("step", child, isOrdered: true)
            case "publishers": addAll("publisher", child)
            case "buildWrappers": addAll("wrapper", child)
            case "scm": addLeaves("source", Self.short(child), child)
            case "script": add("script", "", child.text)
            case "definition": add(definition: child)
            case "properties": for property in child.children { add(property: property) }
            default: addLeaves("setting", child.name, child)
            }
        }
    }

    /// Those of an agent.
    init(node root: XMLElement) {
        for child in root.children where child.name != "temporaryOfflineCause" {
            addLeaves("setting", child.name, child)
        }
    }

    /// Those of a user: values of most properties are secrets, or as good as that.
    init(user root: XMLElement) {
        for child in root.children {
            guard child.name == "properties" else {
                add("setting", child.name, Self.flat(child))
                continue
            }
            for property in child.children where !property.name.hasSuffix("LastGrantedAuthoritiesProperty") {
                let isPublic = property.name.hasSuffix("Mailer_-UserProperty")
                add("property", Self.short(property), Self.flat(property), isHidden: !isPublic)
            }
        }
    }

    /// Those of the root configuration, without its views and rights, which are items of their own.
    init(system root: XMLElement) {
        for child in root.children where !["version", "views"].contains(child.name) {
            switch child.name {
            case "authorizationStrategy", "securityRealm":
                add("setting", child.name, Self.short(child))
                var rest = child
                rest.children.removeAll { $0.name == "permission" || $0.name == "roleMap" }
                // A realm may hold the password that it asks a directory with.
                add(
                    "setting", "\(child.name) of that kind", Self.flat(rest),
                    isHidden: child.name == "securityRealm")
            case "clouds": addAll("cloud", child)
            default: addLeaves("setting", child.name, child)
            }
        }
    }

    // MARK: Parts

    private static let declarative = "org.jenkinsci.plugins.pipeline.modeldefinition.actions.Declarative"

    private mutating func add(
        _ aspect: String, _ name: String, _ value: String, isOrdered: Bool = false, isHidden: Bool = false
    ) {
        facets.append(
            .init(
                aspect, printable(name.utf8), value, isOrdered: isOrdered,
                isHidden: isHidden || SecretField(name, in: []).isSecret || Self.isSecret(value)))
    }

    private mutating func addAll(_ aspect: String, _ container: XMLElement, isOrdered: Bool = false) {
        for child in container.children {
            // The one text that most steps and triggers consist of is shown as it is.
            guard let main = ["command", "script", "spec"].compactMap({ child.child($0) }).first else {
                if isOrdered {
                    // Where the order counts, all of a step is one.
                    add(aspect, Self.short(child), Self.flat(child), isOrdered: true)
                } else {
                    addLeaves(aspect, Self.short(child), child)
                }
                continue
            }
            add(aspect, Self.short(child), main.text, isOrdered: isOrdered)
            for rest in child.children where rest.name != main.name {
                addLeaves("\(aspect) setting", "\(Self.short(child)) \(rest.name)", rest)
            }
        }
    }

    /// Adds each text below an element under the names that lead to it.
    private mutating func addLeaves(_ aspect: String, _ name: String, _ element: XMLElement) {
        guard !element.children.isEmpty else { return add(aspect, name, Self.flat(element)) }
        let attributes = element.attributes.filter { $0.name != "plugin" && $0.name != "class" }
        for attribute in attributes { add(aspect, "\(name) \(attribute.name)", attribute.value) }
        if !element.text.allSatisfy(\.isWhitespace) { add(aspect, name, element.text) }
        for child in element.children {
            let word = child.name.contains(".") ? Self.short(child) : child.name
            let kind = child.attribute("class").map { " \(Self.short(name: $0))" } ?? ""
            addLeaves(aspect, "\(name) \(word)\(kind)", child)
        }
    }

    private mutating func add(definition: XMLElement) {
        let kind = definition.attribute("class").map(Self.short(name:)) ?? "definition"
        for child in definition.children {
            switch child.name {
            case "script": add("script", "", child.text)
            case "scm": addLeaves("source", Self.short(child), child)
            default: addLeaves("setting", "\(kind) \(child.name)", child)
            }
        }
        add("setting", "definition", kind)
    }

    private mutating func add(property: XMLElement) {
        if property.name.hasSuffix("ParametersDefinitionProperty") {
            for parameter in property.child("parameterDefinitions")?.children ?? [] {
                let name = parameter.child("name")?.text ?? ""
                add("parameter", name, Self.short(parameter))
                var rest = parameter
                rest.children.removeAll { $0.name == "name" }
                if parameter.name.contains("Password") {
                    add("parameter", "\(name) value", Self.flat(rest), isHidden: true)
                } else {
                    for child in rest.children { addLeaves("parameter", "\(name) \(child.name)", child) }
                }
            }
        } else if property.name.hasSuffix("PipelineTriggersJobProperty") {
            if let triggers = property.child("triggers") { addAll("trigger", triggers) }
        } else if property.name.contains("AuthorizationMatrixProperty") {
            for child in property.children {
                child.name == "permission"
                    ? add("right", child.text, "") : add("setting", "rights \(child.name)", Self.flat(child))
            }
        } else if property.name.contains("Credential") {
            // Credentials of a folder are items of their own, told by id.
            add("property", Self.short(property), Self.flat(property), isHidden: true)
        } else {
            addLeaves("property", Self.short(property), property)
        }
    }

    // MARK: Text

    /// The last word of a class: `TimerTrigger` of `hudson.triggers.TimerTrigger`.
    private static func short(_ element: XMLElement) -> String {
        short(name: element.attribute("class") ?? element.name)
    }

    private static func short(name: String) -> String {
        String(name.split(separator: ".").last ?? "").replacing("_-", with: "$").replacing("__", with: "_")
    }

    /// All that an element says, on one line where its texts are.
    private static func flat(_ element: XMLElement) -> String {
        let attributes = element.attributes.filter { $0.name != "plugin" }.sorted { $0.name < $1.name }
            .map { "\($0.name)=\($0.value)" }
        guard !element.children.isEmpty else {
            return (attributes + (element.text.isEmpty ? [] : [element.text])).joined(separator: " ")
        }
        let own = element.text.allSatisfy(\.isWhitespace) ? [] : [element.text]
        let children = element.children.map { child in
            let value = flat(child)
            return child.children.isEmpty ? "\(child.name)=\(value)" : "\(child.name)(\(value))"
        }
        return (attributes + own + children).joined(separator: " ")
    }

    /// Whether a text holds what Jenkins has encrypted.
    private static func isSecret(_ value: String) -> Bool { value.contains("{AQAAA") }
}

/// Who may do what, of a root configuration: users and groups by name, roles with their members.
struct JenkinsRights {
    /// The items.
    let items: [Inventory.Item]

    /// Reads `authorizationStrategy` of a file; strategies that keep rights elsewhere, or give everybody all, have no items.
    init(_ root: XMLElement?, of file: EntryPath) {
        guard let strategy = root?.child("authorizationStrategy") else {
            items = []
            return
        }
        var rights: [String: [Inventory.Facet]] = [:]
        for element in strategy.children where element.name == "permission" {
            // USER:hudson.model.Item.Build:alice, and before that without USER.
            let words = element.text.split(separator: ":", omittingEmptySubsequences: false)
            guard let who = words.last, words.count >= 2 else { continue }
            let kind = words.count > 2 && words[0] == "GROUP" ? "group " : ""
            rights["\(kind)\(who)", default: []].append(.init("right", String(words[words.count - 2]), ""))
        }
        var items = rights.map { name, facets in
            Self.item(
                "rights", name, facets, detail: counted(facets.count, "right"),
                file)
        }
        for map in strategy.children where map.name == "roleMap" {
            for role in map.children {
                let facets =
                    (role.child("permissions")?.children ?? []).map { Inventory.Facet("right", $0.text, "") }
                    + (role.child("assignedSIDs")?.children ?? []).map {
                        Inventory.Facet("member", $0.text, $0.attribute("type") ?? "")
                    }
                let name = "\(map.attribute("type") ?? "")/\(role.attribute("name") ?? "")"
                items.append(Self.item("role", name, facets, detail: role.attribute("pattern") ?? "", file))
            }
        }
        self.items = items
    }

    private static func item(
        _ kind: String, _ name: String, _ facets: [Inventory.Facet], detail: String, _ file: EntryPath
    ) -> Inventory.Item {
        let words = facets.map { "\($0.aspect) \($0.name) \($0.value)" }.sorted().joined(separator: "\n")
        var item = Inventory.Item(
            kind: kind, name: printable(name.utf8), digest: hex(SHA256.digest(Array(words.utf8))),
            detail: detail, files: [file])
        item.facets = facets
        return item
    }
}
