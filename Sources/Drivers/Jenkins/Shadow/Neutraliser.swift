internal import Cryptography
internal import FileTree
internal import SnapshotModel
package import SystemPackage
internal import XML

/// Works out what has to change in the copy of a home so that a shadow may boot from it.
///
/// Nothing of production's is trusted to stay quiet: what would run, connect, send or log in by itself is taken out before the
/// first boot, because scripts at the start come too late, and no secret of production's stays. Whether one is left is looked for by the
/// caller, who refuses then. The isolation of the shadow does not depend on any of this.
package struct Neutraliser: Sendable {
    private let keys: ShadowKeys
    /// The labels that clouds give to agents, nil for those of the home's own clouds.
    var cloudLabels: AgentLabels?

    /// A neutraliser for the shadows of one experiment.
    package init(keys: ShadowKeys) {
        self.keys = keys
    }

    /// The plan for a directory; empty when it is neutralised already.
    package func plan(for home: FilePath) throws -> NeutralisationPlan {
        var plan = NeutralisationPlan(edits: [], notCovered: [])
        let own = try ownFiles(home)
        let clouds = try cloudLabels ?? AgentLabels(cloudsOf: home)
        let rules = DocumentRules(labels: try AgentLabels(home: home).adding(clouds))
        try HomeFiles(home: home).walk { found in try look(at: found, own, rules, &plan) }
        for (path, file) in own {
            let place = FilePath(bytes: home.byteArray + [UInt8(ascii: "/")] + path.bytes)
            if try Files.status(place)?.kind == .file, try Files.read(place) == file.contents { continue }
            plan.edits.append(
                .init(path: path, action: .write(file.contents, mode: file.mode), notes: [file.note]))
        }
        plan.edits.sort { $0.path < $1.path }
        plan.notCovered.sort()
        return plan
    }

    // MARK: - Files of the shadow's own

    private struct OwnFile {
        var contents: [UInt8]
        var mode: UInt16
        var note: NeutralisationPlan.Note
    }

    private func ownFiles(_ home: FilePath) throws -> [EntryPath: OwnFile] {
        let chain = NeutralisationPlan.Note(hazard: .identity, what: "a key of the shadow's own")
        var own = [
            EntryPath("secrets/master.key"): OwnFile(contents: keys.masterKey, mode: 0o600, note: chain),
            EntryPath("secrets/hudson.util.Secret"): OwnFile(
                contents: keys.wrappedSecret, mode: 0o600, note: chain),
        ]
        let login = NeutralisationPlan.Note(hazard: .login, what: "the user '\(keys.user)' is known")
        for (path, contents) in try ShadowUsers(keys: keys).files(in: home) {
            own[path] = OwnFile(contents: contents, mode: 0o600, note: login)
        }
        return own
    }

    // MARK: - What is there

    /// Looks at one path, and says whether to look below it.
    private func look(
        at found: HomeFiles.Found, _ own: [EntryPath: OwnFile], _ rules: DocumentRules,
        _ plan: inout NeutralisationPlan
    ) throws -> Bool {
        if found.status.kind == .link { return try link(found, own, &plan) }
        if own[found.path] != nil { return false }
        // Files of our own stand in these.
        if found.path == EntryPath("secrets"), found.status.kind == .directory { return true }
        if let note = Self.removal(of: found) {
            plan.edits.append(.init(path: found.path, action: .remove, notes: [note]))
            if note.hazard == .configurationAsCode {
                plan.notCovered.append("\(found.path): configuration as code is not applied")
            }
            return false
        }
        guard found.status.kind == .file, found.entryClass != .plugin else {
            return found.status.kind == .directory
        }
        if found.isConfiguration {
            try document(found, rules, &plan)
        } else if found.status.size <= Self.textLimit {
            try text(found, &plan)
        }
        return false
    }

    /// A link is never followed; where we write, none may lie in the way.
    private func link(
        _ found: HomeFiles.Found, _ own: [EntryPath: OwnFile], _ plan: inout NeutralisationPlan
    ) throws -> Bool {
        if own.keys.contains(where: { $0.isAtOrBelow(found.path) }) || Self.removal(of: found) != nil {
            plan.edits.append(
                .init(
                    path: found.path, action: .remove,
                    notes: [.init(hazard: .outside, what: "a link to another place")]))
            return false
        }
        let target = try Files.linkTarget(found.place)
        if target.starts(with: "/".utf8) || target.starts(with: "../".utf8) {
            plan.notCovered.append(
                "\(found.path): it is a link to \(printable(target)), which the shadow does not see")
        }
        return false
    }

    /// How large a file may be whose text is looked through; what is larger is no setting, and is left to the final scan.
    private static let textLimit: Int64 = 16 << 20

    private func document(
        _ found: HomeFiles.Found, _ rules: DocumentRules, _ plan: inout NeutralisationPlan
    ) throws {
        let bytes = try Files.read(found.place)
        var document: DocumentEdit
        do {
            document = try DocumentEdit(found.path, bytes)
        } catch let error as XMLError {
            guard bytes != Self.unreadable else { return }
            // Jenkins' parser stops at the end of the root and would take what ours refuses: so that nobody can read it.
            let note = NeutralisationPlan.Note(
                hazard: .unreadable, what: "made unreadable for certain; it was so at \(error)")
            plan.edits.append(
                .init(path: found.path, action: .write(Self.unreadable, mode: 0o600), notes: [note]))
            plan.notCovered.append("\(found.path): it is no XML that can be looked into")
            return
        }
        if Self.isMachineOfCloud(document) {
            plan.edits.append(
                .init(
                    path: found.path.parent, action: .remove,
                    notes: [.init(hazard: .clouds, what: "an agent that a cloud made")]))
            return
        }
        if found.path == EntryPath("config.xml") {
            // Without their plugin Jenkins does not start at all: that is left to the prediction.
            for name in ["authorizationStrategy", "securityRealm"] {
                guard let kind = document.children(name).first?.attribute("class"),
                    !DocumentRules.ownLogin.contains(kind)
                else { continue }
                plan.notCovered.append("config.xml: production's \(name) (\(kind)) is not loaded")
            }
        }
        rules.apply(to: &document)
        document.mask(keys)
        if let edit = document.edit(digest: hex(SHA256.digest(bytes))) { plan.edits.append(edit) }
    }

    /// What takes the place of a document that is none.
    private static let unreadable = Array("<?xml version='1.1' encoding='UTF-8'?>\n<unreadable>\n".utf8)

    private static func isMachineOfCloud(_ document: DocumentEdit) -> Bool {
        let names = document.path.components
        return names.count == 3 && names[0].elementsEqual("nodes".utf8)
            && names[2].elementsEqual("config.xml".utf8) && document.outline.root.name != "slave"
    }

    private func text(_ found: HomeFiles.Found, _ plan: inout NeutralisationPlan) throws {
        let bytes = try Files.read(found.place)
        // What is no text is not changed; keys in it are found by the final scan.
        guard !bytes.contains(0) else { return }
        let splices = SecretText(bytes, keys: keys, place: found.path.description).splices()
        guard !splices.isEmpty else { return }
        plan.edits.append(
            .init(
                path: found.path, action: .splice(splices, digest: hex(SHA256.digest(bytes))),
                notes: [.init(hazard: .secrets, what: "masked")]))
    }
}

