internal import Cfiles
internal import Glibc
internal import SystemPackage

/// The names in a directory, sorted by bytes, one after the other in one buffer that is used again and again.
@safe package final class NameList {
    /// Where a name is: each ends in a zero byte, so that it can be handed to the system as it is.
    private struct Place {
        var start: Int
        var count: Int
    }

    private var bytes: [UInt8] = []
    private var places: [Place] = []
    private let buffer: UnsafeMutableRawBufferPointer

    /// An empty list.
    package init() {
        unsafe buffer = .allocate(byteCount: 1 << 15, alignment: 16)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// How many names there are.
    package var count: Int { places.count }

    /// A name.
    package func name(_ index: Int) -> ArraySlice<UInt8> {
        bytes[places[index].start..<(places[index].start + places[index].count)]
    }

    /// Makes a name the last of a path.
    package func setName(_ index: Int, of path: inout ZeroTerminatedPath) {
        let bytes = bytes
        path.setName(bytes.span, places[index].start, places[index].count)
    }

    /// Reads the names in an open directory, without `.` and `..`.
    func read(_ descriptor: CInt, path: [UInt8]) throws(FileFailure) {
        bytes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        while true {
            let filled = try systemCall("list", path) {
                unsafe cfiles_list(descriptor, buffer.baseAddress, UInt(buffer.count))
            }
            guard filled > 0, let base = unsafe buffer.baseAddress else { break }
            var offset = 0
            while offset < filled {
                let entry = unsafe UnsafeRawPointer(base + offset)
                if let name = unsafe cfiles_entry_name(entry) { unsafe append(name) }
                offset += unsafe Int(cfiles_entry_length(entry))
            }
        }
        places.sort { bytes[$0.start...].lexicographicallyPrecedes(bytes[$1.start...], $0.count, $1.count) }
    }

    @unsafe private func append(_ name: UnsafePointer<CChar>) {
        let count = unsafe strlen(name)
        let isOwnOrParent =
            unsafe name[0] == 0x2e && (count == 1 || (count == 2 && name[1] == 0x2e))
        guard !isOwnOrParent else { return }
        places.append(Place(start: bytes.count, count: count))
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: name, count: count + 1))
    }
}

extension ArraySlice<UInt8> {
    /// Whether `count` bytes of this come before `otherCount` bytes of the other.
    fileprivate func lexicographicallyPrecedes(_ other: Self, _ count: Int, _ otherCount: Int) -> Bool {
        let order = unsafe withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return 0 }
                return unsafe Int(memcmp(left, right, Swift.min(count, otherCount)))
            }
        }
        return order == 0 ? count < otherCount : order < 0
    }
}
