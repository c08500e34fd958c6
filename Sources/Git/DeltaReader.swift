internal import FileTree

/// Reads what packs hold as deltas, which only git makes (`git gc`, `git repack`); used by one thread at a time.
///
/// A delta's base may be a delta itself, fifty of them after `git gc`: what was made lately is kept, because the next object
/// that is asked for is mostly made of the same.
@safe final class DeltaReader {
    /// Longer than the longest chain that git makes (4095).
    private static let longestChain = 1 << 12

    private let decompressor = Decompressor()
    private var made = RecentObjects()
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 12, alignment: 16)

    deinit {
        unsafe buffer.deallocate()
    }

    /// The kind and the contents of the object whose record begins at `offset`.
    ///
    /// Throws a ``GitError``: `damaged` for what cannot be read, or is made of more than `limit` bytes. The contents are not
    /// hashed.
    func object(
        _ id: ObjectID, at offset: Int, in pack: ObjectReader.Pack, limit: Int = .max
    ) throws(GitError) -> (kind: ObjectKind, contents: [UInt8]) {
        // From the object to the first thing that is not made of another, and back.
        var chain: [(offset: Int, header: RecordHeader)] = []
        var place = RecentObjects.Place(pack: ObjectIdentifier(pack.file), offset: offset)
        var object = made[place]
        while object == nil {
            let header = try pack.header(of: id, at: place.offset)
            guard header.size <= limit else { throw GitError.tooLong(id, header.size, limit: limit) }
            if case .whole(let kind) = header.form {
                guard let contents = unsafe decompressor.contents(header.size, of: pack.stream(header)) else {
                    throw GitError.damagedStream(of: id, in: pack.file.path)
                }
                object = (kind, contents)
                break
            }
            guard chain.count < Self.longestChain else { throw pack.damaged(id, "its deltas do not end") }
            chain.append((place.offset, header))
            place.offset = try base(of: id, header, in: pack)
            object = made[place]
        }
        guard var object else { preconditionFailure("the chain ends with an object") }
        if !chain.isEmpty { made[place] = object }
        for (offset, header) in chain.reversed() {
            object.contents = try result(id, header, of: object.contents, in: pack, limit: limit)
            place.offset = offset
            made[place] = object
        }
        return object
    }

    /// Where the record begins of which another is a delta.
    private func base(
        of id: ObjectID, _ header: RecordHeader, in pack: ObjectReader.Pack
    ) throws(GitError) -> Int {
        switch header.form {
        case .deltaOfRecord(let offset): return offset
        case .deltaOf(let base):
            guard let position = pack.index.position(of: base) else {
                throw pack.damaged(id, "it is a delta of \(base), which is not in this pack")
            }
            return try pack.offset(of: base, at: position)
        case .whole: preconditionFailure("a whole object has no base")
        }
    }

    /// What a delta makes of its base.
    private func result(
        _ id: ObjectID, _ header: RecordHeader, of base: [UInt8], in pack: ObjectReader.Pack, limit: Int
    ) throws(GitError) -> [UInt8] {
        if unsafe buffer.count < header.size {
            unsafe buffer.deallocate()
            unsafe buffer = .allocate(byteCount: header.size, alignment: 16)
        }
        let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<header.size])
        guard unsafe decompressor.decompress(pack.stream(header), into: bytes) else {
            throw GitError.damagedStream(of: id, in: pack.file.path)
        }
        guard let delta = unsafe Delta(UnsafeRawBufferPointer(bytes)), unsafe delta.baseSize == base.count
        else {
            throw pack.damaged(id, "its delta is damaged")
        }
        guard unsafe delta.resultSize <= limit else {
            throw unsafe GitError.tooLong(id, delta.resultSize, limit: limit)
        }
        return unsafe delta.result(of: base)
    }
}

/// What was made of deltas lately, and what of: as much as two generations hold, of which the older one goes as a whole.
private struct RecentObjects {
    struct Place: Hashable {
        var pack: ObjectIdentifier
        var offset: Int
    }

    /// Bytes of one generation.
    private static let most = 1 << 23

    private var young: [Place: (kind: ObjectKind, contents: [UInt8])] = [:]
    private var old: [Place: (kind: ObjectKind, contents: [UInt8])] = [:]
    private var youngBytes = 0

    /// The object at a place, nil when it is not kept.
    subscript(place: Place) -> (kind: ObjectKind, contents: [UInt8])? {
        mutating get {
            if let object = young[place] { return object }
            guard let object = old[place] else { return nil }
            self[place] = object
            return object
        }
        set {
            guard let newValue, newValue.contents.count <= Self.most, young[place] == nil else { return }
            if youngBytes + newValue.contents.count > Self.most {
                old = young
                young = [:]
                youngBytes = 0
            }
            young[place] = newValue
            youngBytes += newValue.contents.count
        }
    }
}
