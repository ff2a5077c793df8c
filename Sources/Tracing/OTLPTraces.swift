import Base

/// Spans as the JSON of OTLP (`ExportTraceServiceRequest` of opentelemetry-proto 1.x): ids in hex, 64-bit numbers as text, enumerations as numbers.
enum OTLPTraces {
    private static let kindInternal = 1
    private static let statusError = 2

    /// The body of a request to `/v1/traces`.
    ///
    /// - Parameters:
    ///   - resource: attributes of the process.
    ///   - version: of this program.
    static func request(_ spans: [TraceSpan], resource: [String: String], version: String) -> [UInt8] {
        let scope: JSONValue = ["name": "assay", "version": .string(version)]
        let value: JSONValue = [
            "resourceSpans": [
                [
                    "resource": ["attributes": attributes(resource.mapValues { .string($0) })],
                    "scopeSpans": [["scope": scope, "spans": .array(spans.map(span))]],
                ]
            ]
        ]
        return value.serialized()
    }

    /// The number of spans that a server says it has not taken, with its reason, from the body of an answer with status 200.
    static func rejected(_ body: [UInt8]) -> (count: Int, message: String)? {
        guard let partial = (try? JSONValue(parsing: body))?["partialSuccess"] else { return nil }
        let count = partial["rejectedSpans"]?.int ?? partial["rejectedSpans"]?.string.flatMap { Int($0) } ?? 0
        return count > 0 ? (count, partial["errorMessage"]?.string ?? "") : nil
    }

    private static func span(_ span: TraceSpan) -> JSONValue {
        var value: JSONValue = [
            "traceId": .string(span.trace.hex), "spanId": .string(span.id.hex), "name": .string(span.name), "kind": JSONValue(kindInternal),
            "startTimeUnixNano": .string(nanoseconds(span.start)), "endTimeUnixNano": .string(nanoseconds(span.end)),
            "attributes": attributes(span.attributes),
        ]
        if let parent = span.parent { value["parentSpanId"] = .string(parent.hex) }
        if let failure = span.failure { value["status"] = ["code": JSONValue(statusError), "message": .string(failure)] }
        return value
    }

    /// Times before 1970 do not exist in OTLP.
    private static func nanoseconds(_ time: Timestamp) -> String { "\(max(0, time.seconds) * 1_000_000_000 + Int64(time.nanoseconds))" }

    private static func attributes(_ attributes: [String: TraceSpan.Value]) -> JSONValue {
        .array(
            attributes.sorted { $0.key < $1.key }.map { name, value in
                let value: JSONValue =
                    switch value {
                    case .string(let text): ["stringValue": .string(text)]
                    case .int(let number): ["intValue": .string("\(number)")]
                    case .double(let number): ["doubleValue": .double(number)]
                    case .bool(let isTrue): ["boolValue": .bool(isTrue)]
                    }
                return ["key": .string(name), "value": value]
            })
    }
}
