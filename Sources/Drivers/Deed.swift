/// Something that a tool wrote down of the life of one of its items.
package struct Deed: Hashable, Codable, Sendable {
    /// When, in seconds since 1970.
    package var time: Int64
    /// What was done, in the tool's words: `Changed`, `Renamed`.
    package var what: String
    /// Who did it, empty where the tool does not say.
    package var who: String
    /// Why, empty where nobody gave a reason.
    package var why: String
    /// The name before, where it was renamed.
    package var was: String?

    /// Something that was done.
    package init(time: Int64, what: String, who: String, why: String, was: String? = nil) {
        self.time = time
        self.what = what
        self.who = who
        self.why = why
        self.was = was
    }
}
