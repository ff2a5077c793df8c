/// Replaces secret values in bytes.
///
/// The search is exact: each value of at least `minimumLength` bytes as it is, percent-encoded, with the backslash escapes of
/// JSON, and in base64 at any alignment, in either alphabet and across line breaks (exact definitions: `SecretForms`,
/// `EscapeDecoder`, `Base64Lane`). Shorter values would match by chance and destroy what is published; their names are reported
/// (`tooShort`). Patterns of secrets are not guessed: another project tried that and dropped it because of false positives.
///
/// Guarantees: a byte is removed exactly when it lies within an occurrence of such a form; overlapping occurrences are replaced
/// as one. Every other byte is unchanged. The result does not depend on how a text is divided into chunks.
public struct Redactor: Sendable {
    public struct Secret: Sendable, Hashable {
        /// The name of the secret in reports.
        public var name: String
        public var value: [UInt8]

        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public static let minimumLength = 8
    public static let replacement = Array("[redacted]".utf8)

    /// Shared by all streams of a redactor.
    final class Tables: Sendable {
        let names: [String]
        let plain: NeedleSet
        let base64: NeedleSet
        /// Indexed by two consecutive bytes as a 16-bit number: 1 when they may begin an occurrence or an escape.
        let pairs: [UInt8]
        /// 1 for each byte that, after a backslash, cannot begin a needle, neither itself nor as the byte that the escape stands
        /// for. Such an escape is skipped.
        let skippableAfterBackslash: [UInt8]

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
            // All possible escapes are marked, so that skipping does not change where escapes begin and end.
            for second in UInt8.min...UInt8.max { mark(UInt8(ascii: "\\"), second) }
            for second in Array("0123456789abcdefABCDEF".utf8) { mark(UInt8(ascii: "%"), second) }
            let plainFirst = Set(secrets.flatMap { SecretForms.plain($0.value).map { $0[0] } })
            let letterFirst = Set(letters.flatMap { Base64Lane.spellings($0.bytes[0]) })
            skippableAfterBackslash = (UInt8.min...UInt8.max).map { byte in
                // After a backslash, `Base64Lane` treats a second backslash differently, so it is never skipped.
                guard byte != UInt8(ascii: "\\"), !plainFirst.contains(UInt8(ascii: "\\")), !plainFirst.contains(byte),
                    let meant = EscapeDecoder.short(byte), !plainFirst.contains(meant), !letterFirst.contains(meant)
                else { return 0 }
                return 1
            }
            self.pairs = pairs
        }
    }

    let tables: Tables?
    /// Names of the secrets that are too short to be searched for, in order.
    public let tooShort: [String]
    /// The length of the longest text that can be one occurrence, in bytes.
    public let reach: Int

    /// Empty values are ignored.
    public init(secrets: [Secret]) {
        let given = secrets.filter { !$0.value.isEmpty }
        tooShort = given.filter { SecretForms.trimmed($0.value).count < Self.minimumLength }.map(\.name)
        let searched = given.filter { !SecretForms.plain($0.value).isEmpty }
        let tables = searched.isEmpty ? nil : Tables(searched)
        self.tables = tables
        reach = tables.map { 6 * $0.plain.maximumLength + (Base64Lane.longestPause + 6) * $0.base64.maximumLength } ?? 0
    }

    public init(secrets: [String]) { self.init(secrets: secrets.map { Secret(name: "", value: Array($0.utf8)) }) }

    /// True when there is nothing to search for.
    public var isEmpty: Bool { tables == nil }

    /// The bytes with every secret replaced, and the number of replacements.
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

    /// The ranges of the removed bytes, in order and without overlaps.
    public func occurrences(in bytes: [UInt8]) -> [Range<Int>] {
        guard bytes.count >= Self.minimumLength, !isEmpty else { return [] }
        var stream = Stream(self)
        stream.replaced = []
        _ = stream.append(bytes[...])
        _ = stream.finish()
        return stream.replaced ?? []
    }
}
