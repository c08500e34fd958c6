import Drivers
import FileTree
import Git
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Capture

/// What is told of a component that was just captured.
@Suite struct ComponentStateTests {
    @Test func whatARestoreKeepsForUndoIsNotCaptured() throws {
        let component = Component(name: "proxy", driver: "files", settings: ["paths": .list(["/srv"])])
        let driver = try FilesDriver(component)
        let options = CaptureOptions(rules: ["proxy": [.init("**", .config)]])
        let nightly = ComponentCapture.classification("srv", of: driver, "proxy", options)
        let staged = ComponentCapture.classification(
            "srv", of: driver, "proxy", options, takesWhatIsKept: true)
        for path in ["", "a/b/"].map({ EntryPath($0 + ".understudy-20261123T232601Z-0e73-0/state.sqlite") }) {
            #expect(nightly.entryClass(of: path, isDirectory: false) == .derived)
            #expect(staged.entryClass(of: path, isDirectory: false) == .config)
        }
        for path in [".understudy-x/a", ".understudy-20261123T232601Z-0e73-0"].map({ EntryPath($0) }) {
            #expect(nightly.entryClass(of: path, isDirectory: false) == .config)
        }
    }

    @Test func aKeyThatASettingNamesIsASecretWhereverItIsCaptured() throws {
        try withTemporaryDirectory { directory in
            let place = directory.appending("etc")
            try Files.makeDirectory(place)
            try Files.replace(place.appending("real"), with: Array("0123456789abcdef".utf8))
            try Files.makeLink(place.appending("jenkins"), to: Array("real".utf8))
            let jenkins = Component(
                name: "ci", driver: "jenkins",
                settings: [
                    "home": .text("/h"), "masterKey": .text("\(place)/jenkins"), "url": .text("http://ci/"),
                    "user": .text("ann"), "token": .text("\(place)/ci/ann"),
                ])
            let files = Component(name: "etc", driver: "files", settings: ["paths": .list([place.string])])
            let drivers: [any Driver] = [try JenkinsDriver(jenkins), try FilesDriver(files)]
            let system = DeliverySystem(
                name: "acme", text: [], components: [(jenkins, drivers[0]), (files, drivers[1])],
                options: CaptureOptions(rules: ["etc": [.init("**", .config)]]),
                recipients: [], host: "here", tool: "0")
            let root = try #require(drivers[1].places().first).name
            let classes = ComponentCapture.classification(root, of: drivers[1], "etc", system.options)
            for (path, expected) in [
                ("jenkins", EntryClass.secret), ("real", .secret), ("ci/ann", .secret), ("ci/bob", .config),
            ] {
                #expect(classes.entryClass(of: EntryPath(path), isDirectory: false) == expected, "\(path)")
            }
            #expect(system.options.rules["ci"] == nil)
            // What the policy leaves out stays so.
            let left = DeliverySystem(
                name: "acme", text: [], components: system.components,
                options: CaptureOptions(rules: ["etc": [.init("**", .state)]], leftOut: [.state]),
                recipients: [], host: "here", tool: "0")
            #expect(left.options.rules["etc"] == [.init("**", .state)])
        }
    }

    @Test(arguments: [false, true])
    func aFileThatWentAwayAfterItWasCapturedIsNotTold(_ isDirectoryNow: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            let local = directory.appending("local")
            try Files.makeDirectory(tree)
            try Files.makeDirectory(local)
            try Files.replace(tree.appending("file"), with: Array("one\n".utf8))
            _ = try Repository(creatingBareAt: directory.appending("store.git"))
            let reader = try ObjectReader(directory.appending("store.git"))
            let sink = Rehearsal(reader)
            let component = Component(
                name: "proxy", driver: "files",
                settings: ["paths": .list([tree.string])])
            let result = try await ComponentCapture(
                component, driver: try FilesDriver(component), sink: sink, options: CaptureOptions(),
                sealer: nil, local: local
            ).run(previous: [:])
            let state = ComponentState(result, sink: sink, reader: reader, identities: nil)
            let root = try #require(result.captured.roots.first).name
            let path = EntryPath("file")
            #expect(try state.source.contents(root: root, path: path) == Array("one\n".utf8))
            #expect(state.untold == [])
            try Files.remove(tree.appending("file"))
            if isDirectoryNow { try Files.makeDirectory(tree.appending("file")) }
            #expect(try state.source.contents(root: root, path: path) == nil)
            #expect(state.untold == ["\(root)/file"])
        }
    }
}
