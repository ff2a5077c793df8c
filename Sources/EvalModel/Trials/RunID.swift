import Base

/// The identity of one run: sixteen lower-case hexadecimal digits.
///
/// The same trial always has the same id, so its record always has the same path. A rerun has a new id. The id is the
/// first 16 hex digits of the SHA-256 of a compact JSON array.
public struct RunID: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The sixteen hex digits.
    public let rawValue: String

    /// The id of a trial's run.
    ///
    /// - Parameters:
    ///   - jobUID: the UID of the EvalJob. A job that is deleted and created again with the same name has another UID.
    ///   - attempt: counts from 1.
    ///   - rerun: 0 for the first run of the trial.
    public init(jobUID: String, agent: String, dataset: String, task: String, attempt: Int, rerun: Int) {
        self.init(hashing: [
            .string(jobUID), .string(agent), .string(dataset), .string(task), .int(Int64(attempt)), .int(Int64(rerun)),
        ])
    }

    /// The id of the job's own record.
    public init(jobUID: String) {
        self.init(hashing: [.string(jobUID)])
    }

    /// Reads an id; nil unless the text is exactly sixteen lower-case hex digits.
    public init?(_ text: String) {
        let digits = text.utf8
        guard digits.count == Self.length, digits.allSatisfy(Self.isHexDigit) else { return nil }
        rawValue = text
    }

    private init(hashing parts: [JSONValue]) {
        let digest = SHA256.hex(of: JSONValue.array(parts).serialized())
        rawValue = String(digest.prefix(Self.length))
    }

    /// How many hex digits an id has.
    public static let length = 16

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    /// The folder of the run below the ledger's path: the first two digits, a slash, the rest.
    public var path: String { "\(rawValue.prefix(2))/\(rawValue.dropFirst(2))" }

    public var description: String { rawValue }

    public static func < (left: RunID, right: RunID) -> Bool { left.rawValue < right.rawValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = RunID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a run id is sixteen lower-case hex digits, not \(text.debugDescription)")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
