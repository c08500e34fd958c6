internal import Judge

/// Which packages a master works with: those that are to be, and those of a shadow that serves.
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
}
