/// Counters, gauges and histograms of one process, as Prometheus text (exposition format 0.0.4).
public final class MetricsRegistry: Sendable {
    public typealias Labels = [String: String]

    private enum Kind: String { case counter, gauge, histogram }

    private struct Histogram {
        var buckets: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    private struct Family {
        let kind: Kind
        let help: String
        let bounds: [Double]
        var values: [String: Double] = [:]
        var followed: [String: @Sendable () -> Double?] = [:]
        var histograms: [String: Histogram] = [:]
    }

    private let families = Locked<[String: Family]>([:])

    public init() {}

    public func counter(_ name: String, help: String) -> Counter {
        declare(name, .counter, help)
        return Counter(registry: self, name: name)
    }

    public func gauge(_ name: String, help: String) -> Gauge {
        declare(name, .gauge, help)
        return Gauge(registry: self, name: name)
    }

    /// `bounds` are upper bounds in ascending order. The last bucket has no upper bound.
    public func histogram(_ name: String, help: String, bounds: [Double]) -> HistogramMetric {
        declare(name, .histogram, help, bounds)
        return HistogramMetric(registry: self, name: name)
    }

    public struct Counter: Sendable {
        let registry: MetricsRegistry
        let name: String
        public func add(_ amount: Double = 1, _ labels: Labels = [:]) { registry.change(name, labels) { $0 + amount } }
    }

    public struct Gauge: Sendable {
        let registry: MetricsRegistry
        let name: String
        public func set(_ value: Double, _ labels: Labels = [:]) { registry.change(name, labels) { _ in value } }
        public func add(_ amount: Double, _ labels: Labels = [:]) { registry.change(name, labels) { $0 + amount } }

        /// Adds a series whose value is requested each time the text is written; nil leaves it out. It replaces a series with the
        /// same labels.
        public func follow(_ labels: Labels, _ value: @escaping @Sendable () -> Double?) { registry.follow(name, labels, value) }
    }

    public struct HistogramMetric: Sendable {
        let registry: MetricsRegistry
        let name: String
        public func observe(_ value: Double, _ labels: Labels = [:]) { registry.observe(name, labels, value) }
    }

    private func declare(_ name: String, _ kind: Kind, _ help: String, _ bounds: [Double] = []) {
        families.withLock { if $0[name] == nil { $0[name] = Family(kind: kind, help: help, bounds: bounds) } }
    }

    private func change(_ name: String, _ labels: Labels, _ update: (Double) -> Double) {
        let key = Self.render(labels)
        families.withLock { families in
            let before = families[name]?.values[key] ?? 0
            families[name]?.values[key] = update(before)
        }
    }

    private func follow(_ name: String, _ labels: Labels, _ value: @escaping @Sendable () -> Double?) {
        let key = Self.render(labels)
        families.withLock { $0[name]?.followed[key] = value }
    }

    private func observe(_ name: String, _ labels: Labels, _ value: Double) {
        let key = Self.render(labels)
        families.withLock { families in
            guard var family = families[name] else { return }
            var h = family.histograms[key] ?? Histogram(buckets: Array(repeating: 0, count: family.bounds.count))
            for (i, bound) in family.bounds.enumerated() where value <= bound { h.buckets[i] += 1 }
            h.sum += value
            h.count += 1
            family.histograms[key] = h
            families[name] = family
        }
    }

    /// All families and series, in alphabetical order.
    public func prometheusText() -> String {
        // The `follow` closures are called without the lock held.
        let families = families.withLock { $0 }
        var out = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            out += "# HELP \(name) \(family.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
            out += "# TYPE \(name) \(family.kind.rawValue)\n"
            let values = family.values.merging(family.followed.compactMapValues { $0() }) { $1 }
            for (labels, value) in values.sorted(by: { $0.key < $1.key }) {
                out += "\(name)\(Self.braced(labels)) \(Self.number(value))\n"
            }
            for (labels, h) in family.histograms.sorted(by: { $0.key < $1.key }) {
                let prefix = labels.isEmpty ? "" : labels + ","
                for (bound, count) in zip(family.bounds, h.buckets) {
                    out += "\(name)_bucket{\(prefix)le=\"\(Self.number(bound))\"} \(count)\n"
                }
                out += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(h.count)\n"
                out += "\(name)_sum\(Self.braced(labels)) \(Self.number(h.sum))\n"
                out += "\(name)_count\(Self.braced(labels)) \(h.count)\n"
            }
        }
        return out
    }

    private static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.description
    }

    private static func render(_ labels: Labels) -> String {
        labels.sorted { $0.key < $1.key }.map { key, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(key)=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
