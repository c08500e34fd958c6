internal import Drivers
internal import FileTree
internal import Glibc
package import SystemPackage

extension InsideView {
    /// Looks around in the sandbox that this process is in; `places` are what was mounted into it.
    package static func observe(places: [FilePath]) throws -> InsideView {
        var identities: [String: String] = [:]
        for place in places {
            if let status = try Files.status(place) { identities[place.string] = identity(status) }
        }
        return InsideView(
            interfaces: try interfaces(),
            connections: [
                "192.0.2.1:80": connection(outcome(AF_INET)),
                "[2001:db8::1]:80": connection(outcome(AF_INET6)),
                // Where one could be made, what is asked for has no address of its kind, and that is another error.
                "vsock": connection(outcome(AF_VSOCK)),
            ],
            resolvesNames: resolves("example.com"),
            sockets: try sockets(below: "/", besides: places)
                + (Files.isDirectory(SystemPrograms.local)
                    ? sockets(below: SystemPrograms.local, besides: places) : []),
            environment: try variables(), places: identities, processes: try processes(),
            capabilities: try status("CapEff"))
    }

    private static func interfaces() throws -> [String] {
        let text = String(decoding: try Files.read("/proc/net/dev", limit: 1 << 20), as: UTF8.self)
        return text.split(separator: "\n").dropFirst(2).compactMap { line in
            line.split(separator: ":").first.map { $0.filter { $0 != " " } }
        }
    }

    /// Tries to connect to an address that is reserved for documentation: nobody is there, and no packet should get so far.
    private static func outcome(_ family: CInt) -> CInt {
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let status: CInt
        if family == AF_INET {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(80).bigEndian
            address.sin_addr.s_addr = UInt32(0xC000_0201).bigEndian
            status = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        } else {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = UInt16(80).bigEndian
            unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                for (index, byte) in [0x20, 0x01, 0x0d, 0xb8].enumerated() {
                    unsafe bytes[index] = UInt8(byte)
                }
                unsafe bytes[15] = 1
            }
            status = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        return status == 0 ? 0 : errno
    }

    private static func connection(_ error: CInt) -> String {
        switch error {
        case 0: "connected"
        case EINPROGRESS: "EINPROGRESS"
        case ENETUNREACH: "ENETUNREACH"
        case EADDRNOTAVAIL: "EADDRNOTAVAIL"
        case EAFNOSUPPORT: "EAFNOSUPPORT"
        case EHOSTUNREACH: "EHOSTUNREACH"
        case EPERM: "EPERM"
        default: "error \(error)"
        }
    }

    private static func resolves(_ name: String) -> Bool {
        var found: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(name, "80", nil, &found)
        if unsafe found != nil { unsafe freeaddrinfo(found) }
        return status == 0
    }

    /// Sockets in the file system: each would be a door, for a network of its own hides none of them.
    private static func sockets(below directory: FilePath, besides places: [FilePath]) throws -> [String] {
        // Of /usr only what people put there themselves: packages are a hundred thousand files. ``BoundSockets`` are for those.
        let passed: [FilePath] = ["/proc", "/sys", "/usr"] + places
        guard !passed.contains(directory) else { return [] }
        var found: [String] = []
        for name in try visibleNames(directory) {
            let path = directory.pushing(FilePath(bytes: name))
            switch try Files.status(path)?.kind {
            case .socket: found.append(path.string)
            case .directory: found += try sockets(below: path, besides: places)
            default: break
            }
        }
        return found
    }

    private static func visibleNames(_ directory: FilePath) throws -> [[UInt8]] {
        do {
            return try Files.names(directory)
        } catch  where error.reason == .permissionDenied {
            // What cannot be entered is no door.
            return []
        }
    }

    private static func variables() throws -> [String] {
        try Files.read("/proc/self/environ", limit: 1 << 20).split(separator: 0).map { entry in
            String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
        }
        .sorted()
    }

    private static func processes() throws -> Int {
        try Files.names("/proc").count { Int32(String(decoding: $0, as: UTF8.self)) != nil }
    }

    private static func status(_ field: String) throws -> String {
        let text = String(decoding: try Files.read("/proc/self/status", limit: 1 << 20), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
        guard let value = line?.split(whereSeparator: { $0 == "\t" || $0 == " " }).last else {
            throw ShadowFailure(
                "/proc/self/status does not say \(field)", hint: "this kernel is not one that we know")
        }
        return String(value)
    }
}
