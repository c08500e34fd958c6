internal import Drivers
package import SnapshotModel
package import SystemPackage

/// What stands elsewhere, or is called otherwise, on the host that a system comes to: the `--map` options of a restore.
///
/// It changes what the system file says: paths, addresses and the commands that start and stop. What is inside captured
/// files is for the drivers, and for people.
package struct Relocation: Hashable, Sendable {
    /// What a rule is about.
    package enum Kind: String, CaseIterable, Sendable {
        /// A directory, and everything below it.
        case path
        /// A host's name.
        case host
        /// A port's number.
        case port
        /// A user or group who owns files.
        case user
    }

    /// One thing that is another here.
    package struct Rule: Hashable, Sendable {
        /// What it is about; nil for a name of which it is not known yet whether a host or a user is called so.
        package var kind: Kind?
        /// What it was.
        package var old: String
        /// What it is here.
        package var new: String
    }

    /// The rules.
    package private(set) var rules: [Rule] = []

    /// Reads `old=new` and `kind:old=new`; what they are about is checked by ``resolve(for:file:host:accounts:)``.
    package init(_ texts: [String]) throws(RelocationFailure) {
        for text in texts {
            guard let equals = text.firstIndex(of: "=") else {
                throw RelocationFailure(
                    "'\(text)' is not OLD=NEW", hint: "write --map OLD=NEW, as --map /srv/ci=/data/ci")
            }
            var old = String(text[..<equals])
            let new = String(text[text.index(after: equals)...])
            var kind = Kind.allCases.first { old.hasPrefix("\($0.rawValue):") }
            if let kind { old.removeFirst(kind.rawValue.count + 1) }
            if kind == nil, old.hasPrefix("/") { kind = .path }
            if kind == nil, UInt16(old) != nil { kind = .port }
            guard Self.isValid(old, kind), Self.isValid(new, kind),
                !rules.contains(where: { $0.old == old && $0.kind == kind })
            else {
                throw RelocationFailure(
                    "'\(text)' is not possible: both sides must be absolute paths, ports, or names of hosts or users, and each old one is given once",
                    hint: "write --map OLD=NEW, as --map /srv/ci=/data/ci or --map 8010=8011")
            }
            rules.append(Rule(kind: kind, old: old, new: new))
        }
    }

    private static func isValid(_ text: String, _ kind: Kind?) -> Bool {
        switch kind {
        case .path:
            let path = FilePath(text)
            return path.isAbsolute && path.lexicallyNormalized() == path && path.lastComponent != nil
        case .port: return UInt16(text).map { $0 > 0 } ?? false
        case .host, .user, nil:
            return !text.isEmpty && !text.hasPrefix("-")
                && text.utf8.allSatisfy { isNameByte($0) && $0 != 0x2f }
        }
    }

    /// Finds out what each rule is about, and refuses one that is about nothing.
    ///
    /// `accounts` are the users and groups of the snapshot, `host` the one it was taken on, `file` where the system file stood.
    package mutating func resolve(
        for description: SystemDescription, file: FilePath?, host: String, accounts: Set<String>
    ) throws(RelocationFailure) {
        // A word of a command may be anything: that a host is called so is said by addresses alone, or by who maps it.
        var withoutCommands = description
        for (index, component) in description.components.enumerated() {
            for key in Self.keys(of: component) where key.shape == .service || key.shape == .command {
                withoutCommands.components[index].settings[key.name] = nil
            }
        }
        for index in rules.indices {
            let rule = rules[index]
            let kinds = rule.kind.map { [$0] } ?? [.host, .user]
            let fitting = kinds.filter { kind in
                var alone = self
                alone.rules = [Rule(kind: kind, old: rule.old, new: rule.new)]
                switch kind {
                case .user where accounts.contains(rule.old): return true
                case .host where rule.old == host: return true
                case .path where file.map({ alone.path($0) != $0 }) ?? false: return true
                case .host where rule.kind == nil:
                    return alone.applied(to: withoutCommands) != withoutCommands
                case .path, .port, .host: return alone.applied(to: description) != description
                case .user: return false
                }
            }
            guard let kind = fitting.first, fitting.count == 1 else {
                let isBoth = fitting.count > 1
                throw RelocationFailure(
                    isBoth
                        ? "'\(rule.old)' is a host and a user of this system"
                        : "the system has nothing that is \(rule.kind.map { "the \($0.rawValue) " } ?? "")'\(rule.old)', so there is nothing to replace",
                    hint: isBoth
                        ? "write --map host:\(rule.old)=… or --map user:\(rule.old)=…"
                        : "'understudy show ID understudy.yaml' prints its paths, addresses and ports; --map takes these, the host's name, owners of files, and with 'host:' a host that only a command names"
                )
            }
            rules[index].kind = kind
        }
    }

    /// Where a path is here.
    package func path(_ path: FilePath) -> FilePath {
        let rule = rules.filter { $0.kind == .path && path.starts(with: FilePath($0.old)) }
            .max { $0.old.utf8.count < $1.old.utf8.count }
        guard let rule else { return path }
        var rest = path
        _ = rest.removePrefix(FilePath(rule.old))
        return FilePath(rule.new).pushing(rest)
    }

    /// Users and groups by what they are called here.
    package var accounts: [String: String] {
        Dictionary(rules.filter { $0.kind == .user }.map { ($0.old, $0.new) }) { first, _ in first }
    }

    /// The description with everything at its place here; its text is that of before.
    package func applied(to description: SystemDescription) -> SystemDescription {
        var description = description
        description.store = path(description.store)
        description.policies = description.policies.map { path($0) }
        description.signingKey = description.signingKey.map { path($0) }
        description.components = description.components.map { applied(to: $0) }
        return description
    }

    /// What the system file says otherwise, a line each: `ci.url: http://a:80/ → http://a:81/`.
    package func changes(of description: SystemDescription) -> [String] {
        let new = applied(to: description)
        var lines: [String] = []
        func add(_ name: String, _ old: String, _ new: String) {
            if old != new { lines.append("\(name): \(old) → \(new)") }
        }
        add("store", description.store.string, new.store.string)
        if let old = description.policies, let new = new.policies { add("policies", old.string, new.string) }
        if let old = description.signingKey, let new = new.signingKey {
            add("signing-key", old.string, new.string)
        }
        for (component, moved) in zip(description.components, new.components) {
            for (key, value) in component.settings.sorted(by: { $0.key < $1.key }) {
                let others = moved.settings[key].map(Self.texts) ?? []
                for (old, new) in zip(Self.texts(value), others) { add("\(component.name).\(key)", old, new) }
            }
        }
        return lines + accounts.sorted { $0.key < $1.key }.map { "owner: \($0.key) → \($0.value)" }
    }

    /// Whether it says that the system stands elsewhere here: at other paths, or on another host.
    package var movesSystem: Bool { rules.contains { $0.kind == .path || $0.kind == .host } }

    /// What a component says of where its databases are, and is the same here: `'url' (postgresql:///shop)`.
    package func unmovedDatabase(of component: Component) -> [String] {
        unmoved(of: component) { $0.shape == .database }
    }

    /// What a component says of how its tool is captured and restored, and is the same here.
    package func unmovedCommands(of component: Component) -> [String] {
        unmoved(of: component) { $0.shape == .command && $0.isRequired }
    }

    /// What a component says of how it is started and stopped, and is the same here.
    package func unmovedService(of component: Component) -> [String] {
        unmoved(of: component) {
            $0.shape == .service || ($0.shape == .command && ["start", "stop"].contains($0.name))
        }
    }

    // MARK: -

    private static func keys(of component: Component) -> [SettingKey] {
        driverKinds.first { $0.name == component.driver }?.settings ?? []
    }

    private func unmoved(of component: Component, where isAsked: (SettingKey) -> Bool) -> [String] {
        let moved = applied(to: component)
        return Self.keys(of: component).filter(isAsked).compactMap { key in
            let old = component.settings[key.name].map(Self.texts) ?? []
            let new = moved.settings[key.name].map(Self.texts) ?? []
            let isSame =
                key.shape == .database
                ? old.map(Self.withoutOptions) == new.map(Self.withoutOptions) : old == new
            guard !old.isEmpty, isSame else { return nil }
            return "'\(key.name)' (\(old.joined(separator: "; ")))"
        }
    }

    /// What of an address says which database it is: not where a certificate is, say.
    private static func withoutOptions(_ address: String) -> String {
        guard let query = address.firstIndex(of: "?") else { return address }
        let names = ["host", "hostaddr", "port", "dbname", "service"]
        let parameters = address[query...].dropFirst().split(separator: "&")
            .filter { parameter in names.contains { parameter.hasPrefix("\($0)=") } }
        return "\(address[..<query])?\(parameters.joined(separator: "&"))"
    }

    private static func texts(_ value: SettingValue) -> [String] {
        switch value {
        case .text(let text): [text]
        case .list(let texts): texts
        case .map(let texts): texts.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private func applied(to component: Component) -> Component {
        var moved = component
        for (key, value) in component.settings {
            let shape = Self.keys(of: component).first { $0.name == key }?.shape
            moved.settings[key] = applied(to: value, shape)
        }
        return moved
    }

    private func applied(to value: SettingValue, _ shape: SettingKey.Shape?) -> SettingValue {
        switch value {
        case .text(let text):
            switch shape {
            case .command: .text(applied(toCommand: text))
            case .database: .text(applied(toDatabase: text))
            default: .text(applied(toText: text))
            }
        case .list(let texts): .list(texts.map { applied(toText: $0) })
        case .map(let texts):
            // The name of a unit is none of what can be mapped.
            .map(
                Dictionary(
                    uniqueKeysWithValues: texts.map { ($0, $0 == "systemd" ? $1 : applied(toCommand: $1)) }))
        }
    }

    private func applied(toText text: String) -> String {
        if text.hasPrefix("/") { return path(FilePath(text)).string }
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let colon = authority.lastIndex(of: ":")
        let host = named(.host, String(colon.map { authority[..<$0] } ?? authority))
        let port = colon.map { named(.port, String(authority[authority.index(after: $0)...])) }
        return text[..<scheme.upperBound] + host + (port.map { ":\($0)" } ?? "") + rest[authority.endIndex...]
    }

    private func named(_ kind: Kind, _ old: String) -> String {
        rules.first { $0.kind == kind && $0.old == old }?.new ?? old
    }

    /// An address of libpq: hosts, ports and the directories of sockets and files, before the database's name and after it.
    private func applied(toDatabase text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return applied(toCommand: text) }
        let rest = text[scheme.upperBound...]
        let query = rest.firstIndex(of: "?") ?? rest.endIndex
        let authority = rest[..<query].prefix { $0 != "/" }
        let user = authority.lastIndex(of: "@").map { authority[...$0] } ?? ""
        let servers = Self.list(authority.dropFirst(user.count)) { server in
            // The colons of an address in brackets separate no port.
            let name = server.hasPrefix("[") ? server.prefix { $0 != "]" } : server.prefix { $0 != ":" }
            guard let colon = server[name.endIndex...].firstIndex(of: ":") else {
                return socketOrHost(String(server))
            }
            return socketOrHost(String(server[..<colon])) + ":"
                + named(.port, String(server[server.index(after: colon)...]))
        }
        let parameters = rest[query...].dropFirst().split(separator: "&", omittingEmptySubsequences: false)
            .map { applied(toParameter: $0) }
        return "\(text[..<scheme.upperBound])\(user)\(servers)\(rest[authority.endIndex..<query])"
            + (query == rest.endIndex ? "" : "?" + parameters.joined(separator: "&"))
    }

    private func applied(toParameter text: Substring) -> String {
        guard let equals = text.firstIndex(of: "=") else { return String(text) }
        let value = text[text.index(after: equals)...]
        let new: String
        switch text[..<equals] {
        case "host", "hostaddr": new = Self.list(value) { socketOrHost(String($0)) }
        case "port": new = Self.list(value) { named(.port, String($0)) }
        default: new = encodedPath(String(value)) ?? String(value)
        }
        return "\(text[...equals])\(new)"
    }

    private static func list(_ text: Substring, _ change: (Substring) -> String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).map(change).joined(separator: ",")
    }

    private func socketOrHost(_ text: String) -> String { encodedPath(text) ?? named(.host, text) }

    /// The new place of a path that may be percent-encoded, spelled as it was; nil for what is no path.
    private func encodedPath(_ text: String) -> String? {
        guard let old = PostgreSQLAddress.decoded(text), old.hasPrefix("/") else { return nil }
        let new = path(FilePath(old)).string
        guard new != FilePath(old).string else { return text }
        let keepsSlashes = text.hasPrefix("/")
        return percentEncoded(new.utf8) { byte in
            byte < 0x80 && isNameByte(byte) && (byte != UInt8(ascii: "/") || keepsSlashes)
        }
    }

    /// A command: whole words, numbers and paths in it, the latter also percent-encoded, as in the address of a database.
    ///
    /// Nothing is replaced twice, as by a rule about the new place of another.
    private func applied(toCommand text: String) -> String {
        var words: [(old: [UInt8], new: [UInt8], isPath: Bool)] = []
        for rule in rules.sorted(by: { $0.old.utf8.count > $1.old.utf8.count }) where rule.kind != nil {
            let isPath = rule.kind == .path
            for slash in isPath ? ["/", "%2F", "%2f"] : ["/"] {
                words.append(
                    (
                        Array(rule.old.replacing("/", with: slash).utf8),
                        Array(rule.new.replacing("/", with: slash).utf8), isPath
                    ))
            }
        }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let fitting = words.first { Self.stands($0.old, in: bytes, at: index, isPath: $0.isPath) }
            result += fitting?.new ?? [bytes[index]]
            index += fitting?.old.count ?? 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func stands(_ word: [UInt8], in bytes: [UInt8], at index: Int, isPath: Bool) -> Bool {
        let end = index + word.count
        guard end <= bytes.count, bytes[index..<end].elementsEqual(word) else { return false }
        let before = bytes[..<index]
        let after = bytes[end...]
        let isAtEnd = after.first.map { !isNameByte($0) } ?? true
        guard isPath else { return !isInName(before) && isAtEnd }
        // The rest of another path, as of '~/srv' and '${HOME}/srv', and '/srv/ci@tmp' beside '/srv/ci', are none of it.
        let isRest = before.last.map { Array("~})*".utf8).contains($0) } ?? false
        let isLonger = after.first.map { Array("~+@%".utf8).contains($0) } ?? false
        let isAbove = ["/", "%2F", "%2f"].contains { after.starts(with: $0.utf8) }
        return (!isInName(before) && !isRest || isBeforePath(before)) && (isAbove || isAtEnd && !isLonger)
    }
}

/// Whether a byte can be inside a name or a path, so that what ends before it is only a part of one.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "/"):
        true
    default: byte >= 0x80
    }
}

/// Whether what follows can be the rest of a name.
private func isInName(_ before: ArraySlice<UInt8>) -> Bool { before.last.map { isNameByte($0) } ?? false }

/// Whether a whole path can follow all the same: that of `-D/srv/pg`, or of `file:///srv/git`.
private func isBeforePath(_ before: ArraySlice<UInt8>) -> Bool {
    if before.suffix(7).elementsEqual("file://".utf8) { return true }
    let letter = before.last.map { isNameByte($0) && ![0x2d, 0x2e, 0x2f].contains($0) } ?? false
    let dash = before.dropLast()
    return letter && dash.last == UInt8(ascii: "-") && !isInName(dash.dropLast())
}

/// What was given as `--map` is not possible.
package struct RelocationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which rule, and why.
    package var description: String
    /// What to do.
    package var hint: String

    init(_ description: String, hint: String) {
        self.description = description
        self.hint = hint
    }
}
