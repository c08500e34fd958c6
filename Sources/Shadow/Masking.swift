internal import Cryptography
internal import Drivers
internal import FileTree
internal import Sealing
internal import SnapshotModel
internal import SystemPackage

/// Takes every secret out of a copy, the same way in every arm: files of class `secret` get other contents, and what looks
/// like a secret in other texts gets another value.
///
/// What was taken out is remembered as long as the canary runs, so that it can be shown to be nowhere in the copy.
struct Masking {
    /// What was taken out, contents without blanks around them, with every form in which it is looked for.
    private(set) var secrets: [[UInt8]: SecretForms] = [:]
    /// How much of a file is in memory when it is searched.
    private let pieceSize: Int

    /// Nothing is known yet.
    init(pieceSize: Int = 4 << 20) {
        self.pieceSize = pieceSize
    }

    /// Shorter values are no proof of anything when they are found.
    private static let shortest = 8
    /// Texts above this size are logs and data, not configuration: they are searched and not changed.
    private static let largest = 16 << 20

    /// Masks what is a secret in copies of roots, whose classes are `classifications` by name, and remembers it; says what was
    /// masked.
    mutating func takeSecrets(
        from roots: [StagedComponent.StagedRoot], _ classifications: [String: Classification]
    ) throws -> [Fix] {
        var fixes: [Fix] = []
        for root in roots where root.root.kind == .directory {
            guard let classification = classifications[root.root.name] else {
                preconditionFailure("every root of a copy has its classes")
            }
            try root.walk { path, file in
                let subject = "\(root.root.name)/\(path)"
                let isSmall = try Self.isSmall(file)
                if classification.entryClass(of: path, isDirectory: false) == .secret {
                    guard isSmall else {
                        throw ShadowFailure(
                            "\(subject) is of class 'secret' and larger than \(Self.largest >> 20) MiB: what is in it cannot be looked for elsewhere, so nothing was booted",
                            hint: "give it another class in policies/snapshot.yaml, such as 'database'")
                    }
                    let contents = try Files.read(file)
                    let masked = Self.mask(subject)
                    guard contents != masked else { return }
                    remember(contents)
                    try replace(file, with: masked)
                    fixes.append(Fix(subject, "a secret: masked"))
                } else if isSmall, let masked = maskText(try Files.read(file), subject) {
                    try replace(file, with: masked)
                    fixes.append(Fix(subject, "values that look like secrets: masked"))
                }
            }
        }
        return fixes
    }

    /// Masks in copies of roots what was found to be a secret anywhere; says what was masked.
    func maskKnown(in roots: [StagedComponent.StagedRoot]) throws -> [Fix] {
        var fixes: [Fix] = []
        // A word may stand anywhere and mean something else there: it is left, found again, and told. The longest come
        // first, so that one that is part of another comes out the same in every arm.
        let known = secrets.filter { !Self.isWord($0.key[...]) }.sorted {
            ($1.key.count, hex($0.key)) < ($0.key.count, hex($1.key))
        }
        for root in roots where root.root.kind == .directory {
            try root.walk { path, file in
                guard try Self.isSmall(file) else { return }
                let contents = try Files.read(file)
                // What only begins as a text of UTF-16 is another, and has no such byte.
                let wide = contents.contains(0) ? WideText(contents) : nil
                guard wide != nil || !contents.contains(0) else { return }
                let subject = "\(root.root.name)/\(path)"
                let text = wide?.utf8 ?? contents
                var masked = text
                for (_, forms) in known { forms.replace(in: &masked, with: Self.mask(subject)) }
                guard masked != text else { return }
                try replace(file, with: wide?.contents(masked) ?? masked)
                fixes.append(Fix(subject, "secrets that other files hold: masked"))
            }
        }
        return fixes
    }

    /// Remembers what is a secret in a place that is not changed: it may be written down in another too.
    ///
    /// Without a `classification` that is what looks like one: in files of places that stay out of every copy a secret may stand
    /// among lines that all such files have.
    mutating func learn(from root: StagedComponent.StagedRoot, _ classification: Classification?) throws {
        try root.walk { path, file in
            guard try Self.isSmall(file) else { return }
            let contents = try Files.read(file)
            if classification?.entryClass(of: path, isDirectory: false) == .secret {
                return remember(contents)
            }
            _ = maskText(contents, "")
        }
    }

