internal import SnapshotModel

/// Text in HTML and XML.
enum Markup {
    /// The text, showing as what it is: no markup, no control characters, no marks that turn the direction around.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in printable(text.utf8).unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
