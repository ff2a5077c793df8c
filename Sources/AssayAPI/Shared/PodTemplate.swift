import Base

/// Fields that a job or a target adds to trial pods. Fields that only Kubernetes interprets are passed through unchanged.
public struct PodTemplate: Codable, Sendable, Hashable {
    public var labels: [String: String]?
    public var annotations: [String: String]?
    public var serviceAccountName: String?
    public var nodeSelector: [String: String]?
    public var tolerations: [Toleration]?
    public var affinity: JSONValue?
    public var runtimeClassName: String?
    public var priorityClassName: String?
    /// `requests` and `limits` of the trial container. They replace the task's own values.
    public var resources: Resources?
    public var imagePullSecrets: [LocalReference]?

    /// A taint that the pod tolerates.
    public struct Toleration: Codable, Sendable, Hashable {
        public var key: String?
        public var `operator`: String?
        public var value: String?
        public var effect: String?
        public var tolerationSeconds: Int?

        public init(
            key: String? = nil, operator: String? = nil, value: String? = nil, effect: String? = nil,
            tolerationSeconds: Int? = nil
        ) {
            self.key = key
            self.operator = `operator`
            self.value = value
            self.effect = effect
            self.tolerationSeconds = tolerationSeconds
        }
    }

    /// Quantities by resource name, as `nvidia.com/gpu: "1"`.
    public struct Resources: Codable, Sendable, Hashable {
        public var requests: [String: Quantity]?
        public var limits: [String: Quantity]?

        public init(requests: [String: Quantity]? = nil, limits: [String: Quantity]? = nil) {
            self.requests = requests
            self.limits = limits
        }
    }

    public init(
        labels: [String: String]? = nil, annotations: [String: String]? = nil, serviceAccountName: String? = nil,
        nodeSelector: [String: String]? = nil, tolerations: [Toleration]? = nil, affinity: JSONValue? = nil,
        runtimeClassName: String? = nil, priorityClassName: String? = nil, resources: Resources? = nil,
        imagePullSecrets: [LocalReference]? = nil
    ) {
        self.labels = labels
        self.annotations = annotations
        self.serviceAccountName = serviceAccountName
        self.nodeSelector = nodeSelector
        self.tolerations = tolerations
        self.affinity = affinity
        self.runtimeClassName = runtimeClassName
        self.priorityClassName = priorityClassName
        self.resources = resources
        self.imagePullSecrets = imagePullSecrets
    }
}

/// A Kubernetes quantity, with its text unchanged. A plain number (`cpu: 2`) is a quantity too.
public struct Quantity: Codable, Sendable, Hashable, ExpressibleByStringLiteral {
    public var text: String

    public init(_ text: String) { self.text = text }

    /// The number in the resource's own unit (cores, bytes); nil if the text is not a quantity.
    public var amount: Double? {
        let units: [(String, Double)] = [
            ("Ki", 0x1p10), ("Mi", 0x1p20), ("Gi", 0x1p30), ("Ti", 0x1p40), ("Pi", 0x1p50), ("Ei", 0x1p60), ("n", 1e-9), ("u", 1e-6), ("m", 1e-3),
            ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18),
        ]
        let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Double(text.dropLast(unit.0.count)), number.isFinite else { return nil }
        return number * unit.1
    }
    public init(stringLiteral value: String) { text = value }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let whole = try? container.decode(Int.self) {
            text = String(whole)
        } else if let number = try? container.decode(Double.self) {
            text = String(number)
        } else {
            text = try container.decode(String.self)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
