/// HMAC with SHA-256 (RFC 2104): shows that a message was written by somebody who has the key.
public enum HMAC {
    /// The 32 bytes of the code.
    public static func code(of message: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        var block = key
        if block.count > 64 {
            var hash = SHA256()
            hash.update(key)
            block = hash.finalize()
        }
        block += repeatElement(0, count: 64 - block.count)
        var inner = SHA256()
        inner.update(block.map { $0 ^ 0x36 })
        inner.update(message)
        var outer = SHA256()
        outer.update(block.map { $0 ^ 0x5C })
        outer.update(inner.finalize())
        return outer.finalize()
    }

    /// Whether `code` belongs to the message. The time that this takes does not depend on where the codes differ.
    public static func isValid(_ code: some Collection<UInt8>, of message: some Collection<UInt8>, key: [UInt8]) -> Bool {
        let expected = Self.code(of: message, key: key)
        guard code.count == expected.count else { return false }
        return zip(code, expected).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
