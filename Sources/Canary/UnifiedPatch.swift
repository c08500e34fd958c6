/// A patch as `git diff` and `diff -u` write it: what it does to files, and where it does not fit.
///
/// Lines are bytes, with their line feeds. Nothing is guessed: a piece goes where all of its lines stand, at its place or at
/// the only other one.
package struct UnifiedPatch: Hashable, Sendable {
    /// What happens to one file.
    package struct FilePatch: Hashable, Sendable {
        /// The path before; nil for a file that is new.
        package var old: String?
        /// The path afterwards; nil for a file that goes.
        package var new: String?
        fileprivate var hunks: [Hunk] = []
    }

    fileprivate struct Hunk: Hashable, Sendable {
        /// The line before which the piece begins, counted from 0.
        var start: Int
        var old: [[UInt8]] = []
        var new: [[UInt8]] = []
    }

    /// Why a patch cannot be read or applied.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// Which line or file, and why.
        package var description: String

        /// A reason.
        package init(_ description: String) {
            self.description = description
        }
    }

    /// The files, in the order of the patch.
    package private(set) var files: [FilePatch] = []

    /// Reads a patch; what stands before and between its pieces is passed over, as git does it.
    package init(_ patch: [UInt8]) throws(Failure) {
        var lines = Self.lines(patch)[...]
        var header = Header()
        while let line = lines.popFirst() {
            let text = String(decoding: line, as: UTF8.self).trimmingLineEnd
            if text.hasPrefix("diff --git ") {
                try finish(&header)
            } else if text.hasPrefix("GIT binary patch") || text.hasPrefix("Binary files ") {
                throw Failure("it changes a binary file, which is given by --files")
            } else if text.hasPrefix("rename from ") {
                header.old = .some(try Self.path(text.dropFirst("rename from ".count), prefix: nil))
            } else if text.hasPrefix("rename to ") {
                header.new = .some(try Self.path(text.dropFirst("rename to ".count), prefix: nil))
            } else if text.hasPrefix("--- "), lines.first?.starts(with: "+++ ".utf8) == true {
                let renamed = header.new != nil
                if !renamed { try finish(&header) }
                let next = String(decoding: lines.removeFirst(), as: UTF8.self).trimmingLineEnd
                header.old = .some(try Self.path(text.dropFirst(4), prefix: "a/"))
                header.new = .some(try Self.path(next.dropFirst(4), prefix: "b/"))
                while lines.first?.starts(with: "@@ -".utf8) == true {
                    header.hunks.append(try Self.hunk(&lines))
                }
                guard renamed || !header.hunks.isEmpty else {
                    throw Failure("nothing follows '\(text)'")
                }
                try finish(&header)
            }
        }
        try finish(&header)
        guard !files.isEmpty else { throw Failure("it changes no file") }
    }

    /// Applies what is done to one file to its contents; nil for what goes.
    package static func apply(_ patch: FilePatch, to contents: [UInt8]) throws(Failure) -> [UInt8]? {
        var lines = Self.lines(contents)
        var moved = 0
        for hunk in patch.hunks {
            let place = try place(of: hunk, in: lines, near: hunk.start + moved, patch)
            lines.replaceSubrange(place..<place + hunk.old.count, with: hunk.new)
            moved = place - hunk.start + hunk.new.count - hunk.old.count
        }
        guard patch.new == nil else { return Array(lines.joined()) }
        guard lines.isEmpty else {
            throw Failure("\(patch.old ?? "") would go, and more is in it than the patch takes out")
        }
        return nil
    }

    // MARK: - Reading

    private struct Header {
        var old: String??
        var new: String??
        var hunks: [Hunk] = []
    }

    private mutating func finish(_ header: inout Header) throws(Failure) {
        defer { header = Header() }
        guard let old = header.old, let new = header.new else { return }
        guard old != nil || new != nil else {
            throw Failure("a piece is about no file: both of its names are /dev/null")
        }
        files.append(FilePatch(old: old, new: new, hunks: header.hunks))
    }

    /// A path of a patch without what git puts before it; nil for `/dev/null`.
    private static func path(_ text: Substring, prefix: String?) throws(Failure) -> String? {
        let path = text.prefix { $0 != "\t" }
        guard path != "/dev/null" else { return nil }
        guard !path.hasPrefix("\"") else {
            throw Failure("the name \(path) is in quotes, and only plain names are read")
        }
        let own = prefix.flatMap { path.hasPrefix($0) ? path.dropFirst($0.count) : nil } ?? path
        let names = own.split(separator: "/", omittingEmptySubsequences: false)
        guard !names.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw Failure("the name \(path) leads elsewhere than into the component")
        }
        return String(own)
    }

    private static func hunk(_ lines: inout ArraySlice<[UInt8]>) throws(Failure) -> Hunk {
        let head = String(decoding: lines.removeFirst(), as: UTF8.self).trimmingLineEnd
        // @@ -START[,COUNT] +START[,COUNT] @@
        let words = head.split(separator: " ")
        guard words.count >= 4, words[3] == "@@", let old = range(words[1]), let new = range(words[2]) else {
            throw Failure("'\(head)' does not say which lines it is about")
        }
        var hunk = Hunk(start: old.count == 0 ? old.start : max(0, old.start - 1))
        while hunk.old.count < old.count || hunk.new.count < new.count
            || lines.first?.first == UInt8(ascii: "\\")
        {
            guard let line = lines.popFirst() else {
                throw Failure("the patch ends in the middle of '\(head)'")
            }
            switch line.first {
            case UInt8(ascii: " "):
                hunk.old.append(Array(line.dropFirst()))
                hunk.new.append(Array(line.dropFirst()))
            case UInt8(ascii: "\n"):
                // Editors take the blank of an empty line away.
                hunk.old.append(line)
                hunk.new.append(line)
            case UInt8(ascii: "-"): hunk.old.append(Array(line.dropFirst()))
            case UInt8(ascii: "+"): hunk.new.append(Array(line.dropFirst()))
            case UInt8(ascii: "\\"): throw Failure("'\(head)' has a line end too many")
            default: throw Failure("the lines of '\(head)' are not as many as it says")
            }
            // "\ No newline at end of file" is about the line before it.
            guard lines.first?.first == UInt8(ascii: "\\") else { continue }
            lines.removeFirst()
            if line.first != UInt8(ascii: "+") { hunk.old.dropLastLineFeed() }
            if line.first != UInt8(ascii: "-") { hunk.new.dropLastLineFeed() }
        }
        guard hunk.old.count == old.count, hunk.new.count == new.count else {
            throw Failure("the lines of '\(head)' are not as many as it says")
        }
        return hunk
    }

    private static func range(_ word: Substring) -> (start: Int, count: Int)? {
        let parts = word.dropFirst().split(separator: ",", omittingEmptySubsequences: false)
        // No file has more lines, and sums of such numbers can be had.
        let numbers = parts.compactMap { Int32($0) }.filter { $0 >= 0 }.map(Int.init)
        guard numbers.count == parts.count, (1...2).contains(numbers.count) else { return nil }
        return (numbers[0], numbers.count == 2 ? numbers[1] : 1)
    }

    // MARK: - Applying

    private static func place(
        of hunk: Hunk, in lines: [[UInt8]], near wanted: Int, _ patch: FilePatch
    ) throws(Failure) -> Int {
        func stands(at place: Int) -> Bool {
            place >= 0 && place + hunk.old.count <= lines.count
                && lines[place..<place + hunk.old.count].elementsEqual(hunk.old)
        }
        if stands(at: wanted) { return wanted }
        let places = hunk.old.isEmpty ? [] : (0...lines.count).filter(stands)
        guard let place = places.first, places.count == 1 else {
            throw Failure(
                "\(patch.old ?? patch.new ?? ""): the lines of the piece at line \(hunk.start + 1) "
                    + (places.isEmpty ? "are not there" : "are there more than once, and not where it says"))
        }
        return place
    }

    private static func lines(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            lines.append(Array(bytes[start..<end]))
            start = end
        }
        return lines
    }
}

extension [[UInt8]] {
    fileprivate mutating func dropLastLineFeed() {
        guard let last = indices.last, self[last].last == UInt8(ascii: "\n") else { return }
        self[last].removeLast()
    }
}

extension String {
    fileprivate var trimmingLineEnd: String {
        var text = self[...]
        while let last = text.unicodeScalars.last, last == "\n" || last == "\r" {
            text = Substring(text.unicodeScalars.dropLast())
        }
        return String(text)
    }
}
