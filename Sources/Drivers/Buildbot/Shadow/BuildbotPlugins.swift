internal import FileTree
internal import FoundationEssentials
internal import Judge
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// Which packages a master works with: those that are to be, those of a shadow that serves, and those of production.
extension BuildbotShadow {
    /// What they are called.
    private static let kind = "package"

    func plannedPlugins(in room: any ShadowRoom) async throws -> PluginSet? {
        guard room.copy.staged.root("environment") != nil else { return nil }
        return PluginSet(kind: Self.kind, versions: try await installed(in: room))
    }

    func plugins(in room: any ShadowRoom) async throws -> PluginSet? {
        try report(room).map { report in
            PluginSet(kind: Self.kind, versions: report.plugins.versions, idle: report.plugins.idle)
        }
    }

    func production(beside plugins: PluginSet, pages: [ObjectName]) async throws -> ProductionView {
        guard let environment = driver.environment else {
            return ProductionView(plugins: nil, place: "the system file names no environment")
        }
        let copies = try await copies(in: environment)
        // Its configuration may put the master's directory first or last; which copy it took is in its memory alone.
        let seen = copies.reduce(into: [String: String]()) { seen, copy in
            let wanted = plugins.versions[copy.key]
            seen[copy.key] = copy.value.first { $0 == wanted } ?? copy.value.first
        }
        var place = "\(counted(seen.count, "package")) in \(environment)"
        var missing: [ObjectName] = []
        if let url = driver.component.text("url"), !pages.isEmpty {
            let probe = HTTPProbe(url, limit: .seconds(30))
            let index = try await probe.get("/")
            if let generation = Self.generation(ofPage: index.body), index.status == 200 {
                for page in pages where page.name != "/" {
                    if try await script(of: page.name, probe) != generation { missing.append(page) }
                }
                place += ", \(counted(pages.count, "page")) at \(url)"
            } else {
                place += "; the pages at \(url) were not seen, which answers \(index.status) to '/'"
            }
        }
        return ProductionView(
            plugins: PluginSet(kind: Self.kind, versions: seen), missingPages: missing, place: place)
    }

    /// The versions of each package that the running master can find, the one that Python takes by itself first.
    private func copies(in environment: FilePath) async throws -> [String: [String]] {
        let question = """
            import importlib.metadata, json, re, sys
            copies = {}
            for d in importlib.metadata.distributions(path=[p for p in sys.path if p] + [sys.argv[1]]):
                if d.metadata['Name']:
                    copies.setdefault(re.sub('[-_.]+', '-', d.metadata['Name']).lower(), []).append(d.version)
            print('\\x01' + json.dumps(copies), end='')
            """
        var variables: [String: String] = [:]
        let process = try BuildbotProcesses(directory: driver.master).running().first
        if let process, let path = try BuildbotProcesses.variable("PYTHONPATH", of: process) {
            variables["PYTHONPATH"] = path
        }
        let outcome = try await python(["-c", question, driver.master.string], environment, variables)
            .runSuccessfully()
        guard let start = outcome.output.lastIndex(of: "\u{1}") else {
            throw DriverFailure(
                "\(environment)/bin/python does not list its packages: \(outcome.output.suffix(500))",
                hint: "run it by hand")
        }
        return try JSONDecoder().decode(
            [String: [String]].self, from: Data(outcome.output[start...].dropFirst().utf8))
    }

    /// A run of production's Python, as the user whose the master is.
    func python(
        _ arguments: [String], _ environment: FilePath, _ variables: [String: String] = [:]
    ) throws -> Program {
        var variables = variables
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        let status = try Files.status(driver.master)
        if let status, let account = ThisHost.account(status.owner) {
            variables.merge(["HOME": account.home, "USER": account.name, "LOGNAME": account.name]) { $1 }
        }
        let user = status.flatMap {
            ThisHost.isRoot && $0.owner != 0 ? (owner: $0.owner, group: $0.group) : nil
        }
        return Program(
            environment.appending("bin/python").string, arguments, environment: variables,
            directory: driver.master, user: user, limit: .seconds(600))
    }
}
