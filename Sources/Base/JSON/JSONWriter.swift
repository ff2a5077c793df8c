/// Writes values as UTF-8 with sorted keys.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let pretty: Bool
    private let limit: Int
    private var indent = 0

    /// - Parameter limit: after this many bytes no further value is written, and the text is then not complete JSON.
    init(pretty: Bool, limit: Int = .max) {
        self.pretty = pretty
        self.limit = limit
    }

    mutating func write(_ value: JSONValue) {
        guard bytes.count < limit else { return }
        switch value {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let b): bytes.append(contentsOf: (b ? "true" : "false").utf8)
        case .int(let i): bytes.append(contentsOf: String(i).utf8)
        case .double(let d): write(d)
        case .string(let s): write(s)
        case .array(let items):
            bracket("[", "]", items) { writer, item in writer.write(item) }
        case .object(let members):
            // Compared by code units, as Go sorts; String's own order uses Unicode equivalence.
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            bracket("{", "}", sorted) { writer, member in
                writer.write(member.key)
                writer.bytes.append(UInt8(ascii: ":"))
                if writer.pretty { writer.bytes.append(0x20) }
                writer.write(member.value)
            }
        }
    }

    private mutating func bracket<Item>(
        _ open: Character, _ close: Character, _ items: [Item], _ each: (inout JSONWriter, Item) -> Void
    ) {
        bytes.append(contentsOf: String(open).utf8)
        if !items.isEmpty {
            indent += 1
            for (index, item) in items.enumerated() {
                if bytes.count >= limit { break }
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                newline()
                each(&self, item)
            }
            indent -= 1
            newline()
        }
        bytes.append(contentsOf: String(close).utf8)
    }

    private mutating func newline() {
        guard pretty else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indent * 2))
    }

    private mutating func write(_ number: Double) {
        guard number.isFinite else {
            bytes.append(contentsOf: "null".utf8)
            return
        }
        if let whole = Int64(exactly: number), abs(number) < 1e15 {
            // In the notation of Go's float64: 1, not 1.0.
            bytes.append(contentsOf: String(whole).utf8)
        } else {
            bytes.append(contentsOf: number.description.utf8)
        }
    }

    private mutating func write(_ string: String) {
        let hex = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hex[Int(byte >> 4)])
                bytes.append(hex[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
