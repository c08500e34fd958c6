internal import SnapshotModel
internal import XML

/// What is changed in which configuration, beside its secrets: the table of hazards, as code.
struct DocumentRules {
    private typealias Note = NeutralisationPlan.Note

    /// Classes of the core that let the shadow's user in, and nobody else.
    static let ownLogin = [
        "hudson.security.FullControlOnceLoggedInAuthorizationStrategy",
        "hudson.security.HudsonPrivateSecurityRealm",
    ]

    /// What agents of production are called and labelled: builds that ask for one of these run on the controller.
    var labels = AgentLabels()

    func apply(to document: inout DocumentEdit) {
        let names = document.path.components.map { String(decoding: $0, as: UTF8.self) }
        guard names.count > 1 else {
            if names.first == "config.xml" { root(&document) } else { global(&document, names.first ?? "") }
            return
        }
        guard names.last == "config.xml" else { return }
        switch names[0] {
        case "jobs": item(&document)
        case "nodes": agent(document.outline.root, &document)
        default: break
        }
    }

    // MARK: - The root configuration

    private func root(_ document: inout DocumentEdit) {
        let count = document.children("clouds").reduce(0) { $0 + $1.children.count }
        // Written alike whatever stood there: a change of it alone is then seen to leave nothing.
        document.setChild(
            "clouds", written: "<clouds></clouds>", Note(hazard: .clouds, what: "\(count) taken out"))
        for agents in document.children("slaves") {
            for index in agents.children { agent(document.outline.elements[index], &document) }
        }
        let login = Note(
            hazard: .login, what: "one user, by API token, in place of production's realm and rights")
        document.setChild("useSecurity", written: "<useSecurity>true</useSecurity>", login)
        document.setChild(
            "authorizationStrategy",
            written:
                "<authorizationStrategy class=\"\(Self.ownLogin[0])\">"
                + "<denyAnonymousReadAccess>true</denyAnonymousReadAccess></authorizationStrategy>", login)
        document.setChild(
            "securityRealm",
            written: "<securityRealm class=\"\(Self.ownLogin[1])\">"
                + "<disableSignup>true</disableSignup><enableCaptcha>false</enableCaptcha></securityRealm>",
            login)
        document.setChild(
            "numExecutors", written: "<numExecutors>2</numExecutors>",
            Note(hazard: .executors, what: "two, on the controller"))
        let own = Note(hazard: .executors, what: "the controller builds for the labels of all agents")
        document.setChild("mode", written: "<mode>NORMAL</mode>", own)
        let text = ShadowUsers.escaped(labels.adding(root: document).text)
        document.setChild("label", written: "<label>\(text)</label>", own)
        document.setChild(
            "slaveAgentPort", written: "<slaveAgentPort>-1</slaveAgentPort>",
            Note(hazard: .agents, what: "no port for agents"))
        let outside = Note(hazard: .outside, what: "builds and workspaces are kept in the home")
        for builds in document.children("buildsDir") {
            document.set(builds, to: "${ITEM_ROOTDIR}/builds", outside)
        }
        for workspaces in document.children("workspaceDir") {
            document.set(workspaces, to: "${JENKINS_HOME}/workspace/${ITEM_FULL_NAME}", outside)
        }
    }

    // MARK: - Items

    private func item(_ document: inout DocumentEdit) {
        for element in document.outline.elements where element.name == "triggers" {
            let kinds = element.children.map { document.outline.elements[$0].name }
            document.empty(
                element,
                Note(hazard: .triggers, what: "\(kinds.count) taken out (\(kinds.joined(separator: ", ")))"))
        }
    }

    // MARK: - Agents

    private func agent(_ agent: XMLOutline.Element, _ document: inout DocumentEdit) {
        let note = Note(hazard: .agents, what: "waits to be connected to, and nobody does")
        for launcher in document.outline.children(of: agent, named: "launcher") {
            document.replace(launcher.whole, by: "<launcher class=\"hudson.slaves.JNLPLauncher\"/>", note)
        }
        for strategy in document.outline.children(of: agent, named: "retentionStrategy") {
            document.replace(
                strategy.whole, by: "<retentionStrategy class=\"hudson.slaves.RetentionStrategy$Always\"/>",
                note)
        }
    }

    // MARK: - Global configuration

    private func global(_ document: inout DocumentEdit, _ name: String) {
        if name == "jenkins.model.JenkinsLocationConfiguration.xml" {
            let note = Note(hazard: .identity, what: "the address is shadow.invalid")
            for address in document.children("jenkinsUrl") {
                document.set(address, to: "http://shadow.invalid/", note)
            }
            for address in document.children("adminAddress") {
                document.set(address, to: "shadow@shadow.invalid", note)
            }
        }
        for element in document.outline.elements
        where ["smtpHost", "smtpServer"].contains(element.name) && element.children.isEmpty {
            document.set(
                element, to: "shadow.invalid", Note(hazard: .mail, what: "the server is shadow.invalid"))
        }
    }
}
