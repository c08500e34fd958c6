/// What an object is made of that is stored as a delta: parts of another, its base, and bytes of its own.
///
/// Read as git's pack-format says, checked, and counted before any memory is asked for.
@unsafe struct Delta {
    /// More than any git makes: of files that are larger than `core.bigFileThreshold` (512 MB) it makes none.
    private static let largestResult = 1 << 31

    private enum Part {
        case ofBase(Range<Int>)
        /// A part of the delta itself.
        case own(Range<Int>)
    }

    private let bytes: UnsafeRawBufferPointer
    private var parts: [Part] = []
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
        var made = 0
        while let code = unsafe Self.byte(bytes, at: &place) {
            let part: Range<Int>
            if code & 0x80 == 0 {
                part = place..<(place + Int(code))
                // Nothing is kept for later by the format.
                guard !part.isEmpty, part.upperBound <= bytes.count else { return nil }
                place = part.upperBound
                unsafe parts.append(.own(part))
            } else {
                guard let start = unsafe Self.number(bytes, at: &place, has: code & 15),
                    let count = unsafe Self.number(bytes, at: &place, has: code >> 4 & 7)
                else { return nil }
                part = start..<(start + (count == 0 ? 0x10000 : count))
                guard part.upperBound <= baseSize else { return nil }
                unsafe parts.append(.ofBase(part))
            }
            made += part.count
            guard made <= resultSize else { return nil }
        }
        guard made == resultSize else { return nil }
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
                for part in unsafe parts {
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
