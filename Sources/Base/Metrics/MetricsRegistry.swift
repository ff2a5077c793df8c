/// Counters, gauges and histograms of one process, as Prometheus text (exposition format 0.0.4).
///
/// Guarantee: every series of a counter or a histogram is written as 0 from the moment its metric is declared, so that a rate can be computed from
/// the first event on and no query is empty. The catalogue (`CounterName`, `GaugeName`, `HistogramName`) bounds the labels' values.
public final class MetricsRegistry: Sendable {
    public typealias Labels = [String: String]

    private struct Histogram {
        var buckets: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0

        init(_ definition: MetricDefinition) { buckets = Array(repeating: 0, count: definition.bounds.count) }
    }

    private struct Family {
        let definition: MetricDefinition
        var values: [String: Double] = [:]
        var followed: [String: @Sendable () -> Double?] = [:]
        var histograms: [String: Histogram] = [:]
    }

    private let families = Locked<[String: Family]>([:])

    public init() {}

    /// - Parameter part: the labels that name the part of the program that measures.
    public func counter(_ name: CounterName, _ part: Labels = [:]) -> Counter { counter(name.definition, part) }

    /// - Parameter part: the labels that name the part of the program that measures.
    public func gauge(_ name: GaugeName, _ part: Labels = [:]) -> Gauge { gauge(name.definition, part) }

    /// - Parameter part: the labels that name the part of the program that measures.
    public func histogram(_ name: HistogramName, _ part: Labels = [:]) -> HistogramMetric { histogram(name.definition, part) }

    func counter(_ definition: MetricDefinition, _ part: Labels = [:]) -> Counter { Counter(series: declare(definition, part)) }
    func gauge(_ definition: MetricDefinition, _ part: Labels = [:]) -> Gauge { Gauge(series: declare(definition, part)) }
    func histogram(_ definition: MetricDefinition, _ part: Labels = [:]) -> HistogramMetric { HistogramMetric(series: declare(definition, part)) }

    /// A metric of one part of the program.
    struct Series: Sendable {
        let registry: MetricsRegistry
        let definition: MetricDefinition
        let part: Labels

        func key(_ labels: Labels) -> String { MetricsRegistry.render(definition.bounded(part.merging(labels) { $1 })) }
    }

    public struct Counter: Sendable {
        let series: Series
        public func add(_ amount: Double = 1, _ labels: Labels = [:]) { series.registry.change(series, labels) { $0 + amount } }
    }

    public struct Gauge: Sendable {
        let series: Series
        public func set(_ value: Double, _ labels: Labels = [:]) { series.registry.change(series, labels) { _ in value } }

        /// Adds a series whose value is requested each time the text is written; nil leaves it out. It replaces a series with the
        /// same labels.
        public func follow(_ labels: Labels = [:], _ value: @escaping @Sendable () -> Double?) { series.registry.follow(series, labels, value) }
    }

    public struct HistogramMetric: Sendable {
        let series: Series
        public func observe(_ value: Double, _ labels: Labels = [:]) { series.registry.observe(series, labels, value) }
    }

    private func declare(_ definition: MetricDefinition, _ part: Labels) -> Series {
        families.withLock { families in
            var family = families[definition.name] ?? Family(definition: definition)
            for labels in definition.combinations(of: part) {
                let key = Self.render(labels)
                switch definition.kind {
                case .counter: family.values[key] = family.values[key] ?? 0
                case .histogram: family.histograms[key] = family.histograms[key] ?? Histogram(definition)
                // A gauge has no value before it is measured.
                case .gauge: break
                }
            }
            families[definition.name] = family
        }
        return Series(registry: self, definition: definition, part: part)
    }

    private func change(_ series: Series, _ labels: Labels, _ update: (Double) -> Double) {
        let key = series.key(labels)
        families.withLock { families in
            let before = families[series.definition.name]?.values[key] ?? 0
            families[series.definition.name]?.values[key] = update(before)
        }
    }

    private func follow(_ series: Series, _ labels: Labels, _ value: @escaping @Sendable () -> Double?) {
        let key = series.key(labels)
        families.withLock { $0[series.definition.name]?.followed[key] = value }
    }

    private func observe(_ series: Series, _ labels: Labels, _ value: Double) {
        let key = series.key(labels)
        families.withLock { families in
            // Taken out while it is changed, so that the buckets are not copied.
            var histogram = families[series.definition.name]?.histograms.removeValue(forKey: key) ?? Histogram(series.definition)
            for (index, bound) in series.definition.bounds.enumerated() where value <= bound { histogram.buckets[index] += 1 }
            histogram.sum += value
            histogram.count += 1
            families[series.definition.name]?.histograms[key] = histogram
        }
    }

    /// All families and series, in alphabetical order.
    public func prometheusText() -> String {
        // The `follow` closures are called without the lock held.
        let families = families.withLock { $0 }
        var out = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            out += "# HELP \(name) \(family.definition.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
            out += "# TYPE \(name) \(family.definition.kind.rawValue)\n"
            let values = family.values.merging(family.followed.compactMapValues { $0() }) { $1 }
            for (labels, value) in values.sorted(by: { $0.key < $1.key }) {
                out += "\(name)\(Self.braced(labels)) \(Self.number(value))\n"
            }
            for (labels, h) in family.histograms.sorted(by: { $0.key < $1.key }) {
                let prefix = labels.isEmpty ? "" : labels + ","
                for (bound, count) in zip(family.definition.bounds, h.buckets) {
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

    fileprivate static func render(_ labels: Labels) -> String {
        labels.sorted { $0.key < $1.key }.map { key, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(key)=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
