internal import XML
internal import Cryptography
internal import FileTree
internal import SnapshotModel
internal import SystemPackage

/// The chain of keys that opens what Jenkins encrypts: `master.key` wraps the other files of `secrets/`, among them
/// `hudson.util.Secret`, which encrypts the `{AQAAA…}` values of the configuration.
///
/// A Jenkins that is started with a broken chain makes new keys over the old ones, and nothing can be read ever after;
/// so the chain is tried before a restore (`DefaultConfidentialStore`, `CryptoConfidentialKey`, `HMACConfidentialKey`,
/// `HistoricalSecrets` in Jenkins' core).
enum KeyChain {
    private static let magic = Array("::::MAGIC::::".utf8)
    /// How many values are tried.
    private static let sampleSize = 50

    /// What came of trying a chain.
    struct Findings {
        /// Why no Jenkins may be started on it: what the keys opened would be lost for good.
        var refusals: [Refusal] = []
        /// Files with values of another Jenkins, which nobody can read today either.
        var foreign: [String] = []

        /// What is said of such a file.
        static let foreignWords =
            "holds values that secrets/hudson.util.Secret does not decrypt: they were encrypted by another Jenkins; "
            + "enter them anew"
    }

    /// Tries the chain of the home in `source`; `outside` is the file of this host from which Jenkins gets its master key, nil
    /// where that is in the home.
    static func findings(_ source: any FileSource, outside: FilePath? = nil) throws -> Findings {
        var findings = Findings()
        let samples = try encryptedValues(source)
        let users = try hashedUsers(source)
        let wrappedNames = try secret("hudson.model.User.DIRNAMES", source)
        if wrappedNames == nil, let first = users.first {
            findings.refusals.append(
                Refusal(
                    "secrets/hudson.model.User.DIRNAMES is not in the snapshot, and made the name of users/\(printable(first.name))",
                    hint:
                        "restore a snapshot that has it; started without it Jenkins would pass over \(counted(users.count, "user")) and their tokens"
                ))
        }
        let text: [UInt8]?
        do {
            text = try masterText(source, outside)
        } catch let error as FileFailure {
            // A file of the home is missing in the snapshot too, which the walk says.
            guard let outside else { throw error }
            findings.refusals.append(unreadable(outside, error))
            return findings
        }
        guard let master = text else {
            guard let first = samples.first else { return findings }
            findings.refusals.append(withoutMaster(outside, first.file))
            return findings
        }
        let place = outside?.string ?? "secrets/master.key"
        let key = masterKey(master)
        if let wrapped = try secret("hudson.util.Secret", source) {
            if let payload = unwrapped(wrapped, key) {
                try look(at: samples, Array(payload.prefix(16)), &findings)
            } else {
                findings.refusals.append(broken("hudson.util.Secret", master: place))
            }
        } else if let first = samples.first {
            findings.refusals.append(
                Refusal(
                    "secrets/hudson.util.Secret is not in the snapshot, and \(first.file) holds encrypted values",
                    hint:
                        "restore a snapshot that has it; started without it Jenkins would lose them for good")
            )
        }
        if let wrapped = wrappedNames {
            if let payload = unwrapped(wrapped, key) {
                findings.refusals += try strangers(among: users, source, payload)
            } else {
                findings.refusals.append(broken("hudson.model.User.DIRNAMES", master: place))
            }
        }
        return findings
    }

