extension Array {
    /// Cuts items into pieces of about `size` work each, so that no thread has all of it; a piece has `count` items at least, but
    /// for the last one.
    ///
    /// What an item says of its work may be made up: no item counts for more than a piece.
    @inlinable
    package func pieces(
        of size: Int64, atLeast count: Int = 1, work: (Element) -> Int64
    ) -> [ArraySlice<Element>] {
        var pieces: [ArraySlice<Element>] = []
        var start = startIndex
        var sum: Int64 = 0
        for index in indices {
            sum += Swift.min(work(self[index]), size)
            guard sum >= size, index - start + 1 >= count else { continue }
            pieces.append(self[start...index])
            start = index + 1
            sum = 0
        }
        return start == endIndex ? pieces : pieces + [self[start...]]
    }
}
