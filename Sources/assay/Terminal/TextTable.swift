import Base

/// A text table for people. Cells come from outside: their control characters are replaced before they reach the terminal.
struct TextTable {
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(String, Alignment)]) { self.columns = columns.map { (title: $0.0, alignment: $0.1) } }

    mutating func add(_ cells: [String]) { rows.append(cells.map(\.replacingControls)) }

    func render() -> String {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { c in all.map { $0[c].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (c, cell) in row.enumerated() {
                let pad = String(repeating: " ", count: widths[c] - cell.count)
                line += columns[c].alignment == .left ? cell + pad : pad + cell
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}

/// Number formats of tables.
enum Figure {
    /// Two decimals; `-` when there is none.
    static func reward(_ value: Double?) -> String { value.map { fixed($0, 2) } ?? "-" }
    static func percent(_ value: Double?) -> String { value.map { fixed($0 * 100, 1) + "%" } ?? "-" }

    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds >= 0, seconds < 1e12 else { return "-" }
        if seconds < 60 { return fixed(seconds, 1) + "s" }
        let whole = Int(seconds)
        if whole < 3600 { return "\(whole / 60)m\(whole % 60)s" }
        return "\(whole / 3600)h\(whole % 3600 / 60)m"
    }

    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        guard abs(value) < 1e15 / scale else { return value.description }
        let scaled = Int64((value * scale).rounded())
        let sign = scaled < 0 ? "-" : ""
        let digits = String(scaled.magnitude)
        guard decimals > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }
}
