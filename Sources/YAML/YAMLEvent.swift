/// One step through a YAML text.
package struct YAMLEvent: Hashable, Sendable {
    /// What begins, ends or stands there.
    package enum Kind: Hashable, Sendable {
        /// A document begins.
        case documentStart
        /// The document begun last ends.
        case documentEnd
        /// A text; `isPlain` says that it stands there without quotes.
        case scalar(String, isPlain: Bool)
        /// A list begins; its items follow.
        case listStart
        /// The list begun last and not ended yet ends.
        case listEnd
        /// A mapping begins; a key and its value follow in turn.
        case mapStart
        /// The mapping begun last and not ended yet ends.
        case mapEnd
        /// Another node of the document, by the name of its anchor.
        case alias
        /// The text ends.
        case end
    }

    /// What it is.
    package var kind: Kind
    /// Whether the node has a name for aliases.
    package var hasAnchor = false
    /// Where it begins.
    package var position: Position
}