    /// The AES key that the text of `master.key` stands for: the first half of its SHA-256.
    static func masterKey(_ text: [UInt8]) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte <= 0x20 }
        let trimmed = text.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        return Array(SHA256.digest(Array(trimmed)).prefix(16))
    }

    /// What a file of `secrets/` holds, nil when the key does not open it.
    static func unwrapped(_ bytes: [UInt8], _ key: [UInt8]) -> [UInt8]? {
        guard let plain = AES128.decrypted(bytes, key: key, mode: .electronicCodebook),
            plain.suffix(magic.count).elementsEqual(magic)
        else { return nil }
        return Array(plain.dropLast(magic.count))
    }

    /// A file of `secrets/` that holds a payload.
    static func wrapped(_ payload: [UInt8], _ key: [UInt8]) -> [UInt8] {
        guard let bytes = AES128.encrypted(payload + magic, key: key, mode: .electronicCodebook) else {
            preconditionFailure("a key of Jenkins has 16 bytes")
        }
        return bytes
    }

    /// A value encrypted under a key, as it stands between `{` and `}` in base 64.
    static func closed(_ plain: [UInt8], _ key: [UInt8], vector: [UInt8]) -> [UInt8] {
        guard let data = AES128.encrypted(plain, key: key, mode: .cipherBlockChaining(vector: vector)) else {
            preconditionFailure("key and vector of Jenkins have 16 bytes")
        }
        let length = (0..<4).reversed().map { UInt8(truncatingIfNeeded: data.count >> ($0 * 8)) }
        return [1, 0, 0, 0, 16] + length + vector + data
    }

    /// Whether a key decrypts a value: version 1, length of the vector, length of the data, both, big-endian.
    static func opens(_ value: [UInt8], _ key: [UInt8]) -> Bool {
        guard value.count > 25, value[0] == 1, number(value[1..<5]) == 16 else { return false }
        let length = number(value[5..<9])
        guard value.count == 25 + length else { return false }
        let vector = Array(value[9..<25])
        guard
            let plain = AES128.decrypted(
                Array(value[25...]), key: key, mode: .cipherBlockChaining(vector: vector))
        else {
            return false
        }
        return String(validating: plain, as: UTF8.self) != nil
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    private static func masterText(_ source: any FileSource, _ outside: FilePath?) throws -> [UInt8]? {
        guard let outside else { return try secret("master.key", source) }
        return try Files.readIfPresent(outside, limit: 1 << 16)
    }

    /// What is said where there is no master key, and a file holds values that it would open.
    private static func withoutMaster(_ outside: FilePath?, _ file: String) -> Refusal {
        let loss = "started without it Jenkins would make a new key and lose them for good"
        guard let outside else {
            return Refusal(
                "secrets/master.key is not in the snapshot, and \(file) holds encrypted values",
                hint:
                    "restore a snapshot that has it; or, where Jenkins gets it from outside "
                    + "(-Djenkins.security.DefaultConfidentialStore.file=), name that file in the system file: masterKey: "
                    + "/PATH; \(loss)")
        }
        return Refusal(
            "\(outside), which is Jenkins' master key (masterKey), is not on this host, and \(file) holds encrypted values",
            hint: "put the key there first: no snapshot of this component holds it; \(loss)",
            liftedBy: [outside])
    }

    /// What is said of a directory, a fifo, or a file that may not be read in place of the master key.
    private static func unreadable(_ outside: FilePath, _ error: FileFailure) -> Refusal {
        Refusal(
            "\(outside), which is Jenkins' master key (masterKey), is no file that can be read: \(error)",
            hint:
                "name the file that -Djenkins.security.DefaultConfidentialStore.file= names, and let whoever restores "
                + "read it",
            liftedBy: [outside])
    }

    private static func broken(_ name: String, master: String) -> Refusal {
        Refusal(
            "\(master) does not open secrets/\(name): they do not belong together",
            hint:
                "restore a snapshot in which both are from one time; started like this Jenkins would make a new "
                + "\(name) over the old one, and what it opened would be lost for good")
    }

    /// One value that opens shows that the chain is whole: jobs that were brought from another Jenkins hold values of its.
    private static func look(
        at samples: [(file: String, value: [UInt8])], _ key: [UInt8], _ findings: inout Findings
    ) throws {
        let closed = samples.filter { !opens($0.value, key) }
        guard let first = closed.first else { return }
        guard closed.count == samples.count else {
            for file in closed.map(\.file) where findings.foreign.last != file {
                findings.foreign.append(file)
            }
            return
        }
        findings.refusals.append(
            Refusal(
                "secrets/hudson.util.Secret does not decrypt any of \(counted(samples.count, "value")) tried, the first in "
                    + first.file,
                hint:
                    "they were encrypted by another Jenkins, or the key was replaced: restore an older snapshot, or "
                    + "enter those values anew"))
    }

    /// User directories since Jenkins 2.524 are named by an HMAC of the id; one that does not match is passed over.
    private static func hashedUsers(_ source: any FileSource) throws -> [(name: [UInt8], mac: String)] {
        try source.names(root: "home", directory: EntryPath("users")).compactMap { entry in
            guard entry.isDirectory, let underscore = entry.name.lastIndex(of: UInt8(ascii: "_")) else {
                return nil
            }
            let mac = entry.name[(underscore + 1)...]
            let isHash =
                mac.count == 64 && mac.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            return isHash ? (entry.name, String(decoding: mac, as: UTF8.self)) : nil
        }
    }

    private static func strangers(
        among users: [(name: [UInt8], mac: String)], _ source: any FileSource, _ key: [UInt8]
    ) throws -> [Refusal] {
        var strangers: [String] = []
        for user in users {
            let path = EntryPath("users").appending(user.name).appending("config.xml")
            guard let bytes = try source.contents(root: "home", path: path),
                let id = NormalXML.read(bytes).element?.child("id")?.text
            else { continue }
            let names = [id, id.lowercased()].map { hex(HMAC.sha256(key: key, message: Array($0.utf8))) }
            if !names.contains(user.mac) { strangers.append(printable(user.name)) }
        }
        guard let first = strangers.first else { return [] }
        return [
            Refusal(
                "secrets/hudson.model.User.DIRNAMES does not make the name of "
                    + "\(counted(strangers.count, "user directory")), the first is users/\(first)",
                hint:
                    "Jenkins would pass over these users and their tokens: restore a snapshot in which both are from one time"
            )
        ]
    }

    private static func secret(_ name: String, _ source: any FileSource) throws -> [UInt8]? {
        try source.contents(root: "home", path: EntryPath("secrets").appending(name))
    }

    /// Encrypted values of the files in which people keep secrets, the first of each file.
    private static func encryptedValues(_ source: any FileSource) throws -> [(file: String, value: [UInt8])] {
        var paths = [EntryPath("credentials.xml"), EntryPath("config.xml"), EntryPath("proxy.xml")]
        for entry in try source.names(root: "home", directory: .root) where !entry.isDirectory {
            let path = EntryPath(entry.name)
            if entry.name.suffix(4).elementsEqual(".xml".utf8), !paths.contains(path) { paths.append(path) }
        }
        for container in ["users", "jobs"] {
            for entry in try source.names(root: "home", directory: EntryPath(container))
            where entry.isDirectory {
                paths.append(EntryPath(container).appending(entry.name).appending("config.xml"))
            }
        }
        var samples: [(String, [UInt8])] = []
        for path in paths {
            guard samples.count < sampleSize, let bytes = try source.contents(root: "home", path: path) else {
                continue
            }
            samples += values(in: bytes).prefix(5).map { (path.description, $0) }
        }
        return samples
    }

    /// The `{AQAAA…}` values of a file, decoded.
    static func values(in bytes: [UInt8]) -> [[UInt8]] {
        var values: [[UInt8]] = []
        let start = Array("{AQAAA".utf8)
        for index in bytes.indices where bytes[index] == start[0] && bytes[index...].starts(with: start) {
            guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")),
                let value = base64(bytes[(index + 1)..<end])
            else { continue }
            values.append(value)
        }
        return values
    }

    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="): continue
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
