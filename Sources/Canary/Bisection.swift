/// Finds a smallest part of something that fails: Zeller and Hildebrandt's ddmin.
///
/// Takes about 2·log₂(n) trials when one of n parts is at fault, and more when several are only together.
struct Bisection<Part: Hashable & Sendable> {
    /// How many trials may be made; what is left then is an answer too, if not the smallest.
    var limit = 24

    /// A part of `parts` that fails and of which no piece fails that was tried; `parts` as a whole is known to fail.
    func smallest(
        _ parts: [Part], fails: ([Part]) async throws -> Bool
    ) async throws -> [Part] {
        var present = parts
        var pieces = 2
        var known: [Set<Part>: Bool] = [:]
        var trials = 0
        func isFailing(_ part: [Part]) async throws -> Bool {
            if let answer = known[Set(part)] { return answer }
            guard trials < limit else { return false }
            trials += 1
            let answer = try await fails(part)
            known[Set(part)] = answer
            return answer
        }
        while present.count > 1 {
            let size = (present.count + pieces - 1) / pieces
            let subsets = stride(from: 0, to: present.count, by: size).map {
                Array(present[$0..<min($0 + size, present.count)])
            }
            var smaller: (parts: [Part], pieces: Int)?
            for subset in subsets where smaller == nil {
                if try await isFailing(subset) { smaller = (subset, 2) }
            }
            for subset in subsets where smaller == nil && subsets.count > 2 {
                let rest = present.filter { !subset.contains($0) }
                if try await isFailing(rest) { smaller = (rest, max(pieces - 1, 2)) }
            }
            if let smaller {
                (present, pieces) = smaller
            } else if pieces < present.count {
                pieces = min(pieces * 2, present.count)
            } else {
                break
            }
        }
        return present
    }
}
