import Base

/// Requests of one run that the proxy denied for the same reason.
public struct EgressDenial: Sendable, Hashable {
    public let phase: String
    public let step: String?
    /// As the client named it; IPv6 addresses without brackets.
    public let host: String
    public let port: Int
    /// `DenialReason.code`.
    public let reason: String
    /// The sentence that the client was told, for people.
    public let message: String
    public internal(set) var count: Int
    public let firstTime: Timestamp
    public internal(set) var lastTime: Timestamp
}

/// The denials of one run: the answer to `GET /.assay/denials`.
public struct EgressDenialReport: Sendable, Hashable {
    public let run: String
    /// When the proxy began to run. What it denied before, and which connections it had, is not known any more.
    public let proxyStartTime: Timestamp
    /// By the time of the first request.
    public let denials: [EgressDenial]
    /// Requests that were denied, but are in no entry, because the run has too many different ones.
    public let omitted: Int

    init(run: String, proxyStartTime: Timestamp, denials: [EgressDenial], omitted: Int) {
        self.run = run
        self.proxyStartTime = proxyStartTime
        self.denials = denials
        self.omitted = omitted
    }

    /// The JSON of the answer.
    public var json: JSONValue {
        .object([
            "run": .string(run), "proxyStartTime": .string(proxyStartTime.rfc3339Millis), "omitted": .int(Int64(omitted)),
            "denials": .array(
                denials.map { denial in
                    var object: [String: JSONValue] = [
                        "phase": .string(denial.phase), "host": .string(denial.host), "port": .int(Int64(denial.port)),
                        "reason": .string(denial.reason), "message": .string(denial.message), "count": .int(Int64(denial.count)),
                        "firstTime": .string(denial.firstTime.rfc3339Millis), "lastTime": .string(denial.lastTime.rfc3339Millis),
                    ]
                    if let step = denial.step { object["step"] = .string(step) }
                    return .object(object)
                }),
        ])
    }

    /// Nil when the JSON is not such a report.
    public init?(json: JSONValue) {
        guard let run = json["run"]?.string, let start = json["proxyStartTime"]?.string.flatMap({ Timestamp(rfc3339: $0) }),
            let omitted = json["omitted"]?.int, let items = json["denials"]?.array
        else { return nil }
        var denials: [EgressDenial] = []
        for item in items {
            guard let phase = item["phase"]?.string, let host = item["host"]?.string, let port = item["port"]?.int,
                let reason = item["reason"]?.string, let message = item["message"]?.string, let count = item["count"]?.int,
                let first = item["firstTime"]?.string.flatMap({ Timestamp(rfc3339: $0) }),
                let last = item["lastTime"]?.string.flatMap({ Timestamp(rfc3339: $0) })
            else { return nil }
            denials.append(
                EgressDenial(
                    phase: phase, step: item["step"]?.string, host: host, port: port, reason: reason, message: message, count: count,
                    firstTime: first, lastTime: last))
        }
        self.init(run: run, proxyStartTime: start, denials: denials, omitted: omitted)
    }
}
