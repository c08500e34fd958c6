internal import Glibc
package import SystemPackage

/// A system call on a file failed.
package struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system call.
    package var operation: String
    /// The path, or the name in a directory, as bytes.
    package var path: [UInt8]
    /// The system's reason.
    package var reason: Errno

    /// A failure.
    package init(_ operation: String, _ path: [UInt8], _ reason: Errno) {
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    /// A failure on a path.
    package init(_ operation: String, _ path: FilePath, _ reason: Errno) {
        self.init(operation, path.byteArray, reason)
    }

    private static let readingRegular = "read a regular file at"

    /// That what is to be read is no regular file.
    package static func notRegular(_ path: [UInt8]) -> FileFailure {
        FileFailure(readingRegular, path, .invalidArgument)
    }

    /// One line: what failed, where, and why.
    package var description: String {
        guard operation != Self.readingRegular else {
            return "cannot read \(shown(path)): it is not a regular file"
        }
        return "cannot \(operation) \(shown(path)): \(reason)"
    }
}

/// Path bytes for a message; control characters and broken UTF-8 are shown as `?`.
private func shown(_ path: [UInt8]) -> String {
    String(decoding: path.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
}

/// Runs a system call again while signals interrupt it, and turns -1 into the current `errno`.
@discardableResult
package func systemCall<Number: FixedWidthInteger>(
    _ operation: StaticString, _ path: @autoclosure () -> [UInt8], _ call: () -> Number
) throws(FileFailure) -> Number {
    while true {
        let result = call()
        guard result == -1 else { return result }
        let reason = Errno(rawValue: errno)
        guard reason == .interrupted else { throw FileFailure("\(operation)", path(), reason) }
    }
}

extension FilePath {
    /// Whether it was given as an argument that is not UTF-8: of such a one only replacement characters are left.
    package var isNoText: Bool {
        String(decoding: byteArray, as: UTF8.self).unicodeScalars.contains("\u{fffd}")
    }

    /// The path's own bytes.
    package var byteArray: [UInt8] {
        unsafe withPlatformString {
            unsafe Array(UnsafeBufferPointer(start: $0, count: length)).map { UInt8(bitPattern: $0) }
        }
    }

    /// The path that these bytes spell; bytes after a NUL are lost, which no path of the file system has.
    package init(bytes: some Sequence<UInt8>) {
        let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
        self = unsafe terminated.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return FilePath() }
            return unsafe FilePath(platformString: base)
        }
    }
}
