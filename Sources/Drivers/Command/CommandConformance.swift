internal import FileTree
internal import Programs
package import SnapshotModel
internal import SystemPackage

/// Finds out whether the commands of a component keep the contract, for those who write them.
package struct CommandConformance: Sendable {
    /// One check, and what came of it.
    package struct Finding: Hashable, Sendable, Encodable {
        /// What was checked.
        package var check: String
        /// What is wrong, nil when nothing is.
        package var problem: String?
    }

    private let contract: CommandContract

    /// A check of a component with driver `command`.
    package init(_ component: Component) throws {
        contract = try CommandContract(component)
    }

    /// Runs the checks in scratch directories below `scratch`; `restores` allows those that restore the tool's own state.
    ///
    /// The tool must be idle: what changes by itself between two captures is told as a breach.
    package func run(restores: Bool, scratch: String, progress: (String) -> Void) async throws -> [Finding] {
        let scratch = try Scratch(in: FilePath(scratch))
        defer { withExtendedLifetime(scratch) {} }
        var findings: [Finding] = []
        var count = 0
        func fresh() throws -> FilePath {
            count += 1
            let directory = scratch.path.appending("\(count)")
            try Files.makeDirectory(directory, mode: 0o700)
            return directory
        }
        func check(_ name: String, _ body: () async throws -> String?) async {
            progress(name)
            do {
                findings.append(Finding(check: name, problem: try await body()))
            } catch {
                findings.append(Finding(check: name, problem: "\(error)"))
            }
        }
        let first = try fresh()
        await check("capture writes regular files with names of one line") {
            try await contract.succeed(.capture, in: first)
            let export = try Export(first)
            guard export.refused.isEmpty else {
                return export.refused.map { "\($0.path): \($0.reason)" }.joined(separator: "; ")
            }
            return export.files.isEmpty ? "it wrote no file" : nil
        }
        /// What differs between now and the first capture.
        func again() async throws -> String? {
            let directory = try fresh()
            try await contract.succeed(.capture, in: directory)
            let names = try Export(directory).differences(from: Export(first))
            return names.isEmpty ? nil : "other contents: \(names.prefix(5).joined(separator: ", "))"
        }
        await check("a second capture of the idle tool is the same bytes") { try await again() }
        for step in [CommandContract.Step.ready, .healthy, .version] where contract.has(step) {
            await check("\(step.rawValue) succeeds on the running tool") {
                try await contract.succeed(step, in: "/")
                return nil
            }
        }
        guard restores, findings.allSatisfy({ $0.problem == nil }) else { return findings }
        let copy = try fresh()
        for file in try Export(first).files {
            let place = copy.appending(file.name)
            try Files.makeDirectories(place.removingLastComponent(), mode: 0o700)
            try Files.replace(place, with: Files.read(file.path), mode: 0o600)
        }
        func around(_ body: () async throws -> Void) async throws {
            if contract.has(.stop) { try await contract.succeed(.stop, in: "/") }
            try await body()
            if contract.has(.start) { try await contract.succeed(.start, in: "/") }
            for _ in 0..<120 {
                guard let ready = try await contract.run(.ready, in: "/"), ready.status != 0 else { return }
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        await check("what was captured is restored, and captured again it is the same bytes") {
            try await around { try await contract.succeed(.restore, in: copy) }
            return try await again()
        }
        await check("restore leaves the directory that it reads alone") {
            let names = try Export(copy).differences(from: Export(first))
            return names.isEmpty ? nil : "it changed \(names.joined(separator: ", "))"
        }
        await check("restored twice in a row it is the same") {
            try await around {
                try await contract.succeed(.restore, in: copy)
                try await contract.succeed(.restore, in: copy)
            }
            return try await again()
        }
        await check("killed in the middle and run again, restore is as if nothing had happened") {
            try await around {
                for milliseconds in [10, 50, 200] {
                    try await contract.kill(.restore, in: copy, after: milliseconds)
                }
                try await contract.succeed(.restore, in: copy)
            }
            return try await again()
        }
        await check("restore of an empty directory fails instead of emptying the tool") {
            let empty = try fresh()
            let status = try await contract.run(.restore, in: empty)?.status
            let after = try await again()
            return status == 0 ? "it ended with 0" : after
        }
        return findings
    }
}
