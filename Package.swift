// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

let package = Package(
    name: "understudy",
    products: [.executable(name: "understudy", targets: ["understudy"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // MARK: System libraries
        // What Linux offers for files and programs and Swift's importer hides: for FileTree, Programs,
        // Shadow and TestSupport.
        .target(name: "Cfiles"),
        // Two hashes at once, with vector instructions.
        .target(name: "Chashes"),
        // Decompresses short objects with the tables of those before them.
        .target(name: "Cinflate"),
        // The beginnings of secrets in a text, with vector instructions.
        .target(name: "Csearch"),
        // What the host has.
        .systemLibrary(name: "Clibarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "Clibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "Clibdeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "Clibexpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "Clibgit2", providers: [.apt(["libgit2-dev"])]),
        .systemLibrary(name: "Clibisal", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "Clibyaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "Csqlite3", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        // MARK: Leaves: one subject each, nothing of ours above them
        // Hashes, ciphers, key agreement: the only importer of Chashes and Clibcrypto.
        .target(name: "Cryptography", dependencies: ["Chashes", "Clibcrypto"]),
        .testTarget(name: "CryptographyTests", dependencies: ["Cryptography"]),
        // Files as Linux has them: descriptor-anchored, names as bytes, all metadata, atomic exchange.
        .target(name: "FileTree", dependencies: ["Cfiles", systemPackage]),
        // Zip archives entry by entry, deterministic zip files, tar.zst out and in: the only importer of Clibarchive.
        .target(name: "Archive", dependencies: ["Clibarchive", systemPackage]),
        .testTarget(
            name: "ArchiveTests",
            dependencies: ["Archive", "FileTree", "Programs", "TestSupport", systemPackage]),
        // age v1: seals to recipients so that equal contents become equal files, and opens.
        .target(name: "Sealing", dependencies: ["Cryptography", "Csearch"]),
        .testTarget(
            name: "SealingTests",
            dependencies: ["Cryptography", "FileTree", "Programs", "Sealing", "TestSupport", systemPackage]),
        // Streaming XML, safe against hostile documents: the only importer of Clibexpat.
        .target(name: "XML", dependencies: ["Clibexpat"]),
        .testTarget(name: "XMLTests", dependencies: ["XML"]),
        // YAML step by step: the only importer of Clibyaml.
        .target(name: "YAML", dependencies: ["Clibyaml"]),
        .testTarget(name: "YAMLTests", dependencies: ["YAML"]),
        // Hot copies and small queries: the only importer of Csqlite3.
        .target(name: "SQLite", dependencies: ["Csqlite3", "FileTree", systemPackage]),
        .testTarget(name: "SQLiteTests", dependencies: ["FileTree", "SQLite", "TestSupport", systemPackage]),
        // Runs other programs with limits on time and output.
        .target(name: "Programs", dependencies: ["Cfiles", subprocess, systemPackage]),
        .testTarget(name: "ProgramsTests", dependencies: ["FileTree", "Programs", systemPackage]),
        // Work for several threads.
        .target(name: "Workers"),
        // Values only, no input or output.
        .target(name: "SnapshotModel"),
        .testTarget(name: "SnapshotModelTests", dependencies: ["SnapshotModel"]),
        // What a canary's evidence comes to under a policy: values in, values out.
        .target(name: "Judge", dependencies: ["SnapshotModel"]),
        .testTarget(name: "JudgeTests", dependencies: ["Judge", "SnapshotModel"]),
        // A verdict as text, HTML, JUnit XML and JSON: values in, text out.
        .target(name: "Reports", dependencies: ["Judge", "SnapshotModel"]),
        .testTarget(name: "ReportsTests", dependencies: ["Judge", "Reports", "SnapshotModel", "XML"]),

        // MARK: The store
        // Objects, packs and references: the only importer of Cinflate, Clibgit2, Clibdeflate and Clibisal.
        .target(
            name: "Git",
            dependencies: [
                "Cinflate", "Clibdeflate", "Clibgit2", "Clibisal", "Cryptography", "FileTree", "Workers",
                systemPackage,
            ]),
        .testTarget(
            name: "GitTests",
            dependencies: [
                "Cinflate", "Clibdeflate", "Cryptography", "FileTree", "Git", "Programs", "TestSupport",
                "Workers", systemPackage,
            ]),
        // Snapshots and history in a bare repository.
        .target(
            name: "GitStore",
            dependencies: [
                "Archive", "Cryptography", "FileTree", "Git", "Programs", "Sealing", "SnapshotModel",
                "Workers",
                systemPackage,
            ]),
        .testTarget(
            name: "GitStoreTests",
            dependencies: ["FileTree", "Git", "GitStore", "TestSupport", systemPackage]),

        // MARK: The delivery systems
        // A folder for each kind of component: what to capture, how to stop, start and probe it, how to shadow it.
        .target(
            name: "Drivers",
            dependencies: [
                "Archive", "Cryptography", "FileTree", "Judge", "Programs", "SnapshotModel", "SQLite", "XML",
                systemPackage,
            ]),

        .testTarget(
            name: "DriversTests",
            dependencies: [
                "Archive", "Cryptography", "Drivers", "FileTree", "Judge", "Programs", "Sealing",
                "SnapshotModel", "SQLite", "TestSupport", "XML", systemPackage,
            ]),
        // What tests share: temporary directories, real services to try things on.
        .target(
            name: "TestSupport",
            dependencies: [
                "Archive", "Cfiles", "Cryptography", "Drivers", "FileTree", "Programs", "SnapshotModel",
                systemPackage,
            ]),
        // The system file and the policies.
        .target(
            name: "Configuration",
            dependencies: [
                "Cryptography", "Drivers", "FileTree", "Judge", "Sealing", "SnapshotModel", "YAML",
                systemPackage,
            ]),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: [
                "Configuration", "Drivers", "FileTree", "Judge", "Sealing", "SnapshotModel", "TestSupport",
                "YAML", systemPackage,
            ]),

        // MARK: The engines
        // Drivers to one write session, and what differs between two states.
        .target(
            name: "Capture",
            dependencies: [
                "Cryptography", "Drivers", "FileTree", "Git", "GitStore", "Sealing", "SnapshotModel",
                "Workers",
                systemPackage,
            ]),
        .testTarget(
            name: "CaptureTests",
            dependencies: [
                "Capture", "Cryptography", "Drivers", "FileTree", "Git", "Sealing", "SnapshotModel",
                "TestSupport", "Workers", systemPackage,
            ]),
        // Plan, stage, verify, exchange, start; the journal, recovery and undo.
        .target(
            name: "Restore",
            dependencies: [
                "Capture", "Cryptography", "Drivers", "FileTree", "Git", "GitStore", "Programs", "Sealing",
                "SnapshotModel", "SQLite",
                "Workers", systemPackage,
            ]),
        .testTarget(
            name: "RestoreTests",
            dependencies: [
                "Capture", "Drivers", "FileTree", "Git", "GitStore", "Restore", "Sealing", "SnapshotModel",
                "TestSupport", systemPackage,
            ]),

        // Where arbitrary code may run: isolated by the kernel, looked at from inside before anything runs.
        .target(
            name: "Shadow",
            dependencies: [
                "Capture", "Cfiles", "Cryptography", "Drivers", "FileTree", "Git", "GitStore", "Judge",
                "Programs", "Restore", "Sealing", "SnapshotModel", systemPackage,
            ]),
        .testTarget(
            name: "ShadowTests",
            dependencies: [
                "Drivers", "FileTree", "GitStore", "Judge", "Programs", "Shadow", "SnapshotModel",
                "TestSupport", "understudy", systemPackage,
            ]),

        // A restore into isolation, to prove that a snapshot restores.
        .target(
            name: "Drill",
            dependencies: [
                "Capture", "Drivers", "FileTree", "Git", "GitStore", "Judge", "Programs", "Restore",
                "Sealing", "Shadow", "SnapshotModel", "SQLite", systemPackage,
            ]),
        // Two shadows, one of them with a change: stages, evidence.
        .target(
            name: "Canary",
            dependencies: [
                "Capture", "Configuration", "Cryptography", "Drivers", "FileTree", "Git", "GitStore", "Judge",
                "Programs",
                "Restore", "Sealing", "Shadow", "SnapshotModel", systemPackage,
            ]),

        // A night: what it found, whom it tells, what runs it.
        .target(
            name: "Nightly",
            dependencies: [
                "Configuration", "Drivers", "FileTree", "Programs", "SnapshotModel", systemPackage,
            ]),
        .testTarget(
            name: "NightlyTests",
            dependencies: ["Configuration", "FileTree", "Nightly", "Programs", "TestSupport", systemPackage]),

        // MARK: The command line
        // A file for each subcommand; output and exit statuses.
        .target(
            name: "Commands",
            dependencies: [
                "Archive", "Canary", "Capture", "Configuration", "Cryptography", "Drill", "Drivers",
                "FileTree", "Git",
                "GitStore", "Judge", "Nightly", "Programs", "Reports", "Restore", "Sealing", "Shadow",
                "SnapshotModel", "Workers", argumentParser, systemPackage,
            ]),
        // The executable.
        .executableTarget(name: "understudy", dependencies: ["Commands"]),
        // The steps of a snapshot and a restore, measured one by one: `make bench`.
        .executableTarget(
            name: "microbenchmarks", dependencies: ["Cryptography", "FileTree", "Git", systemPackage],
            path: "Benchmarks/Micro"),
        // What a damaged, hostile or half-written store does to those who read it.
        .testTarget(
            name: "HostileStoreTests",
            dependencies: [
                "Capture", "Cryptography", "FileTree", "Git", "GitStore", "Programs", "Restore",
                "SnapshotModel", "TestSupport", "understudy", systemPackage,
            ]),
        // Canaries and drills on a real Buildbot.
        .testTarget(
            name: "CanaryTests",
            dependencies: [
                "Canary", "Cryptography", "Drivers", "FileTree", "Git", "Judge", "Programs", "Shadow",
                "SnapshotModel", "TestSupport", "understudy", systemPackage,
            ]),
        // The binary, as its users run it.
        .testTarget(
            name: "JourneyTests",
            dependencies: [
                "Capture", "Cryptography", "Drivers", "FileTree", "Git", "GitStore", "Programs", "Restore",
                "Sealing",
                "SnapshotModel", "TestSupport", "understudy", systemPackage,
            ]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets
where ![.system, .plugin, .binary].contains(target.type)
    && !["Cfiles", "Chashes", "Cinflate", "Csearch"].contains(target.name)
{
    target.swiftSettings = settings
}
