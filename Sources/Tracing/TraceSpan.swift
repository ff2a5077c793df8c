import Base

/// Names a trace: 128 bits, never all zero.
public struct TraceID: Sendable, Hashable {
    /// 32 digits, lower case.
    public let hex: String

    /// The same words always give the same id, so that a process that replaces another one writes the same trace.
    public init(of words: String...) { hex = String(SHA256.hex(of: (["assay trace"] + words).joined(separator: "\n").utf8).prefix(32)) }
}

/// Names a span within its trace: 64 bits, never all zero.
public struct SpanID: Sendable, Hashable {
    /// 16 digits, lower case.
    public let hex: String

    /// The same words always give the same id.
    public init(of words: String...) { hex = String(SHA256.hex(of: (["assay span"] + words).joined(separator: "\n").utf8).prefix(16)) }
}

/// Something that took a time, as OpenTelemetry has it. It is made when it has ended.
public struct TraceSpan: Sendable, Hashable {
    public enum Value: Sendable, Hashable {
        case string(String)
        case int(Int)
        case double(Double)
        case bool(Bool)
    }

    public var trace: TraceID
    public var id: SpanID
    /// nil: the root of its trace.
    public var parent: SpanID?
    /// Of few values: what differs between spans is in the attributes.
    public var name: String
    public var start: Timestamp
    /// Never before `start`.
    public var end: Timestamp
    /// Never a secret, and no text that a trial or a server wrote.
    public var attributes: [String: Value]
    /// What went wrong, as a word with few values; nil for what did not fail.
    public var failure: String?

    public init(
        trace: TraceID, id: SpanID, parent: SpanID?, name: String, start: Timestamp, end: Timestamp, attributes: [String: Value] = [:],
        failure: String? = nil
    ) {
        self.trace = trace
        self.id = id
        self.parent = parent
        self.name = name
        self.start = start
        self.end = max(start, end)
        self.attributes = attributes
        self.failure = failure
    }
}
