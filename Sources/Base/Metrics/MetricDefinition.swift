/// What the catalogue says of a metric.
public struct MetricDefinition: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case counter, gauge, histogram }

    /// A label and the values that it may have.
    public struct Label: Sendable, Hashable {
        public let name: String
        /// Every value that it may have; nil: it names a part of the program (a controller, a resource) that declares the metric for itself.
        public let values: [String]?

        /// A label with these values only.
        public static func of(_ name: String, _ values: [String]) -> Label { Label(name: name, values: values) }

        /// A label that names a part of the program.
        public static func part(_ name: String) -> Label { Label(name: name, values: nil) }
    }

    public let name: String
    public let kind: Kind
    public let help: String
    public let labels: [Label]
    /// Upper bounds of a histogram's buckets, ascending. The last bucket has no upper bound.
    public let bounds: [Double]

    init(name: String, kind: Kind, help: String, labels: [Label] = [], bounds: [Double] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.bounds = bounds
    }

    /// All metrics, in alphabetical order.
    public static let all: [MetricDefinition] =
        (CounterName.allCases.map(\.definition) + GaugeName.allCases.map(\.definition) + HistogramName.allCases.map(\.definition))
        .sorted { $0.name < $1.name }

    /// The labels with each value that is not in its label's set replaced by `other`, so that the number of series is bounded whatever a caller
    /// measures.
    func bounded(_ labels: [String: String]) -> [String: String] {
        var result = labels
        for label in self.labels {
            guard let values = label.values, let value = labels[label.name], !values.contains(value) else { continue }
            result[label.name] = "other"
        }
        return result
    }

    /// Every combination of the labels' values, with those of a part of the program given.
    func combinations(of part: [String: String]) -> [[String: String]] {
        labels.reduce([part]) { found, label in
            guard let values = label.values, part[label.name] == nil else { return found }
            return found.flatMap { labels in values.map { labels.merging([label.name: $0]) { $1 } } }
        }
    }
}
