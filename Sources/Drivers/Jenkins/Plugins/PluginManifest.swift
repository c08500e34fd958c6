/// The main section of `META-INF/MANIFEST.MF`, read as `java.util.jar.Manifest` reads it.
///
/// Values keep their trailing blanks, as Jenkins compares them: `1.2 ` is a later version than `1.2`.
package struct PluginManifest: Hashable, Sendable {
    private var values: [String: String] = [:]
    /// Why Java would refuse the manifest, nil when it would not; what could be read is there nevertheless.
    package private(set) var fault: String?

    /// Where it is in the archive.
    package static let path = "META-INF/MANIFEST.MF"

    /// Reads the main section: `Name: value`, a line that begins with a space goes on with the one before.
    package init(_ bytes: [UInt8]) {
        var section = Section.main
        var open: (name: ArraySlice<UInt8>, value: [UInt8])?
        var rest = bytes[...]
        var number = 0
        while let (line, remainder) = Self.line(rest) {
            let length = rest.count - remainder.count
            rest = remainder
            number += 1
            // Java looks at the next byte, and takes a value in when it sees its end: one that goes on in a line without end is lost.
            let goesOn = rest.first == UInt8(ascii: " ")
            if length > 512 {
                refuse("line \(number) is too long")
            } else if line.isEmpty {
                section = .beginning
                open = nil
            } else if line.first == UInt8(ascii: " "), section != .beginning {
                guard var value = open else {
                    refuse("line \(number) goes on with a line that is not there")
                    continue
                }
                value.value += line.dropFirst()
                open = value
                if !goesOn { take(&open, section, number) }
            } else if section == .beginning {
                // The sections about single files are read too, and a fault there is one of the whole.
                if !line.starts(with: "Name: ".utf8) && !line.starts(with: "name: ".utf8) {
                    refuse("line \(number) does not begin a section with Name")
                }
                section = .other
                open = goesOn ? (line.prefix(4), []) : nil
            } else if let colon = line.firstIndex(of: UInt8(ascii: ":")),
                line[(colon + 1)...].first == UInt8(ascii: " ")
            {
                open = (line[..<colon], Array(line[(colon + 2)...]))
                if !goesOn { take(&open, section, number) }
            } else {
                refuse("line \(number) is no 'Name: value'")
            }
        }
    }

    private enum Section {
        case main
        /// Behind a blank line.
        case beginning
        case other
    }

    /// Takes in a value that has come to its end; the last of several counts.
    private mutating func take(
        _ open: inout (name: ArraySlice<UInt8>, value: [UInt8])?, _ section: Section, _ number: Int
    ) {
        guard let (name, value) = open else { return }
        open = nil
        guard Self.isName(name) else { return refuse("line \(number) is of a name that cannot be one") }
        if section == .main {
            values[String(decoding: name, as: UTF8.self).lowercased()] = String(
                decoding: value, as: UTF8.self)
        }
    }

    /// A manifest of values, for what has none of its own.
    package init(values: [String: String]) {
        for (name, value) in values { self.values[name.lowercased()] = value }
    }

    /// The value of a name, in any case of letters.
    package subscript(name: String) -> String? { values[name.lowercased()] }

    private mutating func refuse(_ reason: String) {
        if fault == nil { fault = reason }
    }

    /// The first line and what follows it; lines end in a line feed, a carriage return or both.
    private static func line(_ bytes: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
        // A last line that does not end is none for Java.
        guard let end = bytes.firstIndex(where: { $0 == 10 || $0 == 13 }) else { return nil }
        let isBoth = bytes[end] == 13 && bytes[(end + 1)...].first == 10
        return (bytes[..<end], bytes[(end + (isBoth ? 2 : 1))...])
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        (1...70).contains(bytes.count)
            && bytes.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            }
    }
}

extension PluginManifest {
    /// `Short-Name`, else `Extension-Name`; nil when there is neither, and the file's name counts.
    package var shortName: String? { self["Short-Name"] ?? self["Extension-Name"] }

    /// `Plugin-Version`, else `Implementation-Version`, else what Jenkins shows: `???`.
    package var version: String { self["Plugin-Version"] ?? self["Implementation-Version"] ?? "???" }

    /// The core that a plugin was built for, which is the least it runs on; nil when it does not say.
    package var requiredCore: String? { self["Jenkins-Version"] ?? self["Hudson-Version"] }

    /// The version of the core, in a war.
    package var coreVersion: String? { requiredCore ?? self["Implementation-Version"] }

    /// The plugin's oldest version whose data it still reads, nil when it does not say.
    package var compatibleSince: String? { self["Compatible-Since-Version"] }

    /// The dependencies as written, in their order.
    ///
    /// Throws a ``PluginDependency/Malformed`` for a part without a colon: Jenkins then loses sight of the plugin.
    package func dependencies() throws(PluginDependency.Malformed) -> [PluginDependency] {
        guard let text = self["Plugin-Dependencies"] else { return [] }
        var parts = text.split(separator: ",", omittingEmptySubsequences: false)
        // Java's split leaves empty parts out at the end, and makes one part of nothing.
        while parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
        if parts.count == 1, parts[0].isEmpty, !text.isEmpty { return [] }
        var dependencies: [PluginDependency] = []
        for part in parts { dependencies.append(try PluginDependency(String(part))) }
        return dependencies
    }
}
