import Base

/// The agent's secrets as the collector looks for them.
struct SecretFilter: Sendable {
    let redactor: Redactor
    /// Names of secrets that are too short to look for.
    let unredacted: [String]
    /// The longest value, in bytes.
    let longest: Int

    init(_ secrets: [CollectorConfiguration.Secret]) {
        var values: [[UInt8]] = []
        var short: [String] = []
        for secret in secrets {
            let value = Array(secret.value.utf8)
            // A Secret made from a file often ends with a newline that programs trim before they use or print it.
            let trimmed = Self.trim(value)
            if trimmed.count < Redactor.minimumLength {
                short.append(secret.name)
            } else {
                values.append(trimmed)
            }
            if value.count >= Redactor.minimumLength, value.count != trimmed.count { values.append(value) }
        }
        redactor = Redactor(secrets: values)
        unredacted = short.sorted()
        longest = values.map(\.count).max() ?? 0
    }

    private static func trim(_ bytes: [UInt8]) -> [UInt8] {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let first = bytes.firstIndex(where: { !blank($0) }), let last = bytes.lastIndex(where: { !blank($0) })
        else { return [] }
        return Array(bytes[first...last])
    }
}
