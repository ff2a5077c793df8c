import Base
import Glibc

/// A JSON object that is written member by member, in the order in which members are added.
struct JSONLine {
    private var bytes: [UInt8] = Array("{".utf8)
    private var isFirst = true

    mutating func add(_ key: StaticString, _ value: String?) {
        if let value { add(key, value, quoted: true) }
    }

    mutating func add(_ key: StaticString, _ value: Int?) {
        if let value { add(key, String(value), quoted: false) }
    }

    /// Leaves out a number that JSON cannot represent.
    mutating func add(_ key: StaticString, _ value: Double?) {
        guard let value, value.isFinite else { return }
        if let whole = Int64(exactly: value), abs(value) < 1e15 {
            add(key, String(whole), quoted: false)
        } else {
            add(key, value.description, quoted: false)
        }
    }

    mutating func add(_ key: StaticString, _ value: String, quoted: Bool) {
        var text = isFirst ? "\"" : ",\""
        isFirst = false
        key.withUTF8Buffer { text += String(decoding: $0, as: UTF8.self) }
        text += "\":"
        text += quoted ? Self.quoted(value) : value
        bytes.append(contentsOf: text.utf8)
    }

    /// Escapes every control character, including those of C1, because the text may be printed on a terminal.
    private static func quoted(_ value: String) -> String {
        if PlainText.isFree(value, of: .jsonSpecials) { return "\"" + value + "\"" }
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C: out += "\\" + String(scalar)
            case 0x0A: out += "\\n"
            case 0..<0x20, 0x7F..<0xA0: out += "\\u00" + hex([UInt8(truncatingIfNeeded: scalar.value)])
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}

/// Checks with the C library whether text can be written without escapes.
enum PlainText {
    /// A set of bytes to look for.
    struct Specials: Sendable {
        let bytes: [CChar]

        /// 0xC2 is the first byte of U+0080 to U+009F in UTF-8. Those are control characters, too.
        static let jsonSpecials = Specials(Array("\"\\".utf8) + controls)
        static let csvSpecials = Specials(Array("\",".utf8) + controls)
        static let csvQuoted = Specials(Array("\",\r\n".utf8))
        private static let controls = [UInt8](1..<0x20) + [0x7F, 0xC2]

        private init(_ bytes: [UInt8]) { self.bytes = bytes.map { CChar(bitPattern: $0) } + [0] }
    }

    static func isFree(_ text: String, of specials: Specials) -> Bool {
        // A NUL ends the C string early, so that the counts differ.
        text.withCString { strcspn($0, specials.bytes) } == text.utf8.count
    }
}

extension Timestamp {
    /// The same as `rfc3339`, but formatted by the C library.
    var listed: String {
        // The fast way handles years of four digits only.
        guard (-30_000_000_000..<253_402_300_800).contains(seconds) else { return rfc3339 }
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let base = buffer.baseAddress, strftime(base, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0 else { return rfc3339 }
            return String(cString: base)
        }
    }
}
