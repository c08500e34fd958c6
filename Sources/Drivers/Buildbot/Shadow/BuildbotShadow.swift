internal import Judge
internal import FileTree
internal import FoundationEssentials
internal import Programs
internal import SQLite
internal import SnapshotModel
internal import SystemPackage

extension BuildbotDriver {
    /// How a master is rehearsed.
    package var shadow: (any ShadowDriver)? { BuildbotShadow(driver: self) }
}

/// A master in isolation: its workers run inside it, nothing is polled, scheduled or reported, and it is spoken to by a
/// Unix socket.
struct BuildbotShadow: ShadowDriver {
    /// The driver of the component.
    let driver: BuildbotDriver

    /// Workers' directories hold their passwords, and are not needed.
    var roots: Set<String> { ["master", "environment"] }

    func hostPlaces(_ copy: ShadowCopy) async throws -> [FilePath] {
        guard let lock = try lock(copy) else { return [] }
        return SystemPrograms.places(of: try Files.resolved(try await Interpreter.find(for: lock).path))
    }

    func rebuild(_ copy: ShadowCopy) async throws {
        try await driver.rebuild(copy.staged)
    }

    func recipe(_ copy: ShadowCopy) async throws -> [UInt8]? {
        guard let lock = try lock(copy), let root = copy.staged.root("environment"),
            root.root.kind == .rebuilt
        else { return nil }
        // The interpreter's own patches come with the host; where it stands decides whether its links lead anywhere.
        let interpreter = try Files.resolved(try await Interpreter.find(for: lock).path)
        let captured = copy.staged.captured.roots.first { $0.name == root.root.name }?.path ?? ""
        return Array([lock.text, root.root.path, captured, interpreter.string].joined(separator: "\0").utf8)
    }

    // MARK: - Harmless

    func neutralise(_ copy: ShadowCopy) async throws -> [Fix] {
        let master = try master(copy)
        // Nothing is written before it is certain that all of it stays in the copy.
        let tac = try master.place(of: "buildbot.tac")
        let state = try database(master)
        var fixes = try await driver.afterRestore(copy.staged)
        let configuration = try TacFile.read(in: master.staged)?.configurationFile ?? "master.cfg"
        guard configuration != ShadowConfiguration.name else { return fixes }
        try Files.replace(
            master.staged.appending(ShadowConfiguration.name),
            with: Array(
                ShadowConfiguration.text(
                    original: configuration, state: state, place: ShadowCopy.socketPlace.string,
                    database: database(of: copy)
                ).utf8))
        try Files.replace(
            tac, with: Array(ShadowConfiguration.tac(place: master.root.path).utf8))
        fixes.append(
            Fix(
                "master/buildbot.tac",
                "makes a master that runs \(configuration) and drops from its result schedulers by time and by change, "
                    + "change sources, reporters, remote workers, logins and secrets"))
        return fixes + (try emptyDatabase(state, of: master))
    }

    /// Takes out of the copied database what opens something and what no rehearsal needs.
    private func emptyDatabase(_ file: String, of master: StagedComponent.StagedRoot) throws -> [Fix] {
        let path = try master.place(of: FilePath(file))
        guard try Files.exists(path) else { return [] }
        let database = try Database(path, .writing)
        try database.execute("PRAGMA secure_delete = ON")
        try database.execute("BEGIN IMMEDIATE")
        try database.execute("DELETE FROM object_state WHERE name = 'session_secret'")
        if try database.hasTable("logchunks") { try database.execute("DELETE FROM logchunks") }
        if try database.hasTable("users") {
            try database.execute("UPDATE users SET bb_username = NULL, bb_password = NULL")
        }
        try database.execute("COMMIT")
        try database.execute("VACUUM")
        return [
            Fix(
                "master/\(path.lastComponent?.string ?? "")",
                "without the key of web logins, users' passwords and the text of build logs"
            )
        ]
    }

    // MARK: - Programs

    func preparations(_ copy: ShadowCopy) -> [Program] {
        // Migrates the copied database, as an upgrade in production would have to.
        [buildbot(["upgrade-master", "--quiet", "."], copy, limit: .seconds(180))]
    }

    func server(_ copy: ShadowCopy) -> Program {
        var program = script(
            "twistd", ["--nodaemon", "--no_save", "--pidfile=", "--python=buildbot.tac"], copy)
        program.limit = .seconds(24 * 3600)
        return program
    }

