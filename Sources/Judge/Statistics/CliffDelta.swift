/// How much of one sample is above another less how much is below: Cliff's δ, for people.
struct CliffDelta: Hashable {
    /// −1 when every value is below every other, 1 when every value is above.
    let delta: Double
    /// The approximate 95 % interval; nil when a sample has one value only.
    let interval: ClosedRange<Double>?

    /// δ of `x` over `y`, with the interval of Feng and Cliff; nil when one is empty or has a value that is no number.
    init?(_ x: [Double], over y: [Double]) {
        guard !x.isEmpty, !y.isEmpty, !(x + y).contains(where: \.isNaN) else { return nil }
        let (m, n) = (Double(x.count), Double(y.count))
        let sign = { (a: Double, b: Double) in a > b ? 1.0 : a < b ? -1.0 : 0.0 }
        let rows = x.map { value in y.reduce(0.0) { $0 + sign(value, $1) } / n }
        let columns = y.map { value in x.reduce(0.0) { $0 + sign($1, value) } / m }
        let delta = rows.reduce(0, +) / m
        self.delta = delta
        guard m > 1, n > 1 else {
            interval = nil
            return
        }
        let square = NormalDistribution.upperPoint * NormalDistribution.upperPoint
        guard abs(delta) < 1 else {
            let bound = (min(m, n) - square) / (min(m, n) + square)
            interval = delta > 0 ? bound...1 : -1...(-bound)
            return
        }
        let squares = { (values: [Double]) in values.reduce(0.0) { $0 + ($1 - delta) * ($1 - delta) } }
        let cells = x.reduce(0.0) { sum, value in sum + squares(y.map { sign(value, $0) }) }
        let variance = max(
            (m * m * squares(rows) + n * n * squares(columns) - cells) / (m * n * (m - 1) * (n - 1)),
            (1 - delta * delta) / (m * n - 1))
        let rest = 1 - delta * delta
        let half = (square * variance * (rest * rest + square * variance)).squareRoot()
        let middle = delta - delta * delta * delta
        let scale = rest + square * variance
        interval = max(-1, (middle - half) / scale)...min(1, (middle + half) / scale)
    }
}
