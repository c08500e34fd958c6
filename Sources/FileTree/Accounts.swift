internal import Glibc

/// The names that this host has for users and groups.
package enum Accounts {
    /// The name of a user, empty when the host has none for the number.
    package static func userName(_ number: UInt32) -> String {
        unsafe looked { buffer, size in
            var record = unsafe passwd()
            var result: UnsafeMutablePointer<passwd>?
            let status = unsafe getpwuid_r(number, &record, buffer, size, &result)
            return (status, unsafe result.map { unsafe String(cString: $0.pointee.pw_name) })
        }
    }

    /// What to call a user: by name, or by number where the host has no name for it.
    package static func shown(user number: UInt32) -> String {
        let name = userName(number)
        return name.isEmpty ? "\(number)" : name
    }

    /// The name of a group, empty when the host has none for the number.
    package static func groupName(_ number: UInt32) -> String {
        unsafe looked { buffer, size in
            var record = unsafe group()
            var result: UnsafeMutablePointer<group>?
            let status = unsafe getgrgid_r(number, &record, buffer, size, &result)
            return (status, unsafe result.map { unsafe String(cString: $0.pointee.gr_name) })
        }
    }

    /// The number of a user, nil when the host does not know the name.
    package static func userNumber(_ name: String) -> UInt32? {
        var number: UInt32?
        _ = unsafe looked { buffer, size in
            var record = unsafe passwd()
            var result: UnsafeMutablePointer<passwd>?
            let status = unsafe getpwnam_r(name, &record, buffer, size, &result)
            number = unsafe result?.pointee.pw_uid
            return (status, nil)
        }
        return number
    }

    /// The number of a group, nil when the host does not know the name.
    package static func groupNumber(_ name: String) -> UInt32? {
        var number: UInt32?
        _ = unsafe looked { buffer, size in
            var record = unsafe group()
            var result: UnsafeMutablePointer<group>?
            let status = unsafe getgrnam_r(name, &record, buffer, size, &result)
            number = unsafe result?.pointee.gr_gid
            return (status, nil)
        }
        return number
    }

    /// A user and a group, by their numbers.
    package typealias Numbers = (user: UInt32, group: UInt32)

    /// The numbers of the user and group that we act as.
    package static var ownNumbers: Numbers { (geteuid(), getegid()) }

    /// Calls a function of the account database with a buffer, and with larger ones while it is too small.
    ///
    /// A lookup that fails is tried again; one that goes on failing gives no name, and the number, which is kept beside it,
    /// has to do: a directory service that is down must not keep anybody from a snapshot.
    private static func looked(_ call: (UnsafeMutablePointer<CChar>, Int) -> (CInt, String?)) -> String {
        var size = 1 << 12
        var triesLeft = 3
        while true {
            let (status, name) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) {
                buffer in
                guard let base = buffer.baseAddress else {
                    preconditionFailure("an allocation of at least one byte")
                }
                return unsafe call(base, size)
            }
            // getpwuid_r(3): what these say is that there is none.
            if [0, ENOENT, ESRCH, EBADF, EPERM].contains(status) { return name ?? "" }
            if status == ERANGE, size < 1 << 20 {
                size *= 4
            } else {
                triesLeft -= 1
                guard triesLeft > 0 else { return "" }
            }
        }
    }
}
