internal import SnapshotModel
package import Capture
internal import Drivers
package import SystemPackage

/// What is done about a restore that was interrupted.
package enum Recovery {
    /// Says what an interrupted restore left, nil when none was interrupted.
    package static func look(_ local: FilePath) throws -> String? {
        guard let journal = try Journal.read(local) else { return nil }
        switch journal.phase {
        case .done, .undone: return nil
        case .staging:
            return "\(journal.what) was interrupted before it changed anything"
        case .exchanging:
            let exchanged = try journal.places.filter { try Journal.isExchanged($0) }.count
            let applied = (journal.applied ?? []).map(\.component)
            let others =
                applied.isEmpty
                ? "" : "; \(applied.joined(separator: ", ")) may hold the restored state or the old one"
            return
                "\(journal.what) was interrupted: \(exchanged) of \(journal.places.count) places hold "
                + "the new tree, the others the old one\(others)"
        }
    }

    /// Brings production back to the old trees after an interrupted restore, starts what was running before it, and
    /// removes what it staged.
    ///
    /// Returns what was done, nil when there was nothing to do.
    package static func run(_ local: FilePath, system: DeliverySystem) async throws -> String? {
        guard var journal = try Journal.read(local) else { return nil }
        guard let words = try look(local) else {
            // Killed while it took away what nobody needs any more.
            guard journal.phase == .undone else { return nil }
            let left = try await journal.removeStaging(in: system)
            guard left.isEmpty else { return left.joined(separator: "; ") }
            journal.applied = nil
            try journal.write(local)
            return nil
        }
        let components = journal.components.union(journal.running)
        for (component, driver) in system.components.reversed()
        where components.contains(component.name) && !journal.keepsRunning(component.name) {
            // It may have been started on the restored tree already, and must not run while that is taken away.
            if let lifecycle = driver.lifecycle, try await lifecycle.isRunning() {
                try await lifecycle.stop()
            }
        }
        // Before the exchange nothing was applied, and what is still being made may have no place in production yet.
        var notes = journal.phase == .exchanging ? try await journal.unapply(in: system) : []
        try journal.putBack()
        do {
            // It may have read what is taken away again.
            try await journal.reload(in: system, progress: { _ in })
        } catch let failure as DriverFailure {
            notes.append("\(failure); \(failure.hint)")
        }
        notes += try await journal.removeStaging(in: system)
        journal.phase = .undone
        try journal.write(local)
        for (component, driver) in system.components where journal.running.contains(component.name) {
            guard let lifecycle = driver.lifecycle, try await !lifecycle.isRunning() else { continue }
            try await lifecycle.start()
        }
        let back = "\(words); the old trees are back everywhere, and what was staged is removed"
        return ([back] + notes).joined(separator: "; ")
    }
}
