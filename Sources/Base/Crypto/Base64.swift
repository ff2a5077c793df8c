/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt8(value) }
        return table
    }()

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: encodeBytes(bytes), as: UTF8.self)
    }

    /// The text as ASCII bytes. With `lineLength` (a multiple of 4) it is split into lines of that many letters, each ended by a
    /// newline.
    public static func encodeBytes(_ bytes: some Collection<UInt8>, lineLength: Int? = nil) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4 + (lineLength.map { bytes.count * 4 / 3 / $0 + 2 } ?? 0))
        var group: UInt32 = 0
        var count = 0
        var column = 0
        func letters(_ group: UInt32, _ keep: Int) {
            for i in 0..<4 {
                out.append(i < keep ? alphabet[Int(group >> UInt32(18 - 6 * i) & 63)] : UInt8(ascii: "="))
            }
            column += 4
            if let lineLength, column >= lineLength {
                out.append(0x0A)
                column = 0
            }
        }
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                letters(group, 4)
                (group, count) = (0, 0)
            }
        }
        if count == 1 { letters(group << 16, 2) }
        if count == 2 { letters(group << 8, 3) }
        if lineLength != nil, column > 0 { out.append(0x0A) }
        return out
    }

    /// The bytes, or the offset of the first invalid byte (counted as in Go's `base64.CorruptInputError`). Carriage returns and
    /// newlines are skipped; padding is required.
    public static func decode(_ text: some Collection<UInt8>) -> Result<[UInt8], CorruptInput> {
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var count = 0
        var padding = 0
        var offset = 0
        for byte in text {
            defer { offset += 1 }
            if byte == 0x0A || byte == 0x0D { continue }
            if byte == UInt8(ascii: "=") {
                padding += 1
                guard count >= 2, count + padding <= 4 else { return .failure(CorruptInput(offset: offset)) }
                continue
            }
            let value = values[Int(byte)]
            guard value != 255, padding == 0 else { return .failure(CorruptInput(offset: offset)) }
            group = group << 6 | UInt32(value)
            count += 1
            if count == 4 {
                out.append(UInt8(truncatingIfNeeded: group >> 16))
                out.append(UInt8(truncatingIfNeeded: group >> 8))
                out.append(UInt8(truncatingIfNeeded: group))
                (group, count) = (0, 0)
            }
        }
        switch (count, padding) {
        case (0, 0): break
        case (2, 2): out.append(UInt8(truncatingIfNeeded: group >> 4))
        case (3, 1):
            out.append(UInt8(truncatingIfNeeded: group >> 10))
            out.append(UInt8(truncatingIfNeeded: group >> 2))
        default: return .failure(CorruptInput(offset: offset))
        }
        return .success(out)
    }

    public static func decode(_ text: String) -> Result<[UInt8], CorruptInput> { decode(Array(text.utf8)) }

    /// The alphabet for URLs and file names, without padding (RFC 4648, section 5).
    public static func encodeURL(_ bytes: some Collection<UInt8>) -> String {
        let text = encodeBytes(bytes).filter { $0 != UInt8(ascii: "=") }.map { byte in
            byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of `encodeURL`'s text; nil for any other text.
    public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        var standard: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="), 0x0A, 0x0D: return nil
            default: standard.append(byte)
            }
        }
        standard += repeatElement(UInt8(ascii: "="), count: (4 - standard.count % 4) % 4)
        guard case .success(let bytes) = decode(standard), encodeURL(bytes) == String(text) else { return nil }
        return bytes
    }

    public struct CorruptInput: Error, Sendable, Equatable {
        public let offset: Int
        public init(offset: Int) { self.offset = offset }
    }
}
