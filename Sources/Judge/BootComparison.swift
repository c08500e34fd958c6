/// What repeated boots of two arms differ in, as sets: no statistics.
///
/// An item that every boot of an arm shows is stable there, one that only some show is flaky. What the baseline ever
/// shows is noise that was there before, and is never held against the candidate.
struct BootComparison<Item: Comparable & Hashable> {
    /// In every boot of the candidate and in none of the baseline.
    let newStable: [Item]
    /// In some boots of the candidate and in none of the baseline: more boots are needed to tell.
    let newFlaky: [Item]
    /// In every boot of the baseline and in none of the candidate.
    let goneStable: [Item]
    /// In every boot of the baseline and in some of the candidate: more boots are needed to tell.
    let goneFlaky: [Item]
    /// In a boot of the baseline.
    let preexisting: [Item]

    /// The difference of what was seen in each boot of each arm.
    ///
    /// An arm without boots shows nothing: whoever asks has to see to it that there are enough.
    init(baseline: [Set<Item>], candidate: [Set<Item>]) {
        let ever = { (boots: [Set<Item>]) in boots.reduce(into: Set()) { $0.formUnion($1) } }
        let always = { (boots: [Set<Item>]) in
            boots.dropFirst().reduce(into: boots.first ?? []) { $0.formIntersection($1) }
        }
        let (everBaseline, alwaysBaseline) = (ever(baseline), always(baseline))
        let (everCandidate, alwaysCandidate) = (ever(candidate), always(candidate))
        newStable = alwaysCandidate.subtracting(everBaseline).sorted()
        newFlaky = everCandidate.subtracting(alwaysCandidate).subtracting(everBaseline).sorted()
        goneStable = alwaysBaseline.subtracting(everCandidate).sorted()
        goneFlaky = alwaysBaseline.intersection(everCandidate).subtracting(alwaysCandidate).sorted()
        preexisting = everBaseline.sorted()
    }
}

/// What makes two observations the same one.
struct ObservationKey: Comparable, Hashable {
    let kind: String
    let object: ObjectName
    let detail: String

    init(_ observation: Observation) {
        kind = observation.kind
        object = observation.object
        detail = observation.detail
    }

    static func < (left: ObservationKey, right: ObservationKey) -> Bool {
        (left.kind, left.object, left.detail) < (right.kind, right.object, right.detail)
    }
}
