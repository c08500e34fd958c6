internal import FileTree

/// What stands before the compressed bytes of a record, as git's pack-format has it.
struct RecordHeader {
    /// What the compressed bytes are.
    enum Form {
        /// An object.
        case whole(ObjectKind)
        /// What is to be made of the object whose record begins at this place of the pack.
        case deltaOfRecord(at: Int)
        /// What is to be made of this object, which the same pack holds.
        case deltaOf(ObjectID)
    }

    var form: Form
    /// How many bytes were compressed.
    var size: Int
    /// Where in the pack the compressed bytes begin.
    var stream: Int

    /// The kind and length: three bits, four bits, then seven bits a byte.
    static func bytes(type: UInt8, count: Int) -> [UInt8] {
        unsafe Array(unsafeUninitializedCapacity: 10) { room, used in
            used = unsafe write(type: type, count: count, to: UnsafeMutableRawBufferPointer(room))
        }
    }

    /// Writes the same to where there is room for ten bytes; returns how many it took.
    @unsafe static func write(type: UInt8, count: Int, to room: UnsafeMutableRawBufferPointer) -> Int {
        var used = 0
        var byte = type << 4 | UInt8(count & 15)
        var rest = count >> 4
        while rest > 0 {
            unsafe room[used] = byte | 0x80
            used += 1
            byte = UInt8(rest & 0x7f)
            rest >>= 7
        }
        unsafe room[used] = byte
        return used + 1
    }
}

extension ObjectReader.Pack {
    /// Where its records end.
    var end: Int { unsafe file.bytes.count - 20 }

    func damaged(_ id: ObjectID, _ reason: String) -> GitError {
        GitError(.damaged, "read object \(id) of \(file.path)", reason)
    }

    /// Where the record of an object begins.
    func offset(of id: ObjectID, at position: Int) throws(GitError) -> Int {
        guard let offset = index.offset(at: position), offset >= 12, offset < end else {
            throw damaged(id, "its index points outside of the pack")
        }
        return offset
    }

    /// What the record at `offset`, which is needed for an object, says of itself, from the pack's mapping.
    func header(of id: ObjectID, at offset: Int) throws(GitError) -> RecordHeader {
        try unsafe header(of: id, at: offset, UnsafeRawBufferPointer(rebasing: file.bytes[offset..<end]))
    }

    /// The compressed bytes of a record, and what follows them in the pack.
    @unsafe func stream(_ header: RecordHeader) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: file.bytes[header.stream..<end])
    }

    /// What a record, of which these are the first bytes, says of itself.
    @unsafe func header(
        of id: ObjectID, at offset: Int, _ bytes: UnsafeRawBufferPointer
    ) throws(GitError) -> RecordHeader {
        var count = 0
        func next() throws(GitError) -> UInt8 {
            guard count < bytes.count else { throw damaged(id, "its header does not end") }
            defer { count += 1 }
            return unsafe bytes[count]
        }
        var byte = try next()
        let type = byte >> 4 & 7
        var size = Int(byte & 15)
        var shift = 4
        while byte & 0x80 != 0 {
            guard shift < 56 else { throw damaged(id, "its header does not end") }
            byte = try next()
            size |= Int(byte & 0x7f) << shift
            shift += 7
        }
        let form: RecordHeader.Form
        switch (ObjectKind(rawValue: type), type) {
        case (let kind?, _): form = .whole(kind)
        case (nil, 6):
            byte = try next()
            var back = Int(byte & 0x7f)
            while byte & 0x80 != 0 {
                guard back < 1 << 48 else { throw damaged(id, "its delta is one of nothing") }
                byte = try next()
                back = (back + 1) << 7 | Int(byte & 0x7f)
            }
            guard 0 < back, 12 <= offset - back else { throw damaged(id, "its delta is one of nothing") }
            form = .deltaOfRecord(at: offset - back)
        case (nil, 7):
            guard count + 20 <= bytes.count else { throw damaged(id, "its header does not end") }
            form = .deltaOf(
                unsafe ObjectID(UnsafeRawBufferPointer(rebasing: bytes[count..<(count + 20)])))
            count += 20
        default: throw damaged(id, "it has the unknown type \(type)")
        }
        // A stream cannot hold more than 1032 times its own length (RFC 1951), so a lying size costs no memory.
        guard size <= (end - offset - count) * 1032 else {
            throw damaged(id, "it says to be larger than it can be")
        }
        return RecordHeader(form: form, size: size, stream: offset + count)
    }
}
