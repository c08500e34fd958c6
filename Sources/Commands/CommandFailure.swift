internal import SystemPackage
internal import Archive
internal import Canary
internal import Capture
internal import Configuration
internal import Drivers
internal import FileTree
internal import Git
internal import GitStore
internal import Nightly
internal import Programs
internal import Restore
internal import Sealing
internal import Shadow

/// The exit statuses, as docs/design.md section 8 and every command's help list them.
enum ExitStatus: Int32 {
    case done = 0
    case failed = 1
    case partial = 3
    case canaryFailed = 4
    case inconclusive = 5
    case verification = 6
    case refused = 7
    case noStore = 10
    case locked = 11
    case noKeyFits = 12
    case usage = 64
}

/// What a command tells the person who ran it: what failed, why, and what to do next.
struct CommandFailure: Error {
    let status: ExitStatus
    let message: String
    let hint: String
    let path: String?

    init(_ status: ExitStatus, _ message: String, hint: String, path: String? = nil) {
        self.status = status
        self.message = message
        self.hint = hint
        self.path = path
    }

    /// Turns any failure of the engines into words and a status: the one table that does.
    init(_ error: any Error) {
        switch error {
        case let error as CommandFailure:
            self = error
        case let error as StoreFailure:
            self.init(Self.status(error.code), error.description, hint: error.hint)
        case let error as SignatureFailure:
            self.init(.verification, error.description, hint: error.hint)
        case let error as RestoreFailure:
            self.init(Self.status(error.code), error.description, hint: error.hint)
        case let error as SealingFailure:
            self.init(Self.status(error.code), error.description, hint: error.hint)
        case let error as ShadowFailure:
            self.init(
                error.code == .refused ? .refused : .failed, error.description, hint: error.hint)
        case let error as Breach:
            self.init(.failed, "a shadow was ended: \(error)", hint: error.hint)
        case let error as CanaryFailure:
            self.init(error.code == .refused ? .refused : .failed, error.description, hint: error.hint)
        case let error as NightFailure:
            self.init(.failed, error.description, hint: error.hint)
        case let error as ArchiveError:
            let isOurs = error.kind == .inaccessible
            self.init(
                isOurs ? .failed : .verification, error.description,
                hint: isOurs
                    ? "check the path and the free space on the disk"
                    : "nothing was imported; compare its SHA-256 with the one that 'understudy export' printed",
                path: error.path.string)
        case let error as CaptureRefusal:
            self.init(.refused, error.description, hint: error.hint)
        case let error as DriverFailure:
            self.init(.failed, error.description, hint: error.hint)
        case let error as HTTPFailure:
            self.init(
                .failed, error.description,
                hint: "check the address in the system file ('url'), and whether the server there runs")
        case let error as SystemFileFailure:
            self.init(.usage, error.description, hint: error.hint, path: error.path.string)
        case let error as RelocationFailure:
            self.init(.usage, error.description, hint: error.hint)
        case let error as SystemFileMissing:
            self.init(.usage, error.description, hint: error.hint)
        case let error as DiscoveryFailure:
            self.init(.usage, error.description, hint: error.hint)
        case let error as FileFailure where error.reason == .noSpace || error.reason == .diskQuotaExceeded:
            self.init(
                .failed, "the disk is full: \(error)",
                hint: "free some space and run the command again",
                path: String(decoding: error.path, as: UTF8.self))
        case let error as FileFailure where error.reason == .resourceBusy:
            self.init(
                .failed, error.description, hint: "unmount what is mounted there, and run the command again",
                path: String(decoding: error.path, as: UTF8.self))
        case let error as FileFailure:
            if error.reason == .readOnlyFileSystem,
                let store = StoreOwner.store(around: FilePath(bytes: error.path))
            {
                self.init(StoreFailure.readOnly(error, store))
                return
            }
            let isForbidden = error.reason == .permissionDenied || error.reason == .notPermitted
            self.init(
                .failed, error.description,
                hint: (isForbidden ? StoreOwner.advice(on: FilePath(bytes: error.path)) : nil)
                    ?? "check the path and who may read and write it",
                path: String(decoding: error.path, as: UTF8.self))
        case let error as GitError where error.code == .damaged || error.code == .notFound:
            self.init(.verification, error.description, hint: "'understudy verify --all' says what is whole")
        case let error as GitError where error.reason.hasSuffix("No space left on device"):
            self.init(
                .failed, "the disk is full: \(error)",
                hint: "free some space where the store is and run the command again; no snapshot is lost"
            )
        case let error as GitError:
            self.init(.failed, error.description, hint: "check the store with 'git fsck --full'")
        case let error as ProgramFailure where error.isDiskFull:
            self.init(
                .failed, "the disk is full: \(error)", hint: "free some space and run the command again")
        case let error as ProgramFailure:
            self.init(.failed, error.description, hint: "run it by hand to see more")
        default:
            self.init(.failed, "\(error)", hint: "this is probably a bug: please report it with this message")
        }
    }

    private static func status(_ code: StoreFailure.Code) -> ExitStatus {
        switch code {
        case .noStore: .noStore
        case .newerFormat, .refused: .refused
        case .damaged: .verification
        case .locked: .locked
        case .noSuchSnapshot, .raced, .failed: .failed
        }
    }

    private static func status(_ code: SealingFailure.Code) -> ExitStatus {
        switch code {
        case .noKeyFits: .noKeyFits
        case .damaged: .verification
        case .malformed: .usage
        }
    }

    private static func status(_ code: RestoreFailure.Code) -> ExitStatus {
        switch code {
        case .failed: .failed
        case .verification: .verification
        case .refused: .refused
        }
    }
}
