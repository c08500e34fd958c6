internal import Judge

/// The values of a measure as dots, a row for each arm, as an inline SVG picture.
struct DurationPlot {
    private struct Row {
        var arm: Arm
        var values: [Double]
    }

    private let measure: Measure
    private let rows: [Row]
    private let axis: Axis

    private static let (width, left, right, top, rowHeight, bottom) = (720.0, 92.0, 36.0, 22.0, 44.0, 34.0)

    /// The picture of a measure; nil when there is nothing to draw.
    init?(_ measure: Measure) {
        let rows = [
            Row(arm: .baseline, values: measure.baseline), Row(arm: .candidate, values: measure.candidate),
            Row(arm: .control, values: measure.control),
        ].map { Row(arm: $0.arm, values: $0.values.filter(\.isFinite)) }.filter { !$0.values.isEmpty }
        guard measure.quantity != .failures, let axis = Axis(rows.flatMap(\.values) + Self.margin(measure))
        else {
            return nil
        }
        self.measure = measure
        self.rows = rows
        self.axis = axis
    }

    /// Where the margin is over the baseline's median, as far as there is a baseline.
    private static func margin(_ measure: Measure) -> [Double] {
        guard let ratio = measure.ratio, !measure.baseline.isEmpty else { return [] }
        let middle = median(ofSorted: measure.baseline.sorted())
        return [measure.quantity == .throughput ? middle / ratio.margin : middle * ratio.margin]
    }

    /// The picture, named `title` for who cannot see it.
    func svg(title: String) -> String {
        let height = Self.top + Double(rows.count) * Self.rowHeight + Self.bottom
        let floor = height - Self.bottom
        let size = "\(round(Self.width)) \(round(height))"
        var lines = ["<svg viewBox=\"0 0 \(size)\" role=\"img\" aria-label=\"\(Markup.escaped(title))\">"]
        for (index, tick) in axis.ticks.enumerated() {
            let at = round(x(tick))
            // The unit stands once, at the end.
            let label =
                index == axis.ticks.count - 1
                ? Figure.text(tick, unit: measure.quantity.unit) : Figure.text(tick)
            lines.append(
                "<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(round(Self.top))\" y2=\"\(round(floor))\"/>"
            )
            lines.append(
                "<text class=\"tick\" x=\"\(at)\" y=\"\(round(floor + 16))\" text-anchor=\"middle\">\(label)</text>"
            )
        }
        let unit = measure.quantity.unit
        for margin in Self.margin(measure) {
            let at = round(x(margin))
            lines.append(
                "<line class=\"margin\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(round(Self.top))\" y2=\"\(round(floor))\"/>"
            )
            let isRight = x(margin) > Self.width * 0.75
            lines.append(
                "<text class=\"tick\" x=\"\(round(x(margin) + (isRight ? -5 : 5)))\" y=\"\(round(Self.top - 8))\" "
                    + "text-anchor=\"\(isRight ? "end" : "start")\">tolerated: \(Figure.text(margin, unit: unit))</text>"
            )
        }
        for (index, row) in rows.enumerated() { lines += draw(row, index: index) }
        return (lines + ["</svg>"]).joined(separator: "\n")
    }

    private func draw(_ row: Row, index: Int) -> [String] {
        let centre = Self.top + (Double(index) + 0.5) * Self.rowHeight
        let name = row.arm.rawValue
        var lines = [
            "<text class=\"arm\" x=\"\(round(Self.left - 14))\" y=\"\(round(centre + 4))\" text-anchor=\"end\">\(name)</text>"
        ]
        let at = round(x(median(ofSorted: row.values.sorted())))
        lines.append(
            "<line class=\"median \(name)\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(round(centre - 15))\" y2=\"\(round(centre + 15))\"/>"
        )
        for (run, value) in row.values.enumerated() {
            // Runs that took the same time lie beside each other and not on top.
            let y = centre + [0, -6, 6, -3, 3][run % 5]
            lines.append(
                "<circle class=\"\(name)\" cx=\"\(round(x(value)))\" cy=\"\(round(y))\" r=\"4.5\"><title>\(name), run "
                    + "\(run + 1): \(Figure.text(value, unit: measure.quantity.unit))</title></circle>")
        }
        return lines
    }

    private func x(_ value: Double) -> Double {
        Self.left + (value - axis.low) / (axis.high - axis.low) * (Self.width - Self.left - Self.right)
    }

    /// A coordinate, with one digit behind the point.
    private func round(_ value: Double) -> String {
        let tenths = (value * 10).rounded()
        return tenths.truncatingRemainder(dividingBy: 10) == 0 ? "\(Int(tenths / 10))" : "\(tenths / 10)"
    }
}

/// An axis from one round number to another, with round numbers between them.
struct Axis {
    let low: Double
    let high: Double
    let ticks: [Double]

    /// The axis for values; nil when there is none, or they are too far apart for a picture.
    init?(_ values: [Double]) {
        guard let least = values.min(), let most = values.max(), abs(most) < 1e12, abs(least) < 1e12 else {
            return nil
        }
        // Values that are all alike, or almost, stand in the middle.
        let span = most - least > abs(most) * 1e-6 ? most - least : max(abs(most) * 0.1, 1e-6)
        let step = Self.step(span * 1.1 / 5)
        let (first, last) = (
            ((least - span * 0.05) / step).rounded(.down), ((most + span * 0.05) / step).rounded(.up)
        )
        low = first * step
        high = last * step
        ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    }

    /// The smallest of 1, 2, 5, 10 and so on that is not below a number.
    private static func step(_ least: Double) -> Double {
        var power = 1e-9
        while power * 10 < least { power *= 10 }
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= least } ?? power * 10
    }
}
