/// Bytes as addresses have them: plain ones as they are, all others as `%XX`.
package func percentEncoded(_ bytes: some Sequence<UInt8>, keeping isPlain: (UInt8) -> Bool) -> String {
    bytes.reduce(into: "") { text, byte in
        text +=
            isPlain(byte)
            ? String(Unicode.Scalar(byte))
            : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
}

/// Whether a byte means nothing to an address, wherever it stands (RFC 3986, section 2.3).
package func isUnreserved(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~".utf8.contains(byte)
}
