internal import Cryptography
internal import FileTree
package import SnapshotModel
package import SystemPackage

/// What is changed in the copy of a home before a shadow boots from it: a value that prints, and nothing is done yet.
///
/// Made from equal directories with equal keys it is equal, so that both arms of an experiment are changed alike. What it
/// prints holds no secret, neither production's nor the shadow's.
package struct NeutralisationPlan: Hashable, Sendable {
    /// What a shadow must not do, or have.
    package enum Hazard: String, CaseIterable, Hashable, Sendable {
        /// Builds that wait in the queue would run.
        case queue
        /// Pipelines would go on where production's are.
        case pipelines
        /// Timers, polls and hooks would start builds.
        case triggers
        /// Agents would be connected to.
        case agents
        /// Clouds would make machines, or remove production's.
        case clouds
        /// It would take itself for production: keys, identity, address.
        case identity
        /// Mail would be sent.
        case mail
        /// It would get out through a proxy.
        case proxy
        /// Nobody could log in without production's directory.
        case login
        /// Executors for the probes, and for nothing else.
        case executors
        /// Directories outside the copy would be written to.
        case outside
        /// Configuration from outside would undo all this.
        case configurationAsCode
        /// Production's secrets.
        case secrets
        /// Files that Jenkins makes again, or that only grow: they are not needed and may hold anything.
        case leftovers
        /// A document that this plan cannot look into, and Jenkins perhaps can.
        case unreadable
    }

    /// A part of a file that changes.
    package struct Splice: Hashable, Sendable {
        /// Which bytes go.
        package var range: Range<Int>
        /// What comes instead.
        package var replacement: [UInt8]
    }

    /// What happens to one path.
    package enum Action: Hashable, Sendable {
        /// It goes, with all below it.
        case remove
        /// It gets these contents and this mode, whether it is there or not.
        case write([UInt8], mode: UInt16)
        /// Parts of it change, and no other byte; the digest is that of the file this was worked out for.
        case splice([Splice], digest: String)
    }

    /// Why a path changes.
    package struct Note: Hashable, Sendable {
        /// Against what.
        package var hazard: Hazard
        /// What changes, one phrase.
        package var what: String
    }

    /// A change of one path.
    package struct Edit: Hashable, Sendable {
        /// The path below the home.
        package var path: EntryPath
        /// What happens to it.
        package var action: Action
        /// Why.
        package var notes: [Note]
    }

    /// The changes, sorted by path.
    package var edits: [Edit]
    /// What the shadow will not show because of them.
    package var notCovered: [String]

    /// Whether there is nothing to change any more.
    package var isEmpty: Bool { edits.isEmpty }

    /// Makes the changes in the home the plan was made for.
    ///
    /// Throws a ``Stale`` before anything of a file is changed that is not the one the plan was made for; applied again after
    /// a kill it goes on, when it is made again first.
    package func apply(to home: FilePath) throws {
        for edit in edits {
            let path = FilePath(bytes: edit.path.bytes)
            let place = home.pushing(path)
            if let link = try Files.link(on: path.removingLastComponent(), below: home) {
                throw DriverFailure(
                    "home/\(link) is a link: what is to be made harmless below it is not in the copy",
                    hint: "put what it leads to in its place, or bind-mount it there, and take a snapshot")
            }
            switch edit.action {
            case .remove:
                try Files.removeTree(place)
            case .write(let contents, let mode):
                try Files.makeDirectories(place.removingLastComponent(), mode: 0o700)
                try Files.replaceWithoutSync(place, with: contents)
                try Files.setMode(place, mode)
            case .splice(let splices, let digest):
                let bytes = try Files.read(place)
                guard hex(SHA256.digest(bytes)) == digest else { throw Stale(path: edit.path) }
                let kept = try KeptMetadata(place)
                try Files.replaceWithoutSync(place, with: Self.spliced(bytes, splices))
                try kept.restore()
            }
        }
    }

    /// A file is not the one that the plan was made for.
    package struct Stale: Error, Hashable, Sendable, CustomStringConvertible {
        /// The path below the home.
        package var path: EntryPath

        /// One line.
        package var description: String {
            "\(path) changed after the plan was made: make the plan again, on a copy that nothing else writes to"
        }
    }

    /// Bytes with parts exchanged; the parts are sorted and do not overlap.
    static func spliced(_ bytes: [UInt8], _ splices: [Splice]) -> [UInt8] {
        var result: [UInt8] = []
        var place = 0
        for splice in splices {
            result += bytes[place..<splice.range.lowerBound] + splice.replacement
            place = splice.range.upperBound
        }
        return result + bytes[place...]
    }
}

extension NeutralisationPlan: CustomStringConvertible {
    /// A line for each reason: `jobs/a/config.xml: triggers: 1 taken out (hudson.triggers.TimerTrigger)`.
    package var description: String {
        let lines = edits.flatMap { edit in
            edit.notes.map { "\(edit.path): \($0.hazard.rawValue): \($0.what)" }
        }
        return (lines + notCovered.map { "not covered: \($0)" }).joined(separator: "\n")
    }
}
