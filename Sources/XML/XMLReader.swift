internal import Clibexpat

/// One attribute of an element.
package struct XMLAttribute: Hashable, Sendable {
    /// Its name as written, prefix included.
    package var name: String
    /// Its value, references resolved.
    package var value: String

    /// An attribute.
    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Hears of a document's parts in their order.
package protocol XMLHandler: AnyObject {
    /// An element begins; throwing ends the reading.
    func start(_ name: String, _ attributes: [XMLAttribute]) throws
    /// The element begun last and not ended yet ends.
    func end(_ name: String)
    /// A piece of text; one text may come in several pieces.
    func text(_ text: String)
}

/// Reads XML part by part, safe against hostile documents.
///
/// Nothing outside the document is ever read, entities cannot be declared, and size and depth have limits. Documents
/// of version 1.1 may refer to control characters, as Jenkins writes them (`&#x1b;`); expat knows version 1.0 only and
/// gets a copy in which these references stand for characters that no text has.
package enum XMLReader {
    /// How much a document may hold.
    package struct Limits: Hashable, Sendable {
        /// Bytes of the document.
        package var bytes: Int
        /// Elements within each other.
        package var depth: Int

        /// Limits; the usual ones hold any real configuration.
        package init(bytes: Int = 64 << 20, depth: Int = 500) {
            self.bytes = bytes
            self.depth = depth
        }
    }

    /// Reads a whole document.
    ///
    /// Throws an ``XMLError`` when it is no XML or exceeds the limits, and what `handler` throws.
    package static func read(_ bytes: [UInt8], limits: Limits = Limits(), handler: any XMLHandler) throws {
        guard bytes.count <= min(limits.bytes, Int(CInt.max)) else {
            throw XMLError(.tooLarge, line: 1, column: 1, "more than \(limits.bytes) bytes")
        }
        guard let parser = unsafe XML_ParserCreate(nil) else {
            throw XMLError(.tooLarge, line: 1, column: 1, "out of memory")
        }
        defer { unsafe XML_ParserFree(parser) }
        let session = unsafe Session(parser: parser, handler: handler, depthLimit: limits.depth)
        let readable = ControlReferences.isNeeded(bytes) ? ControlReferences.replaced(in: bytes) : bytes
        let status = withExtendedLifetime(session) {
            unsafe listen(parser, session)
            return unsafe readable.withUnsafeBytes {
                unsafe XML_Parse(
                    parser, $0.baseAddress?.assumingMemoryBound(to: CChar.self), CInt($0.count), 1)
            }
        }
        if let failure = session.failure { throw failure }
        guard status == XML_STATUS_OK else {
            let text = unsafe XML_ErrorString(XML_GetErrorCode(parser))
            throw unsafe session.error(.malformed, text.map { unsafe String(cString: $0) } ?? "not XML")
        }
    }

    private static func listen(_ parser: XML_Parser, _ session: Session) {
        unsafe XML_SetUserData(parser, Unmanaged.passUnretained(session).toOpaque())
        unsafe XML_SetElementHandler(
            parser,
            { session, name, attributes in unsafe Session.of(session)?.start(name, attributes) },
            { session, name in unsafe Session.of(session)?.end(name) })
        unsafe XML_SetCharacterDataHandler(parser) { session, text, count in
            unsafe Session.of(session)?.text(text, count)
        }
        unsafe XML_SetEntityDeclHandler(parser) { session, _, _, _, _, _, _, _, _ in
            unsafe Session.of(session)?.stop(.entities, "the document declares entities")
        }
        unsafe XML_SetSkippedEntityHandler(parser) { session, _, _ in
            unsafe Session.of(session)?.stop(.entities, "the document refers to an entity from outside")
        }
    }
}

/// One reading: what expat's callbacks share.
@safe private final class Session {
    private let parser: XML_Parser
    private let handler: any XMLHandler
    private let depthLimit: Int
    private var depth = 0
    private(set) var failure: (any Error)?

    init(parser: XML_Parser, handler: any XMLHandler, depthLimit: Int) {
        unsafe self.parser = parser
        self.handler = handler
        self.depthLimit = depthLimit
    }

    static func of(_ pointer: UnsafeMutableRawPointer?) -> Session? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe Unmanaged<Session>.fromOpaque(pointer).takeUnretainedValue()
    }

    func start(
        _ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) {
        guard failure == nil else { return }
        depth += 1
        guard depth <= depthLimit else {
            return stop(.tooLarge, "more than \(depthLimit) elements within each other")
        }
        var list: [XMLAttribute] = []
        if let attributes = unsafe attributes {
            var index = 0
            while let key = unsafe attributes[index], let value = unsafe attributes[index + 1] {
                unsafe list.append(
                    XMLAttribute(
                        name: String(cString: key),
                        value: ControlReferences.restored(in: UnsafeRawBufferPointer(bytesOf: value))))
                index += 2
            }
        }
        guard let name = unsafe name else { return }
        do {
            try handler.start(unsafe String(cString: name), list)
        } catch {
            failure = error
            _ = unsafe XML_StopParser(parser, 0)
        }
    }

    func end(_ name: UnsafePointer<CChar>?) {
        guard failure == nil, let name = unsafe name else { return }
        depth -= 1
        handler.end(unsafe String(cString: name))
    }

    func text(_ text: UnsafePointer<CChar>?, _ count: CInt) {
        guard failure == nil, let text = unsafe text else { return }
        handler.text(
            unsafe ControlReferences.restored(in: UnsafeRawBufferPointer(start: text, count: Int(count))))
    }

    func stop(_ kind: XMLError.Kind, _ reason: String) {
        guard failure == nil else { return }
        failure = error(kind, reason)
        _ = unsafe XML_StopParser(parser, 0)
    }

    func error(_ kind: XMLError.Kind, _ reason: String) -> XMLError {
        XMLError(
            kind, line: Int(unsafe XML_GetCurrentLineNumber(parser)),
            column: Int(unsafe XML_GetCurrentColumnNumber(parser)) + 1, reason)
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a C string, without its end.
    @unsafe fileprivate init(bytesOf text: UnsafePointer<CChar>) {
        var count = 0
        while unsafe text[count] != 0 { count += 1 }
        unsafe self.init(start: text, count: count)
    }
}
