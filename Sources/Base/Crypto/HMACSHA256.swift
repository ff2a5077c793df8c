/// HMAC with SHA-256 (RFC 2104, FIPS 198-1): a code that only a holder of the key can make.
public enum HMACSHA256 {
    /// The 32 bytes of the code.
    public static func code(for message: some Collection<UInt8>, key: some Collection<UInt8>) -> [UInt8] {
        let block = 64
        var padded = Array(key)
        if padded.count > block { padded = digest(padded, []) }
        padded += repeatElement(0, count: block - padded.count)
        return digest(padded.map { $0 ^ 0x5C }, digest(padded.map { $0 ^ 0x36 }, message))
    }

    /// Whether the code is that of the message. The time it takes does not depend on where the two differ.
    public static func isValid(_ code: some Collection<UInt8>, for message: some Collection<UInt8>, key: some Collection<UInt8>) -> Bool {
        let expected = Self.code(for: message, key: key)
        guard code.count == expected.count else { return false }
        return zip(code, expected).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
    }

    private static func digest(_ first: [UInt8], _ second: some Collection<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(first)
        hash.update(second)
        return hash.finalize()
    }
}
