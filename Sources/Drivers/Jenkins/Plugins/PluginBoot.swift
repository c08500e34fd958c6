/// The part of a boot that decides which plugins load, step by step as Jenkins takes it.
struct PluginBoot {
    /// A plugin that Jenkins has listed.
    private struct Wrapper {
        var file: PluginFile
        var mandatory: [PluginDependency]
        var optional: [PluginDependency]
        /// The place among the outcomes.
        var outcome: Int
        var circle: [String]?
        var isRemoved = false

        var isActive: Bool { !file.isDisabled && circle == nil }
    }

    /// The directory as the boot leaves it.
    private var files: [String: PluginFile]
    private let core: JenkinsCore
    private let checksVersions: Bool
    private var wrappers: [Wrapper] = []
    private(set) var outcomes: [LoadPrediction.Plugin] = []
    private(set) var copies: [LoadPrediction.Copy] = []

    init(_ files: [PluginFile], core: JenkinsCore, checksVersions: Bool) {
        self.files = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
        self.core = core
        self.checksVersions = checksVersions
    }

    mutating func run(lastCore: String?) {
        install(core.bundled, from: core.bundled, because: "every start installs it")
        installDetached(lastCore: lastCore)
        list()
        let order = sorted()
        load(order)
    }

    // MARK: - What the core installs

    /// The version of a file by its plugin's name, as the core asks for it.
    private func version(of id: String, in files: [String: PluginFile]) -> String? {
        (files["\(id).jpi"] ?? files["\(id).hpi"])?.manifest?["Plugin-Version"]
    }

    /// Installs what a new core brings along, or what is older than it accepts.
    private mutating func installDetached(lastCore: String?) {
        let last = VersionNumber(lastCore ?? "1.0")
        let spare = Dictionary(core.spare.map { ($0.name, $0) }) { first, _ in first }
        let rows = core.detached.rows
        let detached = Set(rows.map(\.id))
        let isUpgrade =
            last.compared(to: VersionNumber("1.0")) > 0 && last.isOlder(than: VersionNumber(core.version))
        if isUpgrade {
            let recent = Set(rows.filter { !$0.splitWhen.isOlder(than: last) }.map(\.id))
            let wanted = core.spare.filter { file in
                let id = file.plainName
                if detached.contains(id), let installed = version(of: id, in: files),
                    let ours = version(of: id, in: spare)
                {
                    return VersionNumber(installed).isOlder(than: VersionNumber(ours))
                }
                return recent.contains(id)
            }
            install(wanted, from: core.spare, because: "core \(core.version) follows \(lastCore ?? "1.0")")
        } else {
            let old = Set(
                rows.filter { row in
                    guard let installed = version(of: row.id, in: files) else { return false }
                    return VersionNumber(installed).isOlder(than: VersionNumber(row.version))
                }.map(\.id))
            install(
                core.spare.filter { old.contains($0.plainName) }, from: core.spare,
                because: "the core accepts no older one")
        }
    }

    /// Copies files of the war and what they need, and returns the names they have in the war.
    @discardableResult private mutating func install(
        _ wanted: [PluginFile], from source: [PluginFile], because reason: String
    ) -> [PluginFile] {
        var done: [PluginFile] = []
        var needed: [PluginFile] = []
        for file in wanted.sorted(by: { $0.name < $1.name }) {
            copy(file, because: reason)
            done.append(file)
            addNeeds(of: file, from: source, to: &needed)
        }
        for file in needed where !done.contains(where: { $0.name == file.name }) {
            copy(file, because: "what the core installs needs it")
            done.append(file)
        }
        return done
    }

