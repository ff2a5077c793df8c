/// Replaces secret values in bytes.
///
/// What is looked for is exact: each value of at least `minimumLength` bytes as it stands, percent-encoded, with the
/// backslash escapes of JSON, and in base64 at any alignment, in either alphabet and over line breaks (`SecretForms`,
/// `EscapeDecoder`, `Base64Lane` say it precisely). Shorter values would hit by chance and destroy what is published; their
/// names are reported (`tooShort`). Patterns are not guessed at: that was tried elsewhere and dropped for its false positives.
///
/// Guarantees: a byte is taken away exactly when it lies within an occurrence of such a form; occurrences that overlap are
/// replaced as one. Every other byte stays what it is. The result does not depend on how a text is cut into chunks.
public struct Redactor: Sendable {
    public struct Secret: Sendable, Hashable {
        /// What the secret is called in reports.
        public var name: String
        public var value: [UInt8]

        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public static let minimumLength = 8
    public static let replacement = Array("[redacted]".utf8)

    /// What all streams of a redactor share.
    final class Tables: Sendable {
        let names: [String]
        let plain: NeedleSet
        let base64: NeedleSet
        /// 1 for each two bytes, by their number, with which something of interest may begin.
        let pairs: [UInt8]
        /// 1 for each byte of which neither a needle begins with the byte that it stands for after a backslash, nor with itself:
        /// such an escape may be passed over.
        let dull: [UInt8]

        init(_ secrets: [Secret]) {
            names = secrets.map(\.name)
            plain = NeedleSet(secrets.enumerated().flatMap { owner, secret in SecretForms.plain(secret.value).map { ($0, owner) } })
            let letters = secrets.enumerated().flatMap { owner, secret in SecretForms.base64(secret.value).map { (bytes: $0, owner: owner) } }
            base64 = NeedleSet(letters)
            var pairs = [UInt8](repeating: 0, count: 1 << 16)
            func mark(_ first: UInt8, _ second: UInt8) { pairs[Int(first) << 8 | Int(second)] = 1 }
            for secret in secrets {
                for form in SecretForms.plain(secret.value) {
                    mark(form[0], form[1])
                    mark(form[0], UInt8(ascii: "%"))
                    mark(form[0], UInt8(ascii: "\\"))
                }
            }
            for form in letters.map(\.bytes) {
                for first in Base64Lane.spellings(form[0]) {
                    for second in Base64Lane.spellings(form[1]) + Base64Lane.pauses { mark(first, second) }
                }
            }
            // Where escapes begin and end must not depend on what is passed over.
            for second in UInt8.min...UInt8.max { mark(UInt8(ascii: "\\"), second) }
            for second in Array("0123456789abcdefABCDEF".utf8) { mark(UInt8(ascii: "%"), second) }
            let plainFirst = Set(secrets.flatMap { SecretForms.plain($0.value).map { $0[0] } })
            let letterFirst = Set(letters.flatMap { Base64Lane.spellings($0.bytes[0]) })
            dull = (UInt8.min...UInt8.max).map { byte in
                // Of two backslashes the second has a meaning of its own to `Base64Lane`.
                guard byte != UInt8(ascii: "\\"), !plainFirst.contains(UInt8(ascii: "\\")), !plainFirst.contains(byte),
                    let meant = EscapeDecoder.short(byte), !plainFirst.contains(meant), !letterFirst.contains(meant)
                else { return 0 }
                return 1
            }
            self.pairs = pairs
        }
    }

    let tables: Tables?
    /// Names of the secrets that are too short to be looked for, in order.
    public let tooShort: [String]
    /// The longest stretch of text that can be one occurrence, in bytes.
    public let reach: Int

    /// Empty values are passed over.
    public init(secrets: [Secret]) {
        let given = secrets.filter { !$0.value.isEmpty }
        tooShort = given.filter { SecretForms.trimmed($0.value).count < Self.minimumLength }.map(\.name)
        let sought = given.filter { !SecretForms.plain($0.value).isEmpty }
        let tables = sought.isEmpty ? nil : Tables(sought)
        self.tables = tables
        reach = tables.map { 6 * $0.plain.maximumLength + (Base64Lane.longestPause + 6) * $0.base64.maximumLength } ?? 0
    }

    public init(secrets: [String]) { self.init(secrets: secrets.map { Secret(name: "", value: Array($0.utf8)) }) }

    /// Nothing is looked for.
    public var isEmpty: Bool { tables == nil }

    /// The bytes with every secret replaced, and how often one was.
    public func redact(_ bytes: [UInt8]) -> (bytes: [UInt8], count: Int) {
        guard bytes.count >= Self.minimumLength, !isEmpty else { return (bytes, 0) }
        var stream = Stream(self)
        var out = stream.append(bytes[...])
        out.append(contentsOf: stream.finish())
        return (out, stream.count)
    }

    public func redact(_ text: String) -> String {
        isEmpty ? text : String(decoding: redact(Array(text.utf8)).bytes, as: UTF8.self)
    }

    /// Where the bytes are taken away; in order, and none touches another's bytes.
    public func occurrences(in bytes: [UInt8]) -> [Range<Int>] {
        guard bytes.count >= Self.minimumLength, !isEmpty else { return [] }
        var stream = Stream(self)
        stream.replaced = []
        _ = stream.append(bytes[...])
        _ = stream.finish()
        return stream.replaced ?? []
    }
}
