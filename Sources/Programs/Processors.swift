internal import Cfiles
internal import Glibc
package import SystemPackage

/// The processors of the host that a process may use, by their numbers.
package enum Processors {
    /// Bytes of a set; the kernel wants one bit at least for each processor that it could have.
    private static let size = 1024

    /// Those that this process may use.
    package static func usable() throws(Errno) -> [Int] {
        var set = [UInt8](repeating: 0, count: size)
        guard
            unsafe set.withUnsafeMutableBytes({
                unsafe cfiles_usable_processors($0.baseAddress, UInt($0.count))
            }) == 0
        else { throw Errno(rawValue: errno) }
        return (0..<size * 8).filter { set[$0 / 8] & 1 << UInt8($0 % 8) != 0 }
    }

    /// Lets the calling thread, and what it starts or becomes, run on these alone.
    package static func use(_ processors: [Int]) throws(Errno) {
        var set = [UInt8](repeating: 0, count: size)
        for processor in processors { set[processor / 8] |= 1 << UInt8(processor % 8) }
        guard
            unsafe set.withUnsafeBytes({
                unsafe cfiles_use_processors($0.baseAddress, UInt($0.count))
            }) == 0
        else { throw Errno(rawValue: errno) }
    }
}