    private func addNeeds(of file: PluginFile, from source: [PluginFile], to needed: inout [PluginFile]) {
        guard !needed.contains(where: { $0.name == file.name }),
            let text = file.manifest?["Plugin-Dependencies"]
        else { return }
        for part in text.split(separator: ",") where !part.hasSuffix(";resolution:=optional") {
            let words = part.split(separator: ":")
            guard words.count > 1 else { continue }
            let id = String(words[0])
            if let installed = version(of: id, in: files),
                !VersionNumber(installed).isOlder(than: VersionNumber(String(words[1])))
            {
                continue
            }
            guard let other = source.first(where: { $0.name == "\(id).hpi" || $0.name == "\(id).jpi" }),
                other.name != file.name
            else { continue }
            addNeeds(of: other, from: source, to: &needed)
            if !needed.contains(where: { $0.name == other.name }) { needed.append(other) }
        }
    }

    private mutating func copy(_ file: PluginFile, because reason: String) {
        let id = file.plainName
        let name = "\(id).jpi"
        let old = files["\(id).hpi"] ?? files[name]
        files["\(id).hpi"] = nil
        guard old?.manifest != file.manifest else { return }
        var copy = file
        copy.name = name
        copy.isDisabled = files[name]?.isDisabled ?? false
        files[name] = copy
        copies.append(.init(id: id, version: file.version, replaced: old?.version, reason: reason))
    }

    // MARK: - Which files count

    private mutating func list() {
        var archives: [PluginFile] = []
        for ending in PluginFile.endings {
            archives += files.values.filter { $0.name.hasSuffix(ending) }
                .sorted { $0.name.utf16.lexicographicallyPrecedes($1.name.utf16) }
        }
        var winners: [String: String] = [:]
        for file in archives {
            guard let wrapper = inspect(file) else { continue }
            if let winner = winners[file.id] {
                outcomes[wrapper.outcome].outcome = .ignored(winner: winner)
            } else {
                winners[file.id] = file.name
                wrappers.append(wrapper)
            }
        }
    }

    /// Makes a plugin of a file, nil when that fails; what it needs of the core's spare plugins is installed meanwhile.
    private mutating func inspect(_ file: PluginFile) -> Wrapper? {
        let place = outcomes.count
        outcomes.append(.init(id: file.id, version: file.version, file: file.name, outcome: .loads))
        guard file.fault == nil, let manifest = file.manifest else {
            outcomes[place].outcome = .fails([.unreadable(file.fault ?? "it has no manifest")])
            return nil
        }
        outcomes[place].warnings = Self.oddities(file, manifest)
        let dependencies: [PluginDependency]
        do throws(PluginDependency.Malformed) {
            dependencies = try manifest.dependencies()
        } catch {
            outcomes[place].outcome = .vanishes(part: error.text)
            return nil
        }
        var wrapper = Wrapper(
            file: file, mandatory: dependencies.filter { !$0.isOptional },
            optional: dependencies.filter(\.isOptional), outcome: place)
        // Java makes the text "null" of a Short-Name that is not there.
        for implied in core.detached.implied(
            for: manifest["Short-Name"] ?? "null", builtFor: manifest.requiredCore)
        {
            considerDetached(implied.id, for: file.id)
            wrapper.optional.append(implied)
        }
        return wrapper
    }

    private mutating func considerDetached(_ id: String, for source: String) {
        guard !PluginFile.endings.contains(where: { files[id + $0] != nil }) else { return }
        let wanted = core.spare.filter { $0.plainName == id }
        for file in install(
            wanted, from: core.spare, because: "\(source) was built when it was part of the core")
        {
            // Jenkins adds these without looking whether it has a plugin of that name already.
            guard let copy = files["\(file.plainName).jpi"], let wrapper = inspect(copy) else { continue }
            wrappers.append(wrapper)
        }
    }

    private static func oddities(_ file: PluginFile, _ manifest: PluginManifest) -> [String] {
        var oddities: [String] = []
        if file.name != "\(manifest["Short-Name"] ?? "null").jpi" {
            oddities.append("the file should be called \(file.id).jpi")
        }
        if manifest.requiredCore == nil {
            oddities.append("it does not say which core it needs: every plugin that was split off is implied")
        }
        if file.version.last?.isWhitespace == true {
            oddities.append("its version ends in a blank, which Jenkins compares too")
        }
        return oddities
    }

