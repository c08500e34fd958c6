internal import Cfiles
internal import Glibc
internal import SystemPackage

/// Lends a name's bytes as a C string.
func withName<Result>(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
        for index in name.indices {
            unsafe buffer[index] = CChar(bitPattern: name[index])
        }
        unsafe buffer[name.count] = 0
        guard let base = buffer.baseAddress else { preconditionFailure("an allocation of at least one byte") }
        return unsafe body(base)
    }
}

/// The names in an open directory, in the order of the file system, without `.` and `..`.
func namesInDirectory(
    _ descriptor: CInt, path: @autoclosure () -> [UInt8]
) throws(FileFailure) -> [[UInt8]] {
    let copy = try systemCall("list", path()) { cfiles_duplicate(descriptor) }
    guard let directory = unsafe fdopendir(copy) else {
        let reason = Errno(rawValue: errno)
        close(copy)
        throw FileFailure("list", path(), reason)
    }
    defer { unsafe closedir(directory) }
    unsafe rewinddir(directory)
    var names: [[UInt8]] = []
    while true {
        errno = 0
        guard let entry = unsafe readdir(directory) else {
            guard errno == 0 else { throw FileFailure("list", path(), Errno(rawValue: errno)) }
            return names
        }
        let name = unsafe entryName(entry)
        let isOwnOrParent =
            name.first == UInt8(ascii: ".") && (name.count == 1 || name.elementsEqual("..".utf8))
        if !isOwnOrParent { names.append(name) }
    }
}

/// The bytes of a directory entry's name.
func entryName(_ entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
    let name = unsafe UnsafeRawPointer(entry).advanced(by: offset)
    let count = unsafe strlen(name.assumingMemoryBound(to: CChar.self))
    return unsafe Array(UnsafeRawBufferPointer(start: name, count: count))
}
