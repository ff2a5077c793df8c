/// Makes control characters and invisible characters of untrusted text visible.
enum InertText {
    /// The replacement for the character that begins at a byte of valid UTF-8, and its length in bytes; nil to keep it.
    ///
    /// Control characters become `\x1b`, as in `assay results show`. Text direction marks (CVE-2021-42574), zero-width
    /// characters, tags and line separators become `\u{202e}`.
    static func replacement(_ utf8: UnsafeBufferPointer<UInt8>, _ at: Int, keepsLines: Bool) -> (text: String, length: Int)? {
        func byte(_ offset: Int) -> UInt32 { at + offset < utf8.count ? UInt32(utf8[at + offset]) : 0 }
        switch utf8[at] {
        case 0x09: return nil
        case 0x0A where keepsLines: return nil
        case 0x0D where keepsLines && byte(1) == 0x0A: return ("", 1)
        case 0..<0x20, 0x7F: return (control(byte(0)), 1)
        case 0xC2 where byte(1) < 0xA0: return (control(byte(1)), 2)
        case 0xD8 where byte(1) == 0x9C: return (code(0x061C), 2)
        case 0xE2, 0xEF:
            let value = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)
            switch value {
            case 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB: return (code(value), 3)
            default: return nil
            }
        case 0xF3 where byte(1) == 0xA0 && byte(2) < 0x82:
            return (code((byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F)), 4)
        default: return nil
        }
    }

    private static func control(_ value: UInt32) -> String { "\\x" + (value < 0x10 ? "0" : "") + String(value, radix: 16) }
    private static func code(_ value: UInt32) -> String { "\\u{" + String(value, radix: 16) + "}" }

    /// Whether the bytes are text, by git's rule: no NUL near the beginning.
    static func isBinary(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.prefix(8000).contains(0) }

    /// A prefix of at most `limit` bytes that ends between two characters.
    static func prefix(_ bytes: ArraySlice<UInt8>, _ limit: Int) -> ArraySlice<UInt8> {
        guard bytes.count > limit else { return bytes }
        var end = bytes.startIndex + limit
        for _ in 0..<3 where end > bytes.startIndex && bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return bytes[..<end]
    }

    /// A suffix of at most `limit` bytes that begins between two characters.
    static func suffix(_ bytes: ArraySlice<UInt8>, _ limit: Int) -> ArraySlice<UInt8> {
        guard bytes.count > limit else { return bytes }
        var start = bytes.endIndex - limit
        for _ in 0..<3 where start < bytes.endIndex && bytes[start] & 0xC0 == 0x80 { start += 1 }
        return bytes[start...]
    }
}
