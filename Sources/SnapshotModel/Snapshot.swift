/// `snapshot.json`: what a snapshot says about itself.
package struct Snapshot: Hashable, Codable, Sendable {
    /// Where a snapshot keeps the policies, beside `understudy.yaml`.
    package static let policiesName = "understudy.policies"
    /// What stands beside the components at the top of a snapshot, and so is the name of none.
    package static let reservedNames: Set = ["snapshot.json", "understudy.yaml", policiesName]
    /// The store format that this version writes, and the newest that it reads.
    package static let currentFormat = 2

    /// Whether everything that should be in it is.
    package enum Status: String, Codable, Sendable {
        /// Nothing is missing.
        case complete
        /// Something could not be read, or kept changing; the components say what.
        case partial
    }

    /// The store format.
    package var format: Int
    /// The snapshot's id.
    package var id: SnapshotID
    /// The delivery system's name.
    package var system: String
    /// The version of Understudy that took it.
    package var tool: String
    /// The name of the host it was taken on.
    package var host: String
    /// Where the system file stood there, nil when it is not known; relative paths in the file start at its directory.
    package var systemFile: String?
    /// When it began, ISO 8601 in UTC.
    package var started: String
    /// When the last byte had been read, ISO 8601 in UTC.
    package var finished: String
    /// Whether everything is in it.
    package var status: Status
    /// What was captured, in the order of the system file.
    package var components: [CapturedComponent]
    /// Seconds from the first look at any component to the last at any; nil in a snapshot of a version that did not say.
    package var spreadSeconds: Int64?

    /// A snapshot's description.
    package init(
        id: SnapshotID, system: String, tool: String, host: String, systemFile: String? = nil,
        started: String, finished: String, components: [CapturedComponent]
    ) {
        self.systemFile = systemFile
        format = Self.currentFormat
        self.id = id
        self.system = system
        self.tool = tool
        self.host = host
        self.started = started
        self.finished = finished
        self.components = components
        status = components.allSatisfy(\.isComplete) ? .complete : .partial
        // What was taken over from an older snapshot counts with its own times.
        let ended = components.compactMap { $0.finished.flatMap(CivilTime.seconds) }.max()
        if let began = oldestPart, let ended { spreadSeconds = ended - began }
    }

    /// When the capture of its oldest component began, in seconds since 1970; nil in a snapshot of a version that did not say.
    ///
    /// What was taken over from an older snapshot counts with its own time.
    package var oldestPart: Int64? { components.compactMap { $0.started.flatMap(CivilTime.seconds) }.min() }
}

/// What a snapshot holds of one component.
package struct CapturedComponent: Hashable, Codable, Sendable {
    /// How much there is of one class.
    package struct Amount: Hashable, Codable, Sendable {
        /// Entries.
        package var entries: Int
        /// Bytes of regular files.
        package var bytes: Int64

        /// An amount.
        package init(entries: Int = 0, bytes: Int64 = 0) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    /// A path, and what is wrong with it.
    package struct Problem: Hashable, Codable, Sendable {
        /// The path, made printable.
        package var path: String
        /// What is wrong, and with which cause.
        package var reason: String
        /// Whether it is of a whole database, or of all that a tool exports: `database/shop`, but not of the roles beside it.
        package var isWholeDatabase: Bool {
            path.hasPrefix("database/") && path.split(separator: "/").count == 2 && !path.hasSuffix(".sql")
        }

        /// A problem.
        package init(path: String, reason: String) {
            self.path = path
            self.reason = reason
        }
    }

    /// A captured root: where it was, and where it is in the snapshot.
    package struct CapturedRoot: Hashable, Codable, Sendable {
        /// Its name, and its place below `files/` and `manifest/`.
        package var name: String
        /// Its path on the host.
        package var path: String
        /// What it is.
        package var kind: Root.Kind

        /// A root.
        package init(name: String, path: String, kind: Root.Kind) {
            self.name = name
            self.path = path
            self.kind = kind
        }
    }

    /// How its secrets and databases are sealed.
    package struct Sealing: Hashable, Codable, Sendable {
        /// Where the sealing key is kept below the component's tree, sealed itself.
        package static let keyName = "sealing-key.age"

        /// The public keys of who can open it.
        package var recipients: [String]
        /// The id of the sealing key.
        package var key: String
        /// SHA-256 of the sealed sealing key, in hex.
        package var keyDigest: String

        /// A sealing.
        package init(recipients: [String], key: String, keyDigest: String) {
            self.recipients = recipients
            self.key = key
            self.keyDigest = keyDigest
        }
    }

    /// The component's name.
    package var name: String
    /// Its driver.
    package var driver: String
    /// When its capture began, ISO 8601 in UTC; nil in a snapshot of a version that did not say.
    package var started: String?
    /// When its capture ended, ISO 8601 in UTC; nil in a snapshot of a version that did not say.
    package var finished: String?
    /// The CI tool's version, where there is one.
    package var version: String?
    /// The captured roots.
    package var roots: [CapturedRoot]
    /// How much there is, by class.
    package var classes: [String: Amount]
    /// How many passes over the files it took until nothing moved.
    package var passes: Int
    /// Paths that kept changing while being read.
    package var torn: [String]
    /// Paths that could not be read, and why.
    package var unreadable: [Problem]
    /// Sockets, fifos and devices, which hold nothing to capture.
    package var notCaptured: [Problem]
    /// What the driver wants people to know.
    package var notes: [String]
    /// Why a restore of it would be refused; nil when nothing is known against one.
    package var obstacles: [String]?
    /// SHA-256 of each root's manifest, in hex: the hash of what `sha256sum *` prints in the manifest's directory.
    package var manifests: [String: String]
    /// SHA-256 of each lock, in hex.
    package var locks: [String: String]
    /// How secrets and databases are sealed, nil when everything is in clear.
    package var sealing: Sealing?

    /// A description without contents.
    package init(name: String, driver: String, version: String?, roots: [CapturedRoot]) {
        self.name = name
        self.driver = driver
        self.version = version
        self.roots = roots
        classes = [:]
        passes = 0
        torn = []
        unreadable = []
        notCaptured = []
        notes = []
        manifests = [:]
        locks = [:]
    }

    /// Whether nothing is missing.
    package var isComplete: Bool { torn.isEmpty && unreadable.isEmpty }

    /// Entries of all classes.
    package var entries: Int { classes.values.reduce(0) { $0 + $1.entries } }

    /// Bytes of all classes.
    package var bytes: Int64 { classes.values.reduce(0) { $0 + $1.bytes } }
}

/// A directory or file of the host that a component consists of.
package struct Root: Hashable, Sendable {
    /// What stands at the path.
    package enum Kind: String, Codable, Sendable {
        /// A directory and all in it.
        case directory
        /// One regular file.
        case file
        /// A directory that is not captured file by file but made again from locks and artifacts.
        case rebuilt
    }

    /// Its name, and its place below `files/` and `manifest/`: one name or several joined by `/`.
    package var name: String
    /// The absolute path on the host.
    package var path: String
    /// What it is.
    package var kind: Kind

    /// A root.
    package init(name: String, path: String, kind: Kind = .directory) {
        self.name = name
        self.path = path
        self.kind = kind
    }
}
