internal import SnapshotModel

/// The classes of a JENKINS_HOME, after the layout facts in docs/jenkins.md.
///
/// Patterns are anchored by the role of a directory, never by a name alone: a job may be called `workspace` or `target`.
/// Items nest as `jobs/NAME` and `branches/NAME`, in any depth.
enum JenkinsClasses {
    private static let item = "(jobs/*|branches/*|promotions/*|configurations/*|modules/*)*"

    /// The rows, the first match wins; what no row knows is state: captured, and not in history.
    static let home = Classification(
        secrets + plugins + derived + items + FilesDriver.keyRules + builds + FilesDriver.databaseRules
            + configuration,
        defaultClass: .state)

    /// The core: one file.
    static let war = Classification([], defaultClass: .plugin)

    private static let secrets: [Classification.Rule] = [
        // Keys of before a re-keying: what they opened is readable by whoever has them (CVE-2017-1000362).
        .init("jenkins.security.RekeySecretAdminMonitor/backups/**", .derived),
        .init("secrets/initialAdminPassword", .derived),
        .init("secrets/atomic*tmp", .derived),
        .init("secrets/**", .secret), .init("identity.key.enc", .secret), .init("secret.key", .secret),
        .init(".ssh/**", .secret), .init(".gnupg/**", .secret), .init(".docker/config.json", .secret),
        .init(".kube/**", .secret), .init(".aws/**", .secret), .init(".m2/settings*.xml", .secret),
        .init(".subversion/auth/**", .secret), .init(".gradle/gradle.properties", .secret),
        .init("subversion.credentials", .secret), .init(".gem/credentials", .secret),
        .init(".nuget/NuGet/NuGet.Config", .secret), .init(".config/gcloud/**", .secret),
        .init(".local/share/keyrings/**", .secret), .init(".password-store/**", .secret),
    ]

    private static let plugins: [Classification.Rule] = [
        .init("plugins/*.jpi", .plugin), .init("plugins/*.hpi", .plugin), .init("plugins/*.jpl", .plugin),
        .init("plugins/*.hpl", .plugin), .init("plugins/*.disabled", .plugin),
        .init("plugins/*.pinned", .plugin),
        .init("plugins/*.version_from_image", .plugin), .init("plugins/*.bak", .plugin),
        .init("plugins/*.tmp", .derived),
        // Exploded from the archive beside it, and exploded anew when it is missing.
        .init("plugins/*/", .derived),
    ]

    private static let derived: [Classification.Rule] = [
        .init("war/", .derived), .init("updates/", .derived), .init("cache/", .derived),
        .init("caches/", .derived),
        .init("workspace/", .derived), .init("workspaces/", .derived), .init("tools/", .derived),
        .init("logs/", .derived), .init("*.log", .derived), .init("*.log.*", .derived),
        .init("support/", .derived),
        .init("monitoring/", .derived), .init("fileParameterValueFiles/", .derived),
        .init(".owner", .derived),
        .init(".lastStarted", .derived), .init("failed-boot-attempts.txt", .derived),
        .init("queue.xml.bak", .derived), .init("copy_reference_file.log", .derived),
        .init(".cache/", .derived),
        // Beside what these tools fetch lie settings that people wrote.
        .init(".java/fonts/", .derived), .init(".groovy/grapes/", .derived),
        .init(".gradle/caches/", .derived), .init(".gradle/wrapper/", .derived),
        .init(".gradle/daemon/", .derived), .init(".gradle/native/", .derived),
        .init(".gradle/.tmp/", .derived), .init(".gradle/jdks/", .derived),
        .init(".npm/", .derived),
        .init("org.jenkinsci.plugins.github_branch_source.GitHubSCMProbe.cache/", .derived),
        .init("atomic*tmp", .derived), .init("\(item)/atomic*tmp", .derived),
        .init("\(item)/builds/atomic*tmp", .derived), .init("\(item)/builds/*/atomic*tmp", .derived),
        .init("users/*/atomic*tmp", .derived), .init("nodes/*/atomic*tmp", .derived),
        .init("\(item)/workspace/", .derived), .init("\(item)/workspace@*/", .derived),
        .init("\(item)/indexing/", .derived), .init("\(item)/computation/", .derived),
    ]

    // What names keys by themselves comes after them: a job, or an agent, may be called as a key is.
    private static let items: [Classification.Rule] = [
        .init("\(item)/config.xml", .config), .init("\(item)/name-utf8.txt", .config),
        .init("\(item)/nextBuildNumber", .state), .init("\(item)/builds/*/build.xml", .state),
        .init("\(item)/builds/*/log", .bulk), .init("nodes/*/config.xml", .config),
        .init("users/*/config.xml", .config),
    ]

    private static let builds: [Classification.Rule] = [
        .init("\(item)/builds/*/log*", .bulk), .init("\(item)/builds/*/archive/**", .bulk),
        .init("\(item)/builds/*/timestamper/**", .bulk), .init("\(item)/builds/**", .state),
    ]

    private static let configuration: [Classification.Rule] = [
        .init("nodeMonitors.xml", .state), .init("queue.xml", .state), .init("queue/**", .state),
        .init("org.jenkinsci.plugins.workflow.flow.FlowExecutionList.xml", .state),
        .init("hudson.model.UpdateCenter.xml", .config), .init("*.xml", .config), .init("*.yaml", .config),
        .init("*.yml", .config), .init("*.groovy", .config), .init("init.groovy.d/**", .config),
        .init("boot-failure.groovy.d/**", .config), .init("casc_configs/**", .config),
        .init("jenkins.install.*", .config), .init("secret.key.not-so-secret", .config),
        .init("nodes/**", .config), .init("users/**", .config), .init("userContent/**", .config),
        .init("log/**", .config), .init("email-templates/**", .config), .init("*-whitelist.txt", .config),
        .init("config-history/**", .bulk), .init("fingerprints/**", .bulk), .init(".gitconfig", .config),
    ]
}
