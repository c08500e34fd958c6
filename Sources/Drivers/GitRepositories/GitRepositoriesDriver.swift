internal import FileTree
package import SnapshotModel
package import SystemPackage

/// Directories of git repositories, bare or with working trees.
///
/// All files of a repository are captured as files, HEAD, references and reflogs among them; only its objects are not:
/// what the captured references name goes into the store as git objects, once for all nights and forks. No program runs
/// in a captured repository, so that nothing its configuration says is ever obeyed.
package struct GitRepositoriesDriver: Driver {
    package static let name = "git-repositories"
    package static let settings: [SettingKey] = [
        SettingKey("paths", .paths, required: true, help: "directories of git repositories, or repositories")
    ]

    private var files: FilesDriver
    /// What a survey found in each root; nil where each question is a search of its own.
    private var found: [String: [RepositorySearch.Found]]?

    package init(_ component: Component) throws {
        files = try FilesDriver(component)
    }

    /// Finds a repository, or a directory of nothing but repositories and directories of them.
    package static func detect(_ path: FilePath) throws -> Detection? {
        let count = try RepositorySearch.count(in: path, depth: 2)
        guard count > 0 else { return nil }
        return Detection(
            name: path.lastComponent?.string ?? "repositories", settings: ["paths": .list([path.string])],
            summary: counted(count, "git repository"))
    }

    package func places() -> [Root] { files.places() }

    package func roots() throws -> [Root] { try files.roots() }

    package func faults() -> [RootFault] { files.faults() }

    package func relocated(to roots: [String: FilePath]) -> GitRepositoriesDriver {
        var driver = self
        driver.files = files.relocated(to: roots)
        driver.found = nil
        return driver
    }

    package func calling(roots names: [String]) -> GitRepositoriesDriver {
        var driver = self
        driver.files = files.calling(roots: names)
        driver.found = nil
        return driver
    }

    package func surveyed() -> GitRepositoriesDriver {
        var driver = self
        driver.found = Dictionary(
            places().map { ($0.name, RepositorySearch.all(in: FilePath($0.path), called: $0.name)) }
        ) { first, _ in first }
        return driver
    }

    private func all(in root: Root) -> [RepositorySearch.Found] {
        found?[root.name] ?? RepositorySearch.all(in: FilePath(root.path), called: root.name)
    }

    package var mayHaveRepositories: Bool { true }

    package func repositories() -> [SourceRepository] {
        places().flatMap { root in
            all(in: root).filter { $0.reason == nil }.map { SourceRepository(root: root.name, path: $0.path) }
        }
    }

    package func classification(of root: String) -> Classification {
        var rules: [Classification.Rule] = []
        for place in places() where place.name == root {
            for repository in all(in: place) where repository.reason == nil {
                rules += RepositoryClasses.rules(repository.path, in: FilePath(place.path))
            }
        }
        return Classification(
            rules + FilesDriver.secretRules + FilesDriver.databaseRules, defaultClass: .source)
    }

    package func freeze(scratch: FilePath, cache: FilePath) async throws -> Frozen {
        var frozen = Frozen()
        for root in places() {
            for case (let path, let reason?) in all(in: root) {
                switch reason {
                case .asFiles(let why):
                    frozen.notes.append(
                        "\(root.name)/\(path): its objects are captured as files, because \(why)")
                case .behindLink(let name):
                    frozen.unreadable.append(
                        .init(
                            path: "\(root.name)/\(path.appending(Array(name.utf8)))",
                            reason:
                                "it is a link, and what the repository has behind it is not captured: put the directory in its "
                                + "place, or bind-mount it there"))
                case .elsewhere(let name, let place) where !captures(place):
                    let file = "\(root.name)/\(path.appending(name))"
                    let words =
                        "at \(printable(place.byteArray)), which is not captured here: add what holds it to 'paths'"
                    if name == ".git" {
                        frozen.notes.append("\(file): the repository of this working tree is \(words)")
                    } else {
                        frozen.unreadable.append(
                            .init(path: file, reason: "its objects and references are \(words)"))
                    }
                case .elsewhere: break
                }
            }
        }
        return frozen
    }

    /// Whether a place is in one of the roots.
    private func captures(_ place: FilePath) -> Bool {
        let place = RepositorySearch.resolved(place)
        return places().contains { root in
            let root = FilePath(root.path)
            return place.starts(with: root) || place.starts(with: RepositorySearch.resolved(root))
        }
    }

    package func tips(of repository: SourceRepository, in source: any FileSource) throws -> SourceTips {
        try RepositoryState(repository, source).tips
    }

    package func inventory(of source: any FileSource) throws -> Inventory {
        guard let index = try source.lock(SourcesLock.name) else { return Inventory() }
        var items: [Inventory.Item] = []
        for line in try SourcesLock(index).lines {
            items.append(.init(kind: "repository", name: line.repository.name))
            guard let listing = try source.lock(line.repository.referencesName) else { continue }
            for reference in String(decoding: listing, as: UTF8.self).split(separator: "\n") {
                let words = reference.split(separator: " ", maxSplits: 1)
                guard words.count == 2 else { continue }
                let value = words[0].hasPrefix("ref:") ? words[0].dropFirst(4) : words[0].prefix(10)
                items.append(
                    .init(
                        kind: "ref", name: "\(line.repository.name) \(words[1])", digest: String(words[0]),
                        detail: String(value)))
            }
        }
        return Inventory(items: items)
    }
}
