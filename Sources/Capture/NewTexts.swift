internal import FileTree
internal import Git
internal import Synchronization
internal import SystemPackage

/// Manifest parts, locks and listings that were given to a sink and that nobody can read from it before it is finished.
///
/// A night may touch every part of a manifest, so they are kept in a file: memory need not hold what is read once, when
/// the night is compared with the last.
package final class NewTexts: Sendable {
    private struct Place {
        var offset: Int64
        var count: Int
    }

    private struct State {
        var places: [ObjectID: Place] = [:]
        var end: Int64 = 0
        var file: NamelessFile?
    }

    private let sink: any ObjectSink
    private let directory: FilePath
    private let state = Mutex(State())

    /// No texts; `directory` is where there is room for them.
    init(of sink: any ObjectSink, in directory: FilePath) {
        self.sink = sink
        self.directory = directory
    }

    /// Keeps a text, when it will be asked for and is not in the repository.
    @unsafe func add(_ id: ObjectID, _ text: UnsafeRawBufferPointer) throws {
        guard sink.isReadBack, !sink.holds(id) else { return }
        let (file, place) = try state.withLock { state in
            let file = try state.file ?? NamelessFile(in: directory)
            state.file = file
            guard state.places[id] == nil else { return (file, Place?.none) }
            let place = Place(offset: state.end, count: text.count)
            state.places[id] = place
            state.end += Int64(place.count)
            return (file, place)
        }
        if let place { try unsafe file.write(text, at: place.offset) }
    }

    /// Keeps a text, when it will be asked for and is not in the repository.
    func add(_ id: ObjectID, _ text: [UInt8]) throws {
        try unsafe text.withUnsafeBytes { try unsafe add(id, $0) }
    }

    /// A text, nil when it was not kept; to be asked for when all were added.
    func text(_ id: ObjectID) throws -> [UInt8]? {
        let (file, place) = state.withLock { ($0.file, $0.places[id]) }
        guard let file, let place else { return nil }
        return try file.read(place.count, at: place.offset)
    }
}
