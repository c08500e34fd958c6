package import SystemPackage

/// Where something is mounted, as the kernel tells this process.
///
/// The number of a device does not tell: a part of a file system that is mounted elsewhere has the same one.
package enum MountPoints {
    /// All of them, in the order in which they were mounted.
    package static func all() throws(FileFailure) -> [FilePath] {
        parsed(try Files.read("/proc/self/mountinfo"))
    }

    /// The fifth field of each line of `mountinfo`, in which some bytes are written as a backslash and three octal digits.
    package static func parsed(_ text: [UInt8]) -> [FilePath] {
        text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            return fields.count > 4 ? FilePath(bytes: unescaped(fields[4])) : nil
        }
    }

    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                let escaped = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(escaped)
            rest = rest.dropFirst(3)
        }
        return bytes
    }
}
