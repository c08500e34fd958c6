/// Numbers as people read them.
enum Figure {
    /// Three digits that say something: `61.2`, `0.0513`, `1230`.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return "?" }
        let size = abs(value)
        let decimals = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4
        return fixed(value, decimals: decimals)
    }

    /// A chance: small ones are not spelled out.
    static func chance(_ p: Double) -> String { p < 0.0001 ? "< 0.0001" : text(p) }

    /// A share in percent, `4.1 %`.
    static func percent(_ share: Double) -> String {
        "\(fixed(share * 100, decimals: share < 0.1 ? 1 : 0)) %"
    }

    /// A value with its unit.
    static func text(_ value: Double, unit: String) -> String {
        unit.isEmpty ? text(value) : "\(text(value)) \(unit)"
    }

    /// A time in seconds as minutes and seconds, `2 min 5 s`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(text(seconds)) s" }
        return whole < 3600
            ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    /// So many digits behind the point, without zeros at the end.
    private static func fixed(_ value: Double, decimals: Int) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let digits = Int(scaled)
        let whole = digits / Int(scale)
        var fraction = String(digits % Int(scale))
        fraction = String(repeating: "0", count: max(0, decimals - fraction.count)) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        let sign = value < 0 && digits > 0 ? "−" : ""
        return fraction.isEmpty || decimals == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
    }
}