extension Neutraliser {
    /// Whether no shadow has a file of the home, because it goes, or a directory that it is in.
    static func takesOut(_ file: EntryPath) -> Bool {
        var path = EntryPath.root
        for name in file.components {
            path = path.appending(name)
            let isDirectory = path != file
            let entryClass = JenkinsClasses.home.entryClass(of: path, isDirectory: isDirectory)
            if removal(of: path, entryClass, isBuilds: isDirectory && HomeFiles.isBuilds(path)) != nil {
                return true
            }
        }
        return false
    }

    /// Whether configuration as code, which no shadow applies, may be in a file: it can be kept anywhere in the home, and what is
    /// gone may have been some; `contents` is nil for that.
    static func isConfigurationAsCode(_ file: EntryPath, _ contents: [UInt8]?) -> Bool {
        let name = String(decoding: file.name, as: UTF8.self).lowercased()
        guard name.hasSuffix(".yaml") || name.hasSuffix(".yml") else { return false }
        guard let contents else { return true }
        // It is not parsed: the change may be what breaks it.
        let keys = ["jenkins", "unclassified", "credentials", "security", "tool", "jobs"]
        return contents.split(whereSeparator: { $0 == 10 || $0 == 13 }).contains { line in
            let text = String(decoding: line, as: UTF8.self).filter { !"\"'\u{feff}".contains($0) }
            return text.hasPrefix("{")
                || keys.contains {
                    text.hasPrefix($0) && text.dropFirst($0.count).drop { $0 == " " }.first == ":"
                }
        }
    }

    private static func removal(of found: HomeFiles.Found) -> NeutralisationPlan.Note? {
        removal(of: found.path, found.entryClass, isBuilds: found.isBuilds)
    }

    /// Why a path goes, nil when it stays.
    private static func removal(
        of path: EntryPath, _ entryClass: EntryClass, isBuilds: Bool
    ) -> NeutralisationPlan.Note? {
        let names = path.components.map { String(decoding: $0, as: UTF8.self) }
        if names.count == 1, let (hazard, what) = topLevel[names[0]] {
            return .init(hazard: hazard, what: what)
        }
        if isBuilds {
            return .init(hazard: .pipelines, what: "builds; the next number stays")
        }
        switch entryClass {
        case .secret: return .init(hazard: .secrets, what: "taken out")
        case .derived: return .init(hazard: .leftovers, what: "Jenkins makes it again")
        case .bulk: return .init(hazard: .leftovers, what: "only grows")
        default: return nil
        }
    }

    private static let topLevel: [String: (NeutralisationPlan.Hazard, String)] = [
        "queue.xml": (.queue, "taken out"), "queue.xml.bak": (.queue, "taken out"),
        "queue": (.queue, "taken out"),
        "org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml": (.pipelines, "those that would go on"),
        "identity.key.enc": (.identity, "Jenkins makes a new one"),
        "secret.key": (.identity, "Jenkins makes a new one"),
        "secret.key.not-so-secret": (.identity, "belongs to secret.key"),
        "jenkins.security.RekeySecretAdminMonitor": (.secrets, "old keys and what they opened"),
        "proxy.xml": (.proxy, "taken out"),
        "jenkins.yaml": (.configurationAsCode, "taken out"),
        "jenkins.yml": (.configurationAsCode, "taken out"),
        "casc_configs": (.configurationAsCode, "taken out"),
        "io.jenkins.plugins.casc.CasCGlobalConfig.xml": (
            .configurationAsCode, "names files that would be applied"
        ),
    ]
}
