internal import Cryptography
internal import FoundationEssentials
internal import Glibc

/// The forms in which a secret may be written down: as it is, in UTF-16, in base64 wherever it begins in what was encoded, in
/// hexadecimal digits, and as in an address.
struct SecretForms: Sendable {
    /// The forms, each once; none is shorter than the secret, but for that in UTF-16 of letters beyond Latin ones.
    let forms: [[UInt8]]

    /// The forms of a secret.
    init(_ secret: [UInt8]) {
        var forms = [secret, Array(hex(secret).utf8), Array(hex(secret).uppercased().utf8)]
        for offset in 0..<3 {
            let encoded = Array(
                Data([UInt8](repeating: 0, count: offset) + secret).base64EncodedString().utf8)
            // The first and the last digits depend on what stands beside the secret.
            let whole = (offset + secret.count) * 8 / 6
            let inner = Array(encoded[(offset * 8 + 5) / 6..<whole])
            forms.append(inner)
            forms.append(
                inner.map {
                    $0 == UInt8(ascii: "+")
                        ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
                })
        }
        forms.append(Self.percentEncoded(secret, upper: true))
        forms.append(Self.percentEncoded(secret, upper: false))
        if let text = String(validating: secret, as: UTF8.self) {
            forms.append(text.utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
            forms.append(text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] })
        }
        var known: Set<[UInt8]> = []
        self.forms = forms.filter { known.insert($0).inserted }
    }

    /// Puts something else wherever a form stands.
    func replace(in contents: inout [UInt8], with mask: [UInt8]) {
        for form in forms {
            var from = 0
            while let found = Self.first(form, in: contents, from: from) {
                contents.replaceSubrange(found..<found + form.count, with: mask)
                from = found + mask.count
            }
        }
    }

    private static func percentEncoded(_ secret: [UInt8], upper: Bool) -> [UInt8] {
        secret.flatMap { byte -> [UInt8] in
            let letter = byte | 0x20
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~".utf8.contains(byte)
            return isPlain ? [byte] : Array("%\(upper ? hex([byte]).uppercased() : hex([byte]))".utf8)
        }
    }

    private static func first(_ pattern: [UInt8], in contents: [UInt8], from: Int) -> Int? {
        unsafe contents.withUnsafeBytes { contents in
            unsafe pattern.withUnsafeBytes { pattern -> Int? in
                guard let base = contents.baseAddress, let wanted = pattern.baseAddress else { return nil }
                var start = from
                while start + pattern.count <= contents.count,
                    let found = unsafe memchr(
                        base + start, CInt(pattern[0]), contents.count - start - pattern.count + 1)
                {
                    if unsafe memcmp(found, wanted, pattern.count) == 0 {
                        return unsafe UnsafeRawPointer(found) - base
                    }
                    start = unsafe UnsafeRawPointer(found) - base + 1
                }
                return nil
            }
        }
    }
}
