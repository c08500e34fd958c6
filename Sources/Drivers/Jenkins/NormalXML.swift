internal import Cryptography
internal import XML

/// A configuration without what Jenkins rewrites by itself: the versions of plugins in attributes, the header, quotes,
/// entities and white space between elements.
enum NormalXML {
    /// What a fingerprint was taken of.
    struct Reading {
        /// The name of the root element, nil when the bytes are no XML.
        var root: String?
        /// SHA-256 of the normal form; of the bytes themselves when they are no XML.
        var digest: String
        /// The document, nil when the bytes are no XML.
        var element: XMLElement?
    }

    /// Reads a document; one that is no XML is still something that can change.
    static func read(_ bytes: [UInt8]) -> Reading {
        guard let element = try? XMLElement(document: bytes) else {
            // What cannot be parsed is compared byte by byte: the reading says so by having no root.
            return Reading(root: nil, digest: hex(SHA256.digest(bytes)), element: nil)
        }
        var normal: [UInt8] = []
        append(element, to: &normal)
        return Reading(root: element.name, digest: hex(SHA256.digest(normal)), element: element)
    }

    private static func append(_ element: XMLElement, to normal: inout [UInt8]) {
        normal.append(1)
        append(element.name, to: &normal)
        for attribute in element.attributes.sorted(by: { $0.name < $1.name }) where attribute.name != "plugin"
        {
            append(attribute.name, to: &normal)
            append(attribute.value, to: &normal)
        }
        normal.append(2)
        let isBlank = element.text.allSatisfy(\.isWhitespace)
        if !(isBlank && !element.children.isEmpty) { append(element.text, to: &normal) }
        for child in element.children { append(child, to: &normal) }
        normal.append(3)
    }

    private static func append(_ text: String, to normal: inout [UInt8]) {
        normal.append(contentsOf: "\(text.utf8.count):".utf8)
        normal.append(contentsOf: text.utf8)
    }
}
