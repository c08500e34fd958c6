internal import FileTree
internal import FoundationEssentials
internal import SnapshotModel
internal import SystemPackage

/// Lets a running Jenkins read single jobs again, through its web interface and with a user's API token.
///
/// `POST /job/NAME/reload` is what the command line's `reload-job` does: the job, its next build number and its builds are read
/// from the home; a token needs no crumb.
struct JenkinsReload: Reloading {
    /// Who asks, and the file that holds the API token.
    struct Access {
        var user: String
        var tokenFile: FilePath

        /// Asks the server at an address as this user.
        func probe(_ url: String) throws -> HTTPProbe {
            let bytes = try Files.readIfPresent(tokenFile, limit: 1 << 16) ?? []
            let token = String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
            guard !token.isEmpty else {
                throw DriverFailure(
                    "\(tokenFile) holds no API token of \(user)",
                    hint:
                        "make one in Jenkins (user, Security, API Token) and write it there, or take 'token' out"
                )
            }
            let word = Data("\(user):\(token)".utf8).base64EncodedString()
            return HTTPProbe(url, headers: ["Authorization: Basic \(word)"])
        }
    }

    let home: FilePath
    let url: String
    let access: Access

    /// Jenkins reads every build of a job again before it answers.
    private static let limit = Duration.seconds(120)

    func way(for paths: [(root: String, path: EntryPath)]) async throws -> ReloadWay {
        let probe = try access.probe(url)
        var targets: [String] = []
        do {
            for (root, path) in paths {
                guard root == "home", let target = try Self.address(of: path, in: home) else {
                    return .restart(reason: "Jenkins reads \(path) at its start alone")
                }
                let answer = try await probe.get("\(target)/api/json?tree=name")
                switch answer.status {
                case 200: targets.append(target)
                case 404:
                    return .restart(
                        reason:
                            "the running Jenkins has no item at \(target), and reads new ones at its start")
                default:
                    return .restart(
                        reason:
                            "Jenkins answers \(answer.status) to \(access.user) with the token of \(access.tokenFile)"
                    )
                }
            }
        } catch let failure as HTTPFailure where failure.isRefused {
            return .idle
        } catch let failure as HTTPFailure {
            return .restart(reason: failure.description)
        }
        return .reload(words: targets.joined(separator: ", "), targets: targets)
    }

    func reload(_ targets: [String]) async throws {
        var probe = try access.probe(url)
        probe.limit = Self.limit
        for target in targets {
            do {
                let answer = try await probe.begin("\(target)/reload").answer
                guard answer.status < 400 else {
                    throw DriverFailure(
                        "Jenkins did not reload \(target): it answers \(answer.status)",
                        hint: "the user of the token needs the right to configure the job; see Jenkins' log")
                }
                let found = try await probe.get("\(target)/api/json?tree=name").status
                guard found == 200 else {
                    throw DriverFailure(
                        "Jenkins reloaded \(target), and answers \(found) when asked for it",
                        hint: "its log says why the job does not load")
                }
            } catch let failure as HTTPFailure where failure.isRefused {
                // It was stopped since: it finds the files at its next start.
                return
            } catch let failure as HTTPFailure {
                throw DriverFailure(
                    "Jenkins did not say whether it reloaded \(target): \(failure)",
                    hint: "look at the job in its web interface, and reload it there or restart Jenkins")
            }
        }
    }

    /// The address of the job in a directory: `/job/team/job/deploy` of `jobs/team/jobs/deploy`.
    ///
    /// Nil for anything else, and for an item whose directory is called otherwise than the item, as that of a branch.
    static func address(of path: EntryPath, in home: FilePath) throws -> String? {
        let names = path.components
        guard !names.isEmpty, names.count.isMultiple(of: 2) else { return nil }
        var address = ""
        var here = EntryPath.root
        for (container, name) in zip(
            stride(from: 0, to: names.count, by: 2).map { names[$0] },
            stride(from: 1, to: names.count, by: 2).map { names[$0] })
        {
            guard container.elementsEqual("jobs".utf8) else { return nil }
            here = here.appending(container).appending(name)
            let mark = FilePath(bytes: home.byteArray + "/".utf8 + here.bytes + "/name-utf8.txt".utf8)
            if let title = try Files.readIfPresent(mark, limit: 1 << 16),
                !title.filter({ $0 != 10 }).elementsEqual(name)
            {
                return nil
            }
            address += "/job/" + percentEncoded(name, keeping: isUnreserved)
        }
        return address
    }
}
