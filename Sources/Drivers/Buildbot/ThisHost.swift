internal import Glibc
internal import SystemPackage

/// What the kernel and the account database say of this host.
enum ThisHost {
    /// The host's name, as `uname -n` prints it: half of a master's identity.
    static var name: String { field(\.nodename) }
    /// The processor's architecture, as `uname -m` prints it.
    static var machine: String { field(\.machine) }
    /// Whether we may do everything.
    static var isRoot: Bool { geteuid() == 0 }
    /// Seconds since 1970.
    static var now: Int64 { Int64(time(nil)) }

    /// The name, the home directory and the first group of a user, nil when the host has none of that number.
    static func account(_ user: UInt32) -> (name: String, home: String, group: UInt32)? {
        var record = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress,
                unsafe getpwuid_r(user, &record, base, buffer.count, &found) == 0, unsafe found != nil,
                let name = unsafe record.pw_name, let home = unsafe record.pw_dir
            else { return nil }
            return unsafe (String(cString: name), String(cString: home), record.pw_gid)
        }
    }

    private static func field<Field>(_ path: KeyPath<utsname, Field>) -> String {
        var names = utsname()
        unsafe uname(&names)
        return unsafe withUnsafeBytes(of: names[keyPath: path]) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
