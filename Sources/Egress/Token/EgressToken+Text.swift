import Base

extension EgressToken {
    private static let version = "e1"
    static let maximumBytes = 16 << 10

    /// The token's text.
    public func signed(with key: SigningKey) throws(EgressTokenError) -> String {
        var object: [String: JSONValue] = ["r": .string(run), "p": .string(phase), "e": .int(expires.seconds)]
        if let step { object["s"] = .string(step) }
        if grant.everyPublicHost { object["a"] = true }
        if !grant.hosts.isEmpty { object["h"] = .array(grant.hosts.map { .string($0.description) }) }
        let message = Self.version + "." + Base64URL.encode(JSONValue.object(object).serialized())
        let text = message + "." + Base64URL.encode(HMACSHA256.code(for: message.utf8, key: key.bytes))
        guard text.utf8.count <= Self.maximumBytes else { throw .tooLarge }
        return text
    }

    /// Reads a token that one of the keys signed. Whether it has expired is left to the caller.
    public init(verifying text: String, keys: [SigningKey]) throws(EgressTokenError) {
        guard text.utf8.count <= Self.maximumBytes else { throw .tooLarge }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed }
        guard parts[0] == Self.version else {
            throw parts[0].first == "e" && parts[0].dropFirst().allSatisfy(\.isNumber) ? .unknownVersion : .malformed
        }
        guard let code = Base64URL.decode(parts[2]) else { throw .malformed }
        let message = Array(text.utf8.dropLast(parts[2].utf8.count + 1))
        // All keys are tried, so that the time does not tell which one fits.
        let fitting = keys.count { HMACSHA256.isValid(code, for: message, key: $0.bytes) }
        guard fitting > 0 else { throw .wrongSignature }
        // What follows was written by a holder of the key.
        guard let payload = Base64URL.decode(parts[1]), let object = try? JSONValue(parsing: payload), let run = object["r"]?.string,
            let phase = object["p"]?.string, let expires = object["e"]?.int
        else { throw .malformed }
        var hosts: [HostPattern] = []
        for item in object["h"]?.array ?? [] {
            guard let text = item.string, let pattern = try? HostPattern(text) else { throw .malformed }
            hosts.append(pattern)
        }
        try self.init(
            run: run, phase: phase, step: object["s"]?.string,
            grant: EgressGrant(everyPublicHost: object["a"]?.bool ?? false, hosts: hosts), expires: Timestamp(seconds: Int64(expires)))
    }
}
