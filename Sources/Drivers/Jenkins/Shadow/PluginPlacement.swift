internal import Archive
internal import FileTree
internal import SystemPackage

/// Makes the plan for plugins true in a directory of plugins, by Jenkins' own rules for files.
///
/// Of one plugin there is one file afterwards, `ID.jpi`, as Jenkins' own installer leaves it; what was unpacked from the
/// file before goes, and Jenkins unpacks it anew.
struct PluginPlacement {
    /// The directory of plugins.
    let plugins: FilePath
    /// The war that is to run, nil when none is captured: spare plugins are taken from it.
    let war: FilePath?

    /// Where spare plugins are in the war.
    private static let spare = "WEB-INF/detached-plugins/"

    /// Plugins of a plan of which no archive is at hand.
    func missing(_ plan: PluginPlan) -> [PluginRelease] {
        plan.steps.compactMap(\.release).filter { release in
            release.digest == nil && (war == nil || !release.origin.hasPrefix(Self.spare))
        }
    }

    /// Makes it true; nothing of the plan is missing.
    func run(_ plan: PluginPlan) throws {
        try Files.makeDirectories(plugins)
        for step in plan.steps {
            let files = try PluginFile.files(in: plugins).filter { $0.id == step.id }
            switch step.action {
            case .enable:
                for file in files { try Files.remove(plugins.appending(file.name + ".disabled")) }
            case .remove:
                for file in files { try remove(file) }
            case .add, .upgrade, .downgrade, .replace:
                guard let release = step.release, let archive = try contents(release) else {
                    throw DriverFailure(
                        "the archive of \(step.id) is not at hand", hint: "give it with --archives")
                }
                let isDisabled = plan.prediction.outcome(of: step.id) == .disabled
                for file in files { try remove(file) }
                try Files.replaceWithoutSync(plugins.appending("\(step.id).jpi"), with: archive)
                if isDisabled {
                    try Files.replaceWithoutSync(plugins.appending("\(step.id).jpi.disabled"), with: [])
                }
            }
        }
    }

    private func contents(_ release: PluginRelease) throws -> [UInt8]? {
        if release.digest != nil { return try Files.read(FilePath(release.origin)) }
        guard let war, release.origin.hasPrefix(Self.spare) else { return nil }
        return try ZipArchive.contents(of: release.origin, in: war, limit: 256 << 20)
    }

    private func remove(_ file: PluginFile) throws {
        for name in [file.name, file.name + ".disabled"] { try Files.removeTree(plugins.appending(name)) }
        // Of "..jpi" nothing is left but a dot.
        if JenkinsShadow.isPlain(file.plainName) { try Files.removeTree(plugins.appending(file.plainName)) }
    }
}