    /// A program of the Python environment, in the master's directory.
    func script(_ name: String, _ arguments: [String], _ copy: ShadowCopy) -> Program {
        let environment = copy.staged.root("environment")?.root.path
        let master = copy.staged.root("master")?.root.path ?? "/"
        let variables = [
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_NO_CACHE_DIR": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        ]
        guard let environment else {
            // Debian's interpreter has no other name.
            let name = name == "python" ? "python3" : name
            return Program(name, arguments, environment: variables, directory: FilePath(master))
        }
        let program = name == "python" ? [] : ["\(environment)/bin/\(name)"]
        return Program(
            "\(environment)/bin/python", program + arguments, environment: variables,
            directory: FilePath(master))
    }

    private func buildbot(_ arguments: [String], _ copy: ShadowCopy, limit: Duration) -> Program {
        var program = script("buildbot", arguments, copy)
        program.limit = limit
        return program
    }

    // MARK: - Before a boot

    func check(in room: any ShadowRoom) async throws -> StaticCheck {
        var observations = try await requirements(in: room)
        observations += try await entryPoints(in: room)
        let outcome = try await room.run(
            buildbot(["checkconfig", ShadowConfiguration.name], room.copy, limit: .seconds(180)))
        if outcome.status != 0 {
            let lines = PythonText.lines(outcome.output).map(String.init)
            let errors = TwistedLog.configurationErrors(outcome.output)
            let words = errors.isEmpty ? Array(lines.suffix(3)) : errors
            observations += words.map {
                Observation(
                    kind: "configuration", object: ObjectName("file", "master.cfg"), detail: $0,
                    lines: Array(lines.suffix(20)))
            }
        }
        return StaticCheck(
            checks: [
                "pip check: every requirement of every package", "every entry point of Buildbot loaded",
                "buildbot checkconfig",
            ], observations: observations)
    }

    private func requirements(in room: any ShadowRoom) async throws -> [Observation] {
        guard let program = try await pip(["check"], room.copy) else { return [] }
        let outcome = try await room.run(program)
        guard outcome.status != 0 else { return [] }
        let lines = PythonText.lines(outcome.output).map(String.init)
        let unmet = lines.filter { $0.contains(" requires ") || $0.contains(" has ") }
        guard !unmet.isEmpty else {
            let words = lines.last { !$0.isEmpty } ?? "status \(outcome.status)"
            return [
                Observation(
                    kind: "requirement", object: ObjectName("package", "pip"),
                    detail: "'pip check' does not run: \(words)", lines: lines.suffix(20))
            ]
        }
        return unmet.map {
            Observation(
                kind: "requirement", object: ObjectName("package", String($0.prefix { $0 != " " })),
                detail: $0)
        }
    }

    private func entryPoints(in room: any ShadowRoom) async throws -> [Observation] {
        struct Broken: Decodable {
            var group: String, name: String, package: String, error: String
        }
        let program = script("python", ["-c", Self.entryPointScript], room.copy)
        let outcome = try await room.run(program)
        guard let start = outcome.output.lastIndex(of: "\u{1}"), outcome.status == 0 else {
            return [
                Observation(
                    kind: "entry-points", object: ObjectName("package", "buildbot"),
                    detail: "the entry points cannot be listed",
                    lines: PythonText.lines(outcome.output).suffix(20).map(String.init))
            ]
        }
        let text = outcome.output[start...].dropFirst()
        return try JSONDecoder().decode([Broken].self, from: Data(text.utf8)).map {
            Observation(
                kind: "plugin-failed", object: ObjectName("package", $0.package),
                detail: "\($0.group) \($0.name): \($0.error)")
        }
    }

    private static let entryPointScript = """
        import importlib.metadata, json
        broken = []
        for distribution in importlib.metadata.distributions():
            for point in distribution.entry_points:
                if not point.group.startswith('buildbot.'):
                    continue
                try:
                    point.load()
                except BaseException as error:
                    broken.append({'group': point.group, 'name': point.name,
                        'package': distribution.metadata['Name'], 'error': '%s: %s' % (type(error).__name__, error)})
        broken.sort(key=lambda b: (b['package'], b['group'], b['name']))
        print('\\x01' + json.dumps(broken), end='')
        """

    // MARK: - The environment

    /// The lock of the environment, nil when the snapshot has none.
    func lock(_ copy: ShadowCopy) throws -> PythonLock? {
        guard let artifacts = copy.staged.artifacts,
            let bytes = try Files.readIfPresent(artifacts.appending(PythonLock.name))
        else { return nil }
        return try PythonLock(bytes)
    }

    /// A run of pip for the environment: its own where it has one, else the host's; nil when there is no environment.
    private func pip(_ arguments: [String], _ copy: ShadowCopy) async throws -> Program? {
        guard let lock = try lock(copy), let environment = copy.staged.root("environment") else { return nil }
        if let pip = lock.pip {
            var program = script("python", ["-m", "pip"] + arguments, copy)
            program.environment["PYTHONPATH"] =
                ShadowCopy.packagePlace.appending("snapshot").appending(
                    FilePath(pip.file).lastComponent?.string ?? ""
                ).string
            return program
        }
        var program = script("python", [], copy)
        program.name = try await Interpreter.find(for: lock).path.string
        program.arguments = ["-m", "pip", "--python", "\(environment.root.path)/bin/python"] + arguments
        return program
    }

    func apply(_ change: ComponentChange, in room: any ShadowRoom) async throws -> AppliedChange {
        var findings = change.files.filter { $0.root == "master" && $0.path == "buildbot.tac" }.map { file in
            Finding.notRehearsed(
                file,
                "a shadow is started by a buildbot.tac of its own, so that nothing of this change can be tried",
                whenStarted: "the master")
        }
        guard !change.packages.isEmpty else { return AppliedChange(parts: [], findings: findings) }
        let before = try await installed(in: room)
        let gone = try change.packages.filter { $0.version == nil }.map { try Self.plainName($0.name) }
        if !gone.isEmpty {
            findings += try await install(["uninstall", "--yes"] + gone, gone, in: room)
        }
        let wanted = try change.packages.compactMap { package in
            try package.version.map { try Self.requirement(package.name, $0) }
        }
        let places = ["change", "snapshot"].flatMap {
            ["--find-links", ShadowCopy.packagePlace.appending($0).string]
        }
        if !wanted.isEmpty {
            findings += try await install(
                ["install", "--no-index", "--no-compile", "--no-warn-script-location"] + places + wanted,
                change.packages.map(\.name), in: room)
        }
        let after = try await installed(in: room)
        var parts: [ChangeSummary.Part] = []
        for name in Set(before.keys).union(after.keys).sorted() where before[name] != after[name] {
            let detail =
                switch (before[name], after[name]) {
                case (let old?, let new?): "\(old) → \(new)"
                case (nil, let new?): "new: \(new)"
                case (let old?, nil): "\(old) removed"
                case (nil, nil): ""
                }
            parts.append(.init(ObjectName("package", name), detail: detail))
        }
        return AppliedChange(parts: parts, findings: findings)
    }

    func risk(of change: ComponentChange, in copy: ShadowCopy) throws -> RiskClass {
        let present = Dictionary(
            (try lock(copy)?.wheels ?? []).map { (normalised($0.name[...]), $0.version) }
        ) { first, _ in first }
        var classes: Set<RiskClass> = change.files.isEmpty ? [] : [.jobDefinition]
        for package in change.packages {
            let name = normalised(package.name[...])
            let isCore = ["buildbot", "buildbot-worker", "buildbot-www", "twisted"].contains(name)
            func major(_ version: String?) -> Substring? { version?.split(separator: ".").first }
            let isPatch = package.version != nil && major(present[name]) == major(package.version)
            classes.insert(isCore ? .core : isPatch ? .pluginPatch : .pluginMajor)
        }
        let packages = classes.subtracting([.jobDefinition])
        if classes.count > packages.count, !packages.isEmpty { return .everything }
        return classes.max() ?? .jobDefinition
    }

    private func install(
        _ arguments: [String], _ names: [String], in room: any ShadowRoom
    ) async throws -> [Finding] {
        guard var program = try await pip(arguments, room.copy),
            let environment = room.copy.staged.root("environment")?.root.path
        else {
            throw DriverFailure(
                "the snapshot has no Python environment to change packages in",
                hint: "name it in the system file as 'environment' and take a snapshot")
        }
        program.limit = .seconds(900)
        // What is built would run where it can write into files that other shadows, and later canaries, have too.
        try Self.makeGuard(for: room.copy)
        program.environment["UNDERSTUDY_PYTHON"] = "\(environment)/bin/python"
        program.environment["PYTHONPATH"] = [
            ShadowCopy.packagePlace.appending(Self.guardName).string, program.environment["PYTHONPATH"],
        ].compactMap { $0 }.joined(separator: ":")
        let outcome = try await room.install(program)
        guard outcome.status != 0 else { return [] }
        let lines = PythonText.lines(outcome.output).map(String.init).filter { !$0.isEmpty }
        let words = lines.last { $0.hasPrefix("ERROR: ") }.map { String($0.dropFirst("ERROR: ".count)) }
        return [
            Finding(
                stage: .static, kind: "resolution", severity: .critical,
                object: ObjectName("package", names.joined(separator: ", ")),
                message:
                    "pip cannot make the environment: \(words ?? lines.last ?? "status \(outcome.status)")",
                evidence: Array(lines.suffix(20)),
                advice:
                    "give the packages that are missing with --archives, or let them be fetched with --index")
        ]
    }

    /// What is installed, by normalised name.
    func installed(in room: any ShadowRoom) async throws -> [String: String] {
        let question = """
            import importlib.metadata, json
            found = {}
            for d in importlib.metadata.distributions():
                if d.metadata['Name']:
                    found.setdefault(d.metadata['Name'], d.version)
            print('\\x01' + json.dumps(found), end='')
            """
        let outcome = try await room.run(script("python", ["-I", "-c", question], room.copy))
        guard let start = outcome.output.lastIndex(of: "\u{1}") else {
            throw DriverFailure(
                "the Python environment of the shadow does not run: \(outcome.output.suffix(500))",
                hint: "look whether this host has the Python that it was made by")
        }
        let names = try JSONDecoder().decode(
            [String: String].self, from: Data(outcome.output[start...].dropFirst().utf8))
        return Dictionary(names.map { (normalised($0.key[...]), $0.value) }) { first, _ in first }
    }

    func master(_ copy: ShadowCopy) throws -> StagedComponent.StagedRoot {
        guard let master = copy.staged.root("master") else {
            throw DriverFailure("the snapshot has no master", hint: "verify the snapshot")
        }
        return master
    }
}
