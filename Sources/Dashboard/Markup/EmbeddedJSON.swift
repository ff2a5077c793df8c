import Base

/// JSON in a script file.
enum EmbeddedJSON {
    /// A call of one of our functions with a value. `<`, `>`, `&` and the line separators are escaped, so that the text cannot
    /// end the script element or the line.
    static func call(_ function: StaticString, _ value: JSONValue) -> [UInt8] {
        Array("\(function)(".utf8) + escaped(value.serialized()) + Array(");\n".utf8)
    }

    static func escaped(_ json: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(json.count)
        var at = 0
        while at < json.count {
            switch json[at] {
            case UInt8(ascii: "<"): out += Array("\\u003c".utf8)
            case UInt8(ascii: ">"): out += Array("\\u003e".utf8)
            case UInt8(ascii: "&"): out += Array("\\u0026".utf8)
            case 0xE2 where at + 2 < json.count && json[at + 1] == 0x80 && (json[at + 2] == 0xA8 || json[at + 2] == 0xA9):
                out += Array((json[at + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
                at += 2
            case let byte: out.append(byte)
            }
            at += 1
        }
        return out
    }
}
