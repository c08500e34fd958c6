package import Drivers
internal import FileTree
package import SnapshotModel
package import SystemPackage

/// What was found at the paths given to `understudy init`.
package struct Discovery: Hashable, Sendable {
    /// One component, where it was found and what it is.
    package struct Finding: Hashable, Sendable {
        /// The component, ready for a system file.
        package var component: Component
        /// The directory it was found at, absolute.
        package var path: FilePath
        /// One line for people: `Jenkins 2.462.3, 88 plugins`.
        package var summary: String
    }

    /// The findings: by the order of the given paths, then by path.
    package var findings: [Finding] = []
    /// What people should know: directories that could not be looked into, files that no component holds.
    package var notes: [String] = []

    /// The components found.
    package var components: [Component] { findings.map(\.component) }

    /// The driver for a directory that is nothing else.
    package static let fallback = "files"
    /// How far below a given path components are looked for.
    static let depth = 2
    /// How many directories are looked at below one given path.
    static let limit = 20_000

    /// Looks at each path and, where it is no component itself, at the directories below it.
    ///
    /// Throws a ``DiscoveryFailure`` when a path is missing, is no readable directory, or lies in another one.
    package init(paths: [FilePath], kinds: [any Driver.Type] = driverKinds) throws {
        guard !paths.isEmpty else {
            throw DiscoveryFailure(
                "no path was given",
                hint: "name the directories of the system: understudy init /var/lib/jenkins")
        }
        let starts = try paths.map(Self.start)
        try Self.refuseNested(starts, given: paths)
        for start in starts {
            try search(start, kinds: kinds)
        }
    }

    /// The real path of a directory that can be read and written down.
    private static func start(_ path: FilePath) throws -> FilePath {
        let shown = printable(path.byteArray)
        do {
            guard try Files.exists(path) else {
                guard !path.isNoText else {
                    throw DiscoveryFailure(
                        "there is nothing at \(shown): the path that was given is not UTF-8, and is not looked for",
                        hint: "rename the directory, or give a link to it")
                }
                throw DiscoveryFailure(
                    "there is nothing at \(shown)",
                    hint: "check the path; components are looked for on this host")
            }
            guard try Files.isDirectory(path) else {
                throw DiscoveryFailure(
                    "\(shown) is not a directory", hint: "name the directory that holds it")
            }
            let resolved = try Files.resolved(path)
            _ = try pathText(resolved, as: "the component")
            _ = try Files.names(resolved)
            return resolved
        } catch let error as FileFailure {
            throw DiscoveryFailure(
                "cannot look into \(shown): \(error)",
                hint: "run it as root or as the user that the CI tool runs as")
        }
    }

    private static func refuseNested(_ starts: [FilePath], given: [FilePath]) throws {
        for (index, path) in starts.enumerated() {
            for (other, start) in starts.enumerated() where other != index && path.starts(with: start) {
                let inner = printable(given[index].byteArray)
                let outer = printable(given[other].byteArray)
                throw DiscoveryFailure(
                    path == start
                        ? "\(inner) and \(outer) are the same directory" : "\(inner) lies in \(outer)",
                    hint: "name each directory once, and none inside another")
            }
        }
    }

    /// Adds what is found at a path and below it.
    private mutating func search(_ start: FilePath, kinds: [any Driver.Type]) throws {
        let known = kinds.filter { $0.name != Self.fallback }
        if let finding = try detect(start, known) {
            findings.append(finding)
            try addWhatIsBeside(finding, in: start)
            return
        }
        let before = findings.count
        var left: [FilePath] = []
        var seen = 1
        try searchBelow(start, depth: Self.depth, kinds: known, seen: &seen, left: &left)
        if findings.count > before {
            guard !left.isEmpty else { return }
            let names = left.prefix(5).map { printable($0.byteArray) }.joined(separator: ", ")
            let more = left.count > 5 ? " and \(left.count - 5) more" : ""
            notes.append(
                "of \(printable(start.byteArray)) only the components found are captured; left out: \(names)\(more)"
            )
            return
        }
        guard kinds.contains(where: { $0.name == Self.fallback }) else {
            throw DiscoveryFailure(
                "nothing was found at \(printable(start.byteArray)) or \(Self.depth) levels below",
                hint: "name the directory of a component itself")
        }
        let path = try pathText(start, as: "the component")
        let component = Component(
            name: uniqueName(start.lastComponent?.string ?? "root"), driver: Self.fallback,
            settings: ["paths": .list([path])])
        findings.append(Finding(component: component, path: start, summary: "files"))
    }

    /// Adds the directories in `start` that a component which consists of some of them does not hold, as files.
    private mutating func addWhatIsBeside(_ finding: Finding, in start: FilePath) throws {
        let held = finding.component.settings.values.flatMap { value -> [FilePath] in
            switch value {
            case .text(let text): text.hasPrefix("/") ? [FilePath(text)] : []
            case .list(let texts): texts.map { FilePath($0) }
            case .map: []
            }
        }
        guard !held.contains(start) else { return }
        var beside: [String] = []
        for name in try Files.names(start) {
            let path = start.pushing(FilePath(bytes: name))
            guard !held.contains(where: { $0.starts(with: path) }) else { continue }
            let isDirectory = try Files.status(path)?.kind == .directory
            guard isDirectory, String(validating: name, as: UTF8.self) != nil else {
                let why =
                    isDirectory ? "its name is not UTF-8, and a system file is text" : "it is no directory"
                notes.append("\(printable(path.byteArray)) is in no component: \(why)")
                continue
            }
            beside.append(try pathText(path, as: "the component"))
        }
        guard !beside.isEmpty else { return }
        let component = Component(
            name: uniqueName("files"), driver: Self.fallback, settings: ["paths": .list(beside)])
        findings.append(
            Finding(
                component: component, path: start,
                summary: beside.map { FilePath($0).lastComponent?.string ?? $0 }.joined(separator: ", ")))
    }

    /// Looks at the directories in `directory`; `left` gathers what is in no component.
    private mutating func searchBelow(
        _ directory: FilePath, depth: Int, kinds: [any Driver.Type], seen: inout Int, left: inout [FilePath]
    ) throws {
        for name in try Files.names(directory) {
            let path = directory.pushing(FilePath(bytes: name))
            guard try Files.status(path)?.kind == .directory else {
                left.append(path)
                continue
            }
            seen += 1
            guard seen <= Self.limit else {
                throw DiscoveryFailure(
                    "there are more than \(Self.limit) directories in \(printable(directory.byteArray)) and around it",
                    hint: "name the directories of the components themselves")
            }
            guard String(validating: name, as: UTF8.self) != nil else {
                note(path, "its name is not UTF-8, and a system file is text")
                left.append(path)
                continue
            }
            do {
                if let finding = try detect(path, kinds) {
                    findings.append(finding)
                    try addWhatIsBeside(finding, in: path)
                } else if depth > 1 {
                    let found = findings.count
                    var leftBelow: [FilePath] = []
                    try searchBelow(path, depth: depth - 1, kinds: kinds, seen: &seen, left: &leftBelow)
                    left += findings.count > found ? leftBelow : [path]
                } else {
                    left.append(path)
                }
            } catch let error as DiscoveryFailure {
                throw error
            } catch {
                // One directory that cannot be looked into must not hide the others; it is told.
                note(path, "\(error)")
                left.append(path)
            }
        }
    }

    /// Notes once that a directory was passed over.
    private mutating func note(_ path: FilePath, _ reason: String) {
        let start = "\(printable(path.byteArray)) was not looked into: "
        guard !notes.contains(where: { $0.hasPrefix(start) }) else { return }
        notes.append(start + reason)
    }

    /// The component at a path, by the first driver that knows it.
    private mutating func detect(_ path: FilePath, _ kinds: [any Driver.Type]) throws -> Finding? {
        for kind in kinds {
            let found: Detection?
            do {
                found = try kind.detect(path)
            } catch let failure as FileFailure {
                guard let closed = try Self.closed(failure, below: path, kind) else { throw failure }
                note(closed, "\(failure)")
                continue
            }
            guard let detection = found else { continue }
            let component = Component(
                name: uniqueName(detection.name), driver: kind.name, settings: detection.settings)
            return Finding(component: component, path: path, summary: detection.summary)
        }
        return nil
    }

    /// The directory right in `path` that we may not look into, nil when a driver failed of something else.
    ///
    /// What is merely below must not hide the rest.
    private static func closed(
        _ failure: FileFailure, below path: FilePath, _ kind: any Driver.Type
    ) throws -> FilePath? {
        let place = FilePath(bytes: failure.path)
        let depth = path.components.count + 1
        guard failure.reason == .permissionDenied, place.starts(with: path), place.components.count >= depth
        else { return nil }
        var child = place
        while child.components.count > depth { child.removeLastComponent() }
        // A driver that knows the path already may want to list what is in it, and then cannot do without.
        guard child != place || kind.name == GitRepositoriesDriver.name,
            try Files.status(child)?.kind == .directory
        else { return nil }
        do {
            _ = try Files.names(child)
            return nil
        } catch {
            return error.reason == .permissionDenied ? child : nil
        }
    }

    /// A valid name near `wish` that no component has yet.
    private func uniqueName(_ wish: String) -> String {
        let base = validName(wish)
        let taken = Set(components.map(\.name))
        guard taken.contains(base) else { return base }
        // One of them is free: there are fewer names than numbers.
        let free = (2...taken.count + 2).first { !taken.contains("\(base)-\($0)") }
        return "\(base)-\(free ?? taken.count + 2)"
    }
}

/// The name of a component or system that is nearest to `wish`.
package func validName(_ wish: String) -> String {
    var name = ""
    for scalar in wish.lowercased().unicodeScalars.prefix(60) {
        let isAllowed = scalar.isASCII && isName("a" + String(scalar) + "a")
        if isAllowed {
            if scalar != "." || !name.hasSuffix(".") { name.unicodeScalars.append(scalar) }
        } else if !name.isEmpty && !name.hasSuffix("-") {
            name += "-"
        }
    }
    name = String(name.drop { !isName(String($0)) })
    while true {
        if name.hasSuffix(".lock") {
            name.removeLast(5)
        } else if let last = name.last, "-._".contains(last) {
            name.removeLast()
        } else {
            break
        }
    }
    return isName(name) && !Snapshot.reservedNames.contains(name) ? name : "component"
}

/// Paths in which no system can be looked for.
package struct DiscoveryFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which path, and why.
    package var description: String
    /// What to do.
    package var hint: String

    init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}
