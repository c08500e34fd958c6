internal import FileTree
internal import SnapshotModel
internal import SystemPackage

extension BuildbotDriver {
    /// A builder, by the files that define it and nothing else; or a package of the environment.
    package func item(
        _ kind: String, _ name: String, in source: any FileSource
    ) async throws -> SingleItem? {
        switch kind {
        case "builder": return try await builder(name, in: source)
        case "plugin": return try await package(name, in: source)
        default: return nil
        }
    }

    // MARK: Builders

    private func builder(_ name: String, in source: any FileSource) async throws -> SingleItem? {
        let isKnown = try source.lock(Inventory.lockName).map { bytes in
            try BuildbotInventory(bytes).lines.contains { $0.kind == "builder" && $0.name == name }
        }
        guard isKnown == true else { return nil }
        let tac = try source.contents(root: "master", path: EntryPath("buildbot.tac"))
        let file =
            tac.flatMap { TacFile(String(decoding: $0, as: UTF8.self)) }?.configurationFile ?? "master.cfg"
        let before = try texts(file) {
            try source.names(root: "master", directory: $0)
        } contents: {
            try source.contents(root: "master", path: $0)
        }
        let here = master
        let now = try texts(file) { directory in
            let place = here.pushing(FilePath(bytes: directory.bytes))
            guard try Files.isDirectory(place) else { return [] }
            return try Files.names(place).map { name in
                (name, try Files.status(place.pushing(FilePath(bytes: name)))?.kind == .directory)
            }
        } contents: {
            try Files.readIfPresent(here.pushing(FilePath(bytes: $0.bytes)), limit: 16 << 20)
        }
        let found = try await BuilderSource.compare(
            name, before: before, now: now, interpreter: try interpreter())
        var item = SingleItem(root: "master", paths: found.files.map { EntryPath($0) })
        item.warnings = found.mentions.map {
            "\($0) of the snapshot names \(name) too, is another now, and stays as it is"
        }
        item.warnings.append("what \(name) has built is in the database, and stays as it is")
        item.refusals = refusals(found, name)
        return item
    }

    private func refusals(_ found: BuilderSource, _ name: String) -> [Refusal] {
        let whole = "restore whole files: --only file:PATH; 'understudy diff --raw' lists those that differ"
        if let first = found.unreadable.first {
            return [Refusal("the configuration cannot be parsed: \(printable(first.utf8))", hint: whole)]
        }
        guard found.isDefined else {
            return [
                Refusal(
                    "no file of the snapshot makes the builder \(name) by a BuilderConfig with its name as a literal: it is "
                        + "made by a program, or its file is sealed and no identity was given", hint: whole)
            ]
        }
        guard let first = found.files.first else {
            return [
                Refusal(
                    "the builder \(name) is defined now as it is in the snapshot",
                    hint: "what else may have changed: 'understudy diff'")
            ]
        }
        guard !found.others.isEmpty else { return [] }
        return [
            Refusal(
                "\(found.files.joined(separator: ", ")) would bring \(name) back, and change with it: "
                    + printable(found.others.joined(separator: ", ").utf8),
                hint:
                    "if that is meant, restore the file: --only file:\(master)/\(first); else copy the lines by hand: "
                    + "'understudy show ID' prints a file")
        ]
    }

    /// The configuration file and every module beside and below it, as texts.
    private func texts(
        _ configuration: String,
        names: (EntryPath) throws -> [(name: [UInt8], isDirectory: Bool)],
        contents: (EntryPath) throws -> [UInt8]?
    ) throws -> [String: String] {
        let matcher = Classification.Matcher(BuildbotClasses.master(database: nil))
        var texts: [String: String] = [:]
        func walk(_ directory: EntryPath, _ state: Classification.Matcher.State) throws {
            for (name, isDirectory) in try names(directory) {
                let path = directory.appending(name)
                let (entryClass, next) = matcher.step(state, name: name[...], isDirectory: isDirectory)
                guard entryClass == .config else { continue }
                if isDirectory {
                    try walk(path, next)
                } else if path.description == configuration || name.suffix(3).elementsEqual(".py".utf8),
                    let bytes = try contents(path), let text = String(validating: bytes, as: UTF8.self)
                {
                    texts[path.description] = text
                }
            }
        }
        try walk(.root, matcher.start)
        return texts
    }

    private func interpreter() throws -> String {
        guard let environment, try Files.exists(environment.appending("bin/python")) else { return "python3" }
        return environment.appending("bin/python").string
    }

    // MARK: Packages

    private func package(_ name: String, in source: any FileSource) async throws -> SingleItem? {
        guard let bytes = try source.lock(PythonLock.name), let environment else { return nil }
        let lock = try PythonLock(bytes)
        guard let wheel = lock.wheels.first(where: { normalised($0.name[...]) == normalised(name[...]) })
        else {
            return nil
        }
        var item = SingleItem(root: "environment")
        item.packages = [wheel.name]
        func refuse(_ reason: String, hint: String) { item.refusals.append(Refusal(reason, hint: hint)) }
        if try source.lock(wheel.file) == nil {
            refuse(
                "the snapshot has no wheel of \(wheel.name) \(wheel.version)",
                hint: "'understudy show' says what it lacks; restore from a complete snapshot")
        }
        guard try Files.isDirectory(environment) else {
            refuse(
                "there is no environment at \(environment) that a package could come back into",
                hint: "restore the whole component with --component \(component.name)")
            return item
        }
        let live = try PythonEnvironment(environment)
        if live.minorVersion != PythonEnvironment.minor(of: lock.python) || live.platform != lock.platform {
            refuse(
                "the wheel is for Python \(PythonEnvironment.minor(of: lock.python)) on \(lock.platform), and \(environment) "
                    + "is Python \(live.minorVersion) on \(live.platform)",
                hint: "restore the whole component with --component \(component.name)")
        }
        if lock.pip == nil, try await !Interpreter.find(for: lock).hasPip() {
            refuse(
                "neither the snapshot nor this host has pip, which the wheel is installed with",
                hint: "run: apt-get install python3-pip")
        }
        let present = try live.version(of: wheel.name)
        item.warnings = ["\(wheel.name): \(present ?? "not there") → \(wheel.version)"]
        return item
    }
}