    /// Looks through copies of roots, and says how many files there are.
    ///
    /// Throws a ``ShadowFailure`` that names the file in which something that was taken out can still be found.
    func search(_ roots: [StagedComponent.StagedRoot]) throws -> Int {
        var searched = 0
        let search = SecretSearch(secrets.values)
        for root in roots where root.root.kind == .directory {
            try root.walk { path, file in
                searched += 1
                var isFound = false
                // A form that lies across two pieces stands whole in the second.
                try Files.readPieces(file, size: pieceSize, overlap: max(0, search.longest - 1)) { piece in
                    isFound = search.stand(in: piece)
                    return !isFound
                }
                guard !isFound else {
                    throw ShadowFailure(
                        "\(root.root.name)/\(path) of the shadow still holds a secret of production, so nothing was booted",
                        hint:
                            "keep the value in a file of class 'secret' alone, or give this path the class 'secret' "
                            + "in policies/snapshot.yaml")
                }
            }
        }
        return searched
    }

    /// Whether a file is small enough to be a text that is changed.
    private static func isSmall(_ file: FilePath) throws -> Bool {
        try Files.status(file)?.size ?? 0 <= largest
    }

    private static func mask(_ subject: String) -> [UInt8] {
        Array("shadow-masked-\(hex(SHA256.digest(Array(subject.utf8)).prefix(4)))".utf8)
    }

    private mutating func remember(_ contents: [UInt8]) {
        // A text of UTF-16 is looked for as it is and as others write it.
        if let wide = WideText(contents) { remember(wide.utf8) }
        for line in contents.split(separator: UInt8(ascii: "\n")) {
            let words = line.drop { $0 <= 0x20 }
            let end = words.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? words.startIndex
            let value = Array(words[..<end])
            // The first and the last line of a key are in every program that reads keys.
            if value.count >= Self.shortest, !value.starts(with: Array("-----".utf8)) {
                secrets[value] = SecretForms(value)
            }
        }
    }

    private mutating func maskText(_ contents: [UInt8], _ subject: String) -> [UInt8]? {
        var text = contents
        var from = 0
        var isChanged = false
        if let wide = WideText(contents) {
            if let masked = maskText(wide.utf8, subject) {
                text = wide.contents(masked)
                isChanged = true
            }
            // What only begins as such a text is masked as it is.
            from = 2
        }
        let mask = Self.mask(subject)
        // What was looked through: each mask that is put into the whole text would move all that is behind it.
        var masked = Array(text[..<from])
        while let finding = unsafe text.withUnsafeBytes({ bytes in
            unsafe LeakScanner.find(UnsafeRawBufferPointer(rebasing: bytes[from...]))
        }) {
            let secret = (finding.secret.lowerBound + from)..<(finding.secret.upperBound + from)
            let start = finding.offset + from + 1
            guard text[secret] != mask[...] else {
                masked += text[from..<secret.upperBound]
                from = secret.upperBound
                continue
            }
            // A word of a program, such as a variable's name, is masked too, but where else it stands says nothing.
            if !Self.isWord(text[secret]) { remember(Array(text[secret])) }
            // Between a name and a value apart from it, or before it in a call, may stand another secret.
            let between = Array(text[min(start, secret.lowerBound)..<secret.lowerBound])
            masked += text[from..<(secret.lowerBound - between.count)]
            masked += maskText(between, subject) ?? between
            masked += mask
            from = secret.upperBound
            isChanged = true
        }
        return isChanged ? masked + text[from...] : nil
    }

    private static func isWord(_ text: ArraySlice<UInt8>) -> Bool {
        text.allSatisfy { byte in
            let letter = byte | 0x20
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || "_.- ()".utf8.contains(byte)
        }
    }

    private func replace(_ file: FilePath, with contents: [UInt8]) throws {
        let mode = try Files.status(file)?.mode ?? 0o600
        try Files.replaceWithoutSync(file, with: contents)
        try Files.setMode(file, mode)
    }
}