    // MARK: - Order and circles

    private func plugin(_ id: String) -> Int? {
        wrappers.firstIndex { $0.file.id == id && !$0.isRemoved }
    }

    /// The plugins, what is needed before who needs it; marks those on circles.
    private mutating func sorted() -> [Int] {
        var search = CircleSearch(
            edges: wrappers.map { wrapper in
                (wrapper.mandatory + wrapper.optional).compactMap { plugin($0.id) }
            })
        search.run()
        for circle in search.circles {
            let names = circle.map { wrappers[$0].file.id }
            for member in circle where wrappers[member].circle == nil { wrappers[member].circle = names }
        }
        return search.order
    }

    // MARK: - Loading

    private mutating func load(_ order: [Int]) {
        /// Those that failed for their dependencies; others that failed count as missing.
        var noticed: Set<String> = []
        for index in order where !wrappers[index].isActive {
            let place = wrappers[index].outcome
            outcomes[place].outcome = wrappers[index].circle.map { .cyclic($0) } ?? .disabled
        }
        for index in order where wrappers[index].isActive {
            var suppressed: [LoadPrediction.Reason] = []
            let reasons = reasons(against: wrappers[index], noticed, &suppressed)
            outcomes[wrappers[index].outcome].suppressed = suppressed
            guard !reasons.isEmpty else { continue }
            outcomes[wrappers[index].outcome].outcome = .fails(reasons)
            wrappers[index].isRemoved = true
            noticed.insert(wrappers[index].file.id)
        }
    }

    private func reasons(
        against wrapper: Wrapper, _ noticed: Set<String>, _ suppressed: inout [LoadPrediction.Reason]
    ) -> [LoadPrediction.Reason] {
        var reasons: [LoadPrediction.Reason] = []
        func add(_ reason: LoadPrediction.Reason, _ actual: String, _ minimum: String) {
            let isSnapshot = Self.isSnapshot(actual) || Self.isSnapshot(minimum)
            if isSnapshot { suppressed.append(reason) } else { reasons.append(reason) }
        }
        if let required = wrapper.file.manifest?.requiredCore, isTooOld(core.version, required) {
            add(.coreTooOld(required: required), core.version, required)
        }
        for dependency in wrapper.mandatory {
            guard let other = plugin(dependency.id).map({ wrappers[$0] }) else {
                if noticed.contains(dependency.id) {
                    reasons.append(.derived(dependency))
                    break
                }
                reasons.append(.missing(dependency))
                continue
            }
            if isTooOld(other.file.version, dependency.version) {
                let installed = other.file.version
                add(.tooOld(dependency, installed: installed), installed, dependency.version)
            } else if !other.isActive {
                reasons.append(.inactive(dependency))
            }
        }
        for dependency in wrapper.optional {
            guard let other = plugin(dependency.id).map({ wrappers[$0] }), other.isActive,
                isTooOld(other.file.version, dependency.version)
            else { continue }
            let installed = other.file.version
            add(.tooOld(dependency, installed: installed), installed, dependency.version)
        }
        return reasons
    }

    private func isTooOld(_ actual: String, _ required: String) -> Bool {
        checksVersions && VersionNumber(actual).isOlder(than: VersionNumber(required))
    }

    /// `1.0-SNAPSHOT`, `1.0-20240131.101500-1`: somebody builds it, and errors of versions are only logged.
    static func isSnapshot(_ version: String) -> Bool {
        if version.contains("-SNAPSHOT") { return true }
        let parts = version.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = parts.last, !number.isEmpty, number.utf8.allSatisfy(isDigit)
        else { return false }
        let stamp = Array(parts[parts.count - 2].unicodeScalars)
        // The pattern's dot stands for any character.
        return stamp.count == 15 && !(parts.count == 3 && parts[0].isEmpty)
            && stamp.indices.allSatisfy {
                $0 == 8 || isDigit(UInt8(truncatingIfNeeded: stamp[$0].value)) && stamp[$0].isASCII
            }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
