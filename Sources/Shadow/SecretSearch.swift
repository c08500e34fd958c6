/// Looks for many secrets at once, in all their forms: one pass over a text, however many there are.
struct SecretSearch {
    /// The forms by their first four bytes.
    private var forms: [UInt32: [[UInt8]]] = [:]
    /// A bit for each hash of four bytes with which a form begins: most places of a text are done with one look.
    private var filter = [UInt64](repeating: 0, count: 1 << 10)
    /// How long the longest form is, in bytes.
    private(set) var longest = 0

    /// A search for these secrets.
    init(_ secrets: some Sequence<SecretForms>) {
        for form in secrets.flatMap(\.forms) {
            precondition(form.count >= 4, "a secret that short is found everywhere")
            let start = form[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let hash = Self.hash(start)
            forms[start, default: []].append(form)
            filter[hash >> 6] |= 1 << (hash & 63)
            longest = max(longest, form.count)
        }
    }

    private static func hash(_ start: UInt32) -> Int { Int((start &* 0x9e37_79b1) >> 16) }

    /// Whether any of them stands in a text.
    func stand(in text: ArraySlice<UInt8>) -> Bool {
        guard !forms.isEmpty, text.count >= 4 else { return false }
        return unsafe text.withUnsafeBytes { text in
            unsafe filter.withUnsafeBufferPointer { filter in
                for place in 0...(text.count - 4) {
                    let start = unsafe UInt32(
                        littleEndian: text.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                    let hash = Self.hash(start)
                    guard unsafe filter[hash >> 6] & 1 << (hash & 63) != 0, let forms = forms[start] else {
                        continue
                    }
                    for form in forms where form.count <= text.count - place {
                        let piece = unsafe UnsafeRawBufferPointer(rebasing: text[place..<place + form.count])
                        if unsafe piece.elementsEqual(form) { return true }
                    }
                }
                return false
            }
        }
    }
}
