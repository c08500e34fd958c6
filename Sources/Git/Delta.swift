/// What an object is made of that is stored as a delta: parts of another, its base, and bytes of its own.
///
/// Read as git's pack-format says, checked and counted before any memory is asked for, and then read again: a list of the
/// parts would take many times what the delta does.
@unsafe struct Delta {
    /// More than any git makes: of files that are larger than `core.bigFileThreshold` (512 MB) it makes none.
    private static let largestResult = 1 << 31

    private enum Part {
        case ofBase(Range<Int>)
        /// A part of the delta itself.
        case own(Range<Int>)

        var count: Int {
            switch self {
            case .ofBase(let range), .own(let range): range.count
            }
        }
    }

    private let bytes: UnsafeRawBufferPointer
    /// Where the first instruction is.
    private let start: Int
    /// How many bytes the base must have.
    let baseSize: Int
    /// How many bytes it makes.
    let resultSize: Int

    /// Nil for what is no delta.
    init?(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
        var place = 0
        guard let baseSize = unsafe Self.size(bytes, at: &place),
            let resultSize = unsafe Self.size(bytes, at: &place), unsafe resultSize <= Self.largestResult
        else { return nil }
        unsafe self.baseSize = baseSize
        unsafe self.resultSize = resultSize
        unsafe start = place
        var made = 0
        while place < bytes.count {
            guard let part = unsafe part(at: &place) else { return nil }
            made += part.count
            guard made <= resultSize else { return nil }
        }
        guard made == resultSize else { return nil }
    }

    /// The part that an instruction names, nil for what is none; `place` goes on to the next.
    private func part(at place: inout Int) -> Part? {
        guard let code = unsafe Self.byte(bytes, at: &place) else { return nil }
        if code & 0x80 == 0 {
            let part = place..<(place + Int(code))
            // Nothing is kept for later by the format.
            guard !part.isEmpty, unsafe part.upperBound <= bytes.count else { return nil }
            place = part.upperBound
            return .own(part)
        }
        guard let start = unsafe Self.number(bytes, at: &place, has: code & 15),
            let count = unsafe Self.number(bytes, at: &place, has: code >> 4 & 7)
        else { return nil }
        let part = start..<(start + (count == 0 ? 0x10000 : count))
        return unsafe part.upperBound <= baseSize ? .ofBase(part) : nil
    }

    private static func byte(_ bytes: UnsafeRawBufferPointer, at place: inout Int) -> UInt8? {
        guard place < bytes.count else { return nil }
        defer { place += 1 }
        return unsafe bytes[place]
    }

    /// A size: seven bits a byte, the lowest first.
    private static func size(_ bytes: UnsafeRawBufferPointer, at place: inout Int) -> Int? {
        var size = 0
        for shift in stride(from: 0, to: 56, by: 7) {
            guard let byte = unsafe byte(bytes, at: &place) else { return nil }
            size |= Int(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return size }
        }
        return nil
    }

    /// A number of which only those bytes are there whose bit is set, the lowest first.
    private static func number(
        _ bytes: UnsafeRawBufferPointer, at place: inout Int, has bits: UInt8
    ) -> Int? {
        var number = 0
        for index in 0..<4 where bits >> index & 1 != 0 {
            guard let byte = unsafe byte(bytes, at: &place) else { return nil }
            number |= Int(byte) << (8 * index)
        }
        return number
    }

    /// What it makes of a base, which has as many bytes as it says.
    func result(of base: [UInt8]) -> [UInt8] {
        precondition(unsafe base.count == baseSize, "a delta of another base")
        return unsafe [UInt8](unsafeUninitializedCapacity: resultSize) { output, count in
            let output = UnsafeMutableRawBufferPointer(output)
            unsafe base.withUnsafeBytes { base in
                var place = unsafe start
                while unsafe count < resultSize, let part = unsafe part(at: &place) {
                    let piece =
                        switch part {
                        case .ofBase(let range): unsafe UnsafeRawBufferPointer(rebasing: base[range])
                        case .own(let range): unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                        }
                    unsafe UnsafeMutableRawBufferPointer(rebasing: output[count...]).copyMemory(from: piece)
                    count += piece.count
                }
            }
        }
    }
}
