/// What nobody in a sandbox may ask the kernel for: sockets between a virtual machine and its host (`AF_VSOCK`), which belong to no
/// network namespace, and keys that the kernel keeps, such as tickets of Kerberos, for a session's keyring is handed on to every
/// program; as bubblewrap loads it, for its own first process too.
///
/// The family of a socket is the first argument of `socket`, in a register. For `socketcall` of programs of 32 bits, and for
/// `io_uring`, it is in memory, where a filter sees nothing: both are refused as by a kernel that has neither, and so are keys.
/// Facts: seccomp(2), linux/filter.h, linux/audit.h, keyrings(7).
enum SystemCallFilter {
    /// Where bubblewrap finds it.
    static let descriptor: CInt = 3

    /// An instruction of the filter; from a comparison the next one is so many further.
    private struct Step {
        var code: UInt16
        var yes: UInt8 = 0
        var no: UInt8 = 0
        var value: UInt32

        /// Takes the word that stands so far into what the filter is shown.
        static func load(_ offset: UInt32) -> Step { Step(code: 0x20, value: offset) }

        static func isEqual(_ value: UInt32, _ yes: UInt8, _ no: UInt8) -> Step {
            Step(code: 0x15, yes: yes, no: no, value: value)
        }

        static func isAtLeast(_ value: UInt32, _ yes: UInt8, _ no: UInt8) -> Step {
            Step(code: 0x35, yes: yes, no: no, value: value)
        }

        /// The call fails with this error, without having been made.
        static func fail(_ error: UInt32) -> Step { Step(code: 0x06, value: 0x5_0000 | error) }

        static let allow = Step(code: 0x06, value: 0x7fff_0000)

        var bytes: [UInt8] {
            let words = (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
            return [UInt8(code & 0xff), UInt8(code >> 8), yes, no] + words
        }
    }

    /// Numbers of one kind of system calls: `socket`, and `add_key`, which `request_key` and `keyctl` follow.
    private typealias Calls = (kind: UInt32, socket: UInt32, keys: UInt32)

    #if arch(x86_64)
        private static let own: Calls? = (0xc000_003e, 41, 248)
        private static let narrow: Calls = (0x4000_0003, 359, 286)
    #elseif arch(arm64)
        private static let own: Calls? = (0xc000_00b7, 198, 217)
        private static let narrow: Calls = (0x4000_0028, 281, 309)
    #else
        private static let own: Calls? = nil
        private static let narrow: Calls = (0, 0, 0)
    #endif

    /// The filter, nil for a processor whose numbers of calls are not known here.
    static let program: [UInt8]? = own.map { own in
        let (number, processor, family) = (UInt32(0), UInt32(4), UInt32(16))
        let (socketCall, ringSetup, virtual) = (UInt32(102), UInt32(425), UInt32(40))
        let steps: [Step] = [
            .load(processor),
            .isEqual(own.kind, 0, 7),
            .load(number),
            // x32 has the same numbers with a bit, and nobody needs it.
            .isAtLeast(0x4000_0000, 14, 0),
            .isEqual(own.socket, 11, 0),
            .isEqual(ringSetup, 12, 0),
            .isAtLeast(own.keys + 3, 1, 0),
            .isAtLeast(own.keys, 10, 0),
            .allow,
            .isEqual(narrow.kind, 0, 10),
            .load(number),
            .isEqual(narrow.socket, 4, 0),
            .isEqual(socketCall, 5, 0),
            .isEqual(ringSetup, 4, 0),
            .isAtLeast(narrow.keys + 3, 5, 0),
            .isAtLeast(narrow.keys, 2, 4),
            .load(family),
            .isEqual(virtual, 1, 2),
            // ENOSYS, EAFNOSUPPORT.
            .fail(38),
            .fail(97),
            .allow,
        ]
        return steps.flatMap(\.bytes)
    }
}
