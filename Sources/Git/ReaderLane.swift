package import Cryptography
/// One thread's way out of a repository: its decompressor and its buffer serve one object after the other.
@safe package final class ReaderLane {
    private let reader: ObjectReader
    private let decompressor = Decompressor()
    private lazy var deltas = DeltaReader()
    private var bytesRead = 0
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 4096)

    /// A lane of a reader.
    package init(_ reader: ObjectReader) {
        self.reader = reader
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Hands the contents of an object to `body`, in pieces and in order.
    ///
    /// With `checks` the pieces are hashed on their way and must have the object's id in the end; without, the caller has
    /// a digest of its own. Throws a ``GitError``: `notFound`, or `damaged` for what cannot be read, is of another kind or
    /// has another id; `body` may have had pieces by then.
    @unsafe package func read(
        _ id: ObjectID, _ kind: ObjectKind, checks: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard checks else { return try unsafe eachPiece(of: id, kind) { _, piece in try unsafe body(piece) } }
        try unsafe check(id, kind) { hash, piece in
            unsafe hash.update(piece)
            try unsafe body(piece)
        }
    }

    /// The objects that a ``NumberedTree`` lists, checked against its id.
    package func list(_ id: ObjectID) throws -> [ObjectID] {
        let contents = try reader.contents(id, .tree)
        guard ObjectID.of(.tree, contents) == id else {
            throw GitError(.damaged, "read tree \(id)", "its contents have another id")
        }
        return try NumberedTree.ids(contents, of: id)
    }

    /// Checks an object against its id, adds its contents to `digest`, and returns their size in bytes.
    ///
    /// Throws as ``read(_:_:checks:_:)`` does.
    package func check(_ id: ObjectID, _ kind: ObjectKind, adding digest: inout SHA256) throws -> Int {
        var size = 0
        try unsafe check(id, kind) { hash, piece in
            unsafe hash.update(piece, and: &digest)
            size += piece.count
        }
        return size
    }

    @unsafe private func check(
        _ id: ObjectID, _ kind: ObjectKind, _ body: (inout ObjectHash, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var hash: ObjectHash?
        try unsafe eachPiece(of: id, kind) { size, piece in
            var running = hash ?? ObjectHash(kind, count: size)
            try unsafe body(&running, piece)
            hash = running
        }
        guard hash?.finish() == id else {
            throw GitError(.damaged, "read \(kind.word) \(id)", "its contents have another id")
        }
    }

    /// Hands the size of an object and a piece of it to `body`, piece by piece; an empty object is one empty piece.
    @unsafe private func eachPiece(
        of id: ObjectID, _ kind: ObjectKind, _ body: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let place = try unsafe place(of: id, kind) else {
            return try unsafe other(id, kind).withUnsafeBytes { try unsafe body($0.count, $0) }
        }
        if var blocks = unsafe StoredBlocks(place) {
            while let block = unsafe blocks.next() { try unsafe body(place.size, block) }
        } else {
            if unsafe buffer.count < place.size {
                unsafe buffer.deallocate()
                unsafe buffer = .allocate(byteCount: place.size, alignment: 4096)
            }
            let output = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<place.size])
            try unsafe decompress(id, place, into: output)
            try unsafe body(place.size, UnsafeRawBufferPointer(output))
        }
        unsafe forget(place.size)
    }

    /// The contents of an object as bytes of their own, checked against its id unless the caller looks at them himself.
    package func contents(_ id: ObjectID, _ kind: ObjectKind, checks: Bool = true) throws -> [UInt8] {
        var contents: [UInt8] = []
        try unsafe read(id, kind, checks: checks) { unsafe contents.append(contentsOf: $0) }
        return contents
    }

    /// Where an object of a kind lies that a pack holds whole; nil for a delta, for a loose object, and for one that is not there.
    @unsafe func place(of id: ObjectID, _ kind: ObjectKind) throws(GitError) -> ObjectReader.Place? {
        guard let place = try unsafe reader.place(of: id) else { return nil }
        try unsafe checkKind(place.kind, kind, id)
        return unsafe place
    }

    /// The contents of an object that no pack holds whole.
    func other(_ id: ObjectID, _ kind: ObjectKind) throws(GitError) -> [UInt8] {
        let object: (kind: ObjectKind, contents: [UInt8])
        if let (pack, position) = reader.find(id) {
            object = try deltas.object(id, at: pack.offset(of: id, at: position), in: pack)
        } else {
            object = try reader.loose(id)
        }
        try checkKind(object.kind, kind, id)
        forget(object.contents.count)
        return object.contents
    }

    /// Decompresses an object to `output`, which is as long as it.
    @unsafe func decompress(
        _ id: ObjectID, _ place: ObjectReader.Place, into output: UnsafeMutableRawBufferPointer
    ) throws(GitError) {
        guard unsafe decompressor.decompress(place.stream, into: output) else {
            throw unsafe GitError.damagedStream(of: id, in: place.pack)
        }
    }

    private func checkKind(_ found: ObjectKind, _ wanted: ObjectKind, _ id: ObjectID) throws(GitError) {
        guard found == wanted else {
            throw GitError(.damaged, "read \(wanted.word) \(id)", "it is a \(found.word)")
        }
    }

    /// Takes note that so many bytes were read.
    ///
    /// Most is read once: its pages need not stay in this process's memory.
    package func forget(_ count: Int) {
        bytesRead += count
        guard bytesRead >= 1 << 24 else { return }
        bytesRead = 0
        reader.forgetPages()
    }
}
