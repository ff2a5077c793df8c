import Base

/// A selector of objects by their labels, as `matchLabels` and `matchExpressions` of Kubernetes have it. An empty one selects everything.
public struct LabelSelector: Sendable, Hashable {
    /// A condition on one label. Two cases also hold for objects without the label: `notIn` and `doesNotExist`.
    public enum Requirement: Sendable, Hashable {
        case isIn(key: String, values: Set<String>)
        case notIn(key: String, values: Set<String>)
        case exists(key: String)
        case doesNotExist(key: String)

        public var key: String {
            switch self {
            case .isIn(let key, _), .notIn(let key, _), .exists(let key), .doesNotExist(let key): key
            }
        }

        public func holds(for labels: [String: String]) -> Bool {
            switch self {
            case .isIn(let key, let values): labels[key].map(values.contains) ?? false
            case .notIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .doesNotExist(let key): labels[key] == nil
            }
        }
    }

    public var requirements: [Requirement]

    public init(_ requirements: [Requirement]) { self.requirements = requirements }

    /// Selects the objects that have all these labels.
    public init(labels: [String: String]) {
        requirements = labels.sorted { $0.key < $1.key }.map { .isIn(key: $0.key, values: [$0.value]) }
    }

    /// Reads a `LabelSelector` of the API. Nil for an operator that Kubernetes does not have.
    public init?(json: JSONValue) {
        self.init(labels: json["matchLabels"]?.object?.compactMapValues(\.string) ?? [:])
        for expression in json["matchExpressions"]?.array ?? [] {
            guard let key = expression["key"]?.string else { return nil }
            let values = Set(expression["values"]?.array?.compactMap(\.string) ?? [])
            switch expression["operator"]?.string {
            case "In": requirements.append(.isIn(key: key, values: values))
            case "NotIn": requirements.append(.notIn(key: key, values: values))
            case "Exists": requirements.append(.exists(key: key))
            case "DoesNotExist": requirements.append(.doesNotExist(key: key))
            default: return nil
            }
        }
    }

    public func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.holds(for: labels) } }
}
