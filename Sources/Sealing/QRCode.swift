/// A QR code of version 4 and level M (ISO/IEC 18004), as which a recovery key is photographed or printed and scanned again.
package struct QRCode: Hashable, Sendable {
    /// How many modules each side has.
    package static let size = 33
    /// Row by row, whether a module is dark.
    package private(set) var modules: [[Bool]]

    /// Which modules belong to patterns and are no data.
    private var isReserved: [[Bool]]

    /// The code of a text: at most 90 of the digits, capital letters and ` $%*+-./:`, which is what a recovery key is made
    /// of; nil for any other.
    package init?(_ text: String) {
        guard let words = Self.codewords(text) else { return nil }
        modules = Array(repeating: Array(repeating: false, count: Self.size), count: Self.size)
        isReserved = modules
        drawPatterns()
        draw(words)
        let candidates = (0..<8).map { masked($0) }
        modules = candidates.min { $0.penalty < $1.penalty }?.modules ?? modules
    }

    /// The lines of a text that shows it, two modules in a character, dark ones as ink; with the light margin that it needs.
    package var text: String {
        let margin = 4
        func isDark(_ row: Int, _ column: Int) -> Bool {
            modules.indices.contains(row) && modules.indices.contains(column) && modules[row][column]
        }
        return stride(from: -margin, to: Self.size + margin, by: 2).map { row in
            (-margin..<Self.size + margin).map { column in
                switch (isDark(row, column), isDark(row + 1, column)) {
                case (true, true): "█"
                case (true, false): "▀"
                case (false, true): "▄"
                case (false, false): " "
                }
            }.joined()
        }.joined(separator: "\n")
    }

    // MARK: - Codewords

    private static let blocks = 2
    private static let dataCount = 32
    private static let correctionCount = 18
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

    /// The data in two blocks with their corrections, interleaved.
    private static func codewords(_ text: String) -> [UInt8]? {
        let values = text.utf8.map { alphabet.firstIndex(of: $0) }
        guard text.utf8.count <= 90, !values.contains(nil) else { return nil }
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) {
            for shift in (0..<count).reversed() { bits.append(value >> shift & 1 == 1) }
        }
        append(0b0010, 4)
        append(values.count, 9)
        let digits = values.compactMap { $0 }
        for index in stride(from: 0, to: digits.count, by: 2) {
            if index + 1 < digits.count {
                append(digits[index] * 45 + digits[index + 1], 11)
            } else {
                append(digits[index], 6)
            }
        }
        let capacity = blocks * dataCount * 8
        append(0, min(4, capacity - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var bytes = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
        }
        var padding: [UInt8] = [0xec, 0x11]
        while bytes.count < blocks * dataCount {
            bytes.append(padding[0])
            padding.reverse()
        }
        let data = (0..<blocks).map { Array(bytes[$0 * dataCount..<($0 + 1) * dataCount]) }
        let corrections = data.map(correction)
        return (0..<dataCount).flatMap { index in data.map { $0[index] } }
            + (0..<correctionCount).flatMap { index in corrections.map { $0[index] } }
    }

    /// The rest of the division by the generator of Reed and Solomon.
    private static func correction(_ data: [UInt8]) -> [UInt8] {
        var generator: [UInt8] = [1]
        var root: UInt8 = 1
        for _ in 0..<correctionCount {
            // Times (x - root).
            generator = zip(generator + [0], [0] + generator.map { product($0, root) }).map { $0 ^ $1 }
            root = product(root, 2)
        }
        var rest = data + [UInt8](repeating: 0, count: correctionCount)
        for index in data.indices {
            let factor = rest[index]
            for (offset, term) in generator.enumerated() { rest[index + offset] ^= product(term, factor) }
        }
        return Array(rest[data.count...])
    }

    /// In the field of 256 elements with the polynomial 0x11d.
    private static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var product = 0
        for shift in (0..<8).reversed() {
            product = product << 1 ^ (product >> 7 * 0x11d)
            if left >> shift & 1 == 1 { product ^= Int(right) }
        }
        return UInt8(product)
    }

    // MARK: - Modules

    private mutating func set(_ row: Int, _ column: Int, _ isDark: Bool) {
        guard modules.indices.contains(row), modules.indices.contains(column) else { return }
        modules[row][column] = isDark
        isReserved[row][column] = true
    }

    private mutating func drawPatterns() {
        for index in 0..<Self.size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (row, column) in [(3, 3), (3, Self.size - 4), (Self.size - 4, 3)] {
            for down in -4...4 {
                for right in -4...4 {
                    let ring = max(abs(down), abs(right))
                    set(row + down, column + right, ring != 2 && ring != 4)
                }
            }
        }
        for down in -2...2 {
            for right in -2...2 { set(26 + down, 26 + right, max(abs(down), abs(right)) != 1) }
        }
        drawFormat(mask: 0)
    }

    /// The level and the mask, twice, and the module that is always dark.
    private mutating func drawFormat(mask: Int) {
        // Level M is 00.
        var rest = mask
        for _ in 0..<10 { rest = rest << 1 ^ (rest >> 9 * 0x537) }
        let format = (mask << 10 | rest) ^ 0x5412
        func bit(_ index: Int) -> Bool { format >> index & 1 == 1 }
        for index in 0..<15 {
            // Down and around the corner, past the timing patterns.
            let row = index < 6 ? index : index < 8 ? index + 1 : 8
            let column = index < 8 ? 8 : index == 8 ? 7 : 14 - index
            set(row, column, bit(index))
            if index < 8 {
                set(8, Self.size - 1 - index, bit(index))
            } else {
                set(Self.size - 15 + index, 8, bit(index))
            }
        }
        set(Self.size - 8, 8, true)
    }

    /// Two columns at a time from the right, up and down in turns.
    private mutating func draw(_ words: [UInt8]) {
        var index = 0
        for right in stride(from: Self.size - 1, to: 0, by: -2) {
            let right = right <= 6 ? right - 1 : right
            let isUp = (right + 1) & 2 == 0
            for step in 0..<Self.size {
                let row = isUp ? Self.size - 1 - step : step
                for column in [right, right - 1]
                where !isReserved[row][column] && index < words.count * 8 {
                    modules[row][column] = words[index / 8] >> (7 - index % 8) & 1 == 1
                    index += 1
                }
            }
        }
    }

    private func masked(_ mask: Int) -> QRCode {
        var code = self
        for row in 0..<Self.size {
            for column in 0..<Self.size where !isReserved[row][column] {
                let inverts =
                    switch mask {
                    case 0: (row + column) % 2 == 0
                    case 1: row % 2 == 0
                    case 2: column % 3 == 0
                    case 3: (row + column) % 3 == 0
                    case 4: (row / 2 + column / 3) % 2 == 0
                    case 5: row * column % 2 + row * column % 3 == 0
                    case 6: (row * column % 2 + row * column % 3) % 2 == 0
                    default: ((row + column) % 2 + row * column % 3) % 2 == 0
                    }
                if inverts { code.modules[row][column].toggle() }
            }
        }
        code.drawFormat(mask: mask)
        return code
    }

    /// How hard it is to read: long runs, blocks, what looks like a corner, too much of one colour.
    private var penalty: Int {
        let columns = modules.indices.map { column in modules.map { $0[column] } }
        var penalty = 0
        for line in modules + columns {
            var run = 0
            for index in line.indices {
                run = index > 0 && line[index] == line[index - 1] ? run + 1 : 1
                penalty += run == 5 ? 3 : run > 5 ? 1 : 0
            }
            for start in 0...(Self.size - 11) where Self.corners.contains(Array(line[start..<start + 11])) {
                penalty += 40
            }
        }
        for row in 1..<Self.size {
            for column in 1..<Self.size {
                let block = [
                    modules[row][column], modules[row - 1][column], modules[row][column - 1],
                    modules[row - 1][column - 1],
                ]
                if Set(block).count == 1 { penalty += 3 }
            }
        }
        let dark = modules.joined().count { $0 }
        return penalty + abs(dark * 20 - Self.size * Self.size * 10) / (Self.size * Self.size) * 10
    }

    private static let corners: Set<[Bool]> = {
        let corner = [true, false, true, true, true, false, true]
        let light = [Bool](repeating: false, count: 4)
        return [corner + light, light + corner]
    }()
}
