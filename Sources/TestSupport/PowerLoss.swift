internal import FileTree
package import SystemPackage

/// A disk whose power fails: what it holds then of a directory, after any number of recorded calls.
///
/// The bytes of a file last when the file was synced, a name when its directory was; what was not synced may be there or
/// not, each for itself. That is harder than any real file system, so what holds here holds there.
package struct PowerLoss {
    /// What becomes of what was not synced.
    package enum Mercy: Hashable, Sendable {
        /// Nothing of it is there.
        case none
        /// Names are there, bytes are not: files of no length.
        case names
        /// All of it is there, as after a kill.
        case all
        /// Each name and each file's bytes are there or not, by this seed; bytes may be cut off.
        case some(seed: UInt64)
    }

    private final class Node {
        var isDirectory: Bool
        var bytes: [UInt8] = []
        var lastingBytes: [UInt8] = []
        var names: [String: Node] = [:]
        var lastingNames: [String: Node] = [:]

        init(isDirectory: Bool) { self.isDirectory = isDirectory }
    }

    private let root = Node(isDirectory: true)
    private var open: [Int: (node: Node, offset: Int)] = [:]
    private let log: WriteLog
    /// How many calls were made.
    package private(set) var count = 0
    /// Whether the program has said on standard output that it is done.
    package private(set) var hasSpoken = false

    /// A disk that holds what is in `directory` now, all of it for good.
    package init(_ directory: FilePath, _ log: WriteLog) throws {
        self.log = log
        try Self.load(directory, into: root)
    }

    private static func load(_ directory: FilePath, into node: Node) throws {
        for name in try Files.names(directory) {
            let name = String(decoding: name, as: UTF8.self)
            let path = directory.appending(name)
            let child = Node(isDirectory: try Files.isDirectory(path))
            if child.isDirectory {
                try load(path, into: child)
            } else {
                child.bytes = try Files.read(path)
                child.lastingBytes = child.bytes
            }
            node.names[name] = child
            node.lastingNames[name] = child
        }
    }

    /// Makes the next call; false when there is none.
    package mutating func step() throws -> Bool {
        guard count < log.calls.count else { return false }
        try make(log.calls[count])
        count += 1
        return true
    }

    private func find(_ path: String) throws -> Node {
        var node = root
        for name in path.split(separator: "/") {
            guard let next = node.names[String(name)] else {
                throw FixtureFailure("the log speaks of \(path), which was never made")
            }
            node = next
        }
        return node
    }

    private func parent(_ path: String) throws -> (Node, String) {
        let parts = path.split(separator: "/")
        return (try find(parts.dropLast().joined(separator: "/")), String(parts.last ?? ""))
    }

    private mutating func make(_ call: WriteLog.Call) throws {
        switch call {
        case .create(let path, let descriptor):
            let (directory, name) = try parent(path)
            let node = directory.names[name] ?? Node(isDirectory: false)
            directory.names[name] = node
            open[descriptor] = (node, 0)
        case .open(let path, let descriptor):
            open[descriptor] = (try find(path), 0)
        case .write(let descriptor, let path, let bytes, let place):
            guard var file = open[descriptor] else {
                throw FixtureFailure("a write to \(path) before its open")
            }
            let start = place ?? file.offset
            let missing = start + bytes.count - file.node.bytes.count
            if missing > 0 { file.node.bytes += [UInt8](repeating: 0, count: missing) }
            file.node.bytes.replaceSubrange(start..<(start + bytes.count), with: bytes)
            if place == nil { file.offset += bytes.count }
            open[descriptor] = file
        case .truncate(let descriptor, let path, let size):
            guard let file = open[descriptor] else {
                throw FixtureFailure("a cut of \(path) before its open")
            }
            file.node.bytes = Array(file.node.bytes.prefix(size))
        case .makeDirectory(let path):
            let (directory, name) = try parent(path)
            directory.names[name] = Node(isDirectory: true)
        case .rename(let from, let to):
            let (source, old) = try parent(from)
            let (target, new) = try parent(to)
            target.names[new] = source.names.removeValue(forKey: old)
        case .link(let from, let to):
            let (target, new) = try parent(to)
            target.names[new] = try find(from)
        case .unlink(let path):
            let (directory, name) = try parent(path)
            directory.names[name] = nil
        case .sync(_, let path):
            let node = try find(path)
            node.lastingBytes = node.bytes
            node.lastingNames = node.names
        case .say:
            hasSpoken = true
        }
    }

    /// Writes what is left of the disk to a directory that is not there.
    package func write(to directory: FilePath, _ mercy: Mercy) throws {
        var random = SplitMix(state: 0)
        if case .some(let seed) = mercy { random.state = seed &* 0x9e37_79b9 &+ UInt64(count) }
        try write(root, to: directory, mercy, &random)
    }

    private func write(
        _ node: Node, to path: FilePath, _ mercy: Mercy, _ random: inout SplitMix
    ) throws {
        guard node.isDirectory else {
            var bytes = node.lastingBytes
            switch mercy {
            case .none, .names: break
            case .all: bytes = node.bytes
            case .some where node.bytes != node.lastingBytes && random.next() % 2 == 0:
                bytes = Array(node.bytes.prefix(Int(random.next() % UInt64(node.bytes.count + 1))))
            case .some: break
            }
            return try Files.replace(path, with: bytes)
        }
        try Files.makeDirectory(path)
        var names = node.lastingNames
        switch mercy {
        case .none: break
        case .names, .all: names = node.names
        case .some:
            for name in Set(node.names.keys).union(node.lastingNames.keys).sorted()
            where node.names[name] !== node.lastingNames[name] && random.next() % 2 == 0 {
                names[name] = node.names[name]
            }
        }
        for (name, child) in names.sorted(by: { $0.key < $1.key }) {
            try write(child, to: path.appending(name), mercy, &random)
        }
    }
}

/// Random numbers that are the same for the same seed (Steele, Lea and Flood, 2014).
package struct SplitMix: RandomNumberGenerator {
    /// The seed.
    package var state: UInt64

    /// Numbers from a seed.
    package init(state: UInt64) { self.state = state }

    /// The next number.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
