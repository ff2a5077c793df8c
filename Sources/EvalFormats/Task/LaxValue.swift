import TOML

/// The conversions between TOML types that Harbor's parser does (pydantic's lax mode), because public task files rely on them.
///
/// One difference is on purpose: a boolean is not read as the number 1 or 0. It is more likely a mistake than a limit of one second.
enum LaxValue {
    /// An integer, a float, or a string with a decimal number. `nan` and infinities are returned; the caller refuses them.
    static func number(_ value: TOMLValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .float(let number): number
        case .string(let text): digits(text).flatMap { Double($0) }
        case .boolean, .dateTime, .array, .table: nil
        }
    }

    /// An integer, a float without a fraction (`2.0`), or a string such as `"2"` or `"2.0"`.
    static func integer(_ value: TOMLValue) -> Int64? {
        switch value {
        case .integer(let number): return number
        case .float(let number): return Int64(exactly: number)
        case .string(let text):
            guard var whole = digits(text) else { return nil }
            if let point = whole.firstIndex(of: "."), point != whole.index(before: whole.endIndex),
                whole[whole.index(after: point)...].allSatisfy({ $0 == "0" })
            {
                whole = String(whole[..<point])
            }
            return Int64(whole)
        case .boolean, .dateTime, .array, .table: return nil
        }
    }

    /// A boolean, 1 or 0, or a word such as `"true"`, `"off"`, `"Y"`.
    static func boolean(_ value: TOMLValue) -> Bool? {
        switch value {
        case .boolean(let flag): return flag
        case .integer(let number): return number == 1 ? true : number == 0 ? false : nil
        case .float(let number): return number == 1 ? true : number == 0 ? false : nil
        case .string(let text):
            switch text.lowercased() {
            case "1", "true", "t", "yes", "y", "on": return true
            case "0", "false", "f", "no", "n", "off": return false
            default: return nil
            }
        case .dateTime, .array, .table: return nil
        }
    }

    /// The number in a string, for Swift's own parsers: without surrounding white space and without `_` between digits. Nil for
    /// what Python does not read as a decimal number, such as `0x10`.
    private static func digits(_ text: String) -> String? {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        var bytes = Array(text.utf8.drop(while: isBlank))
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x30...0x39, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): result.append(byte)
            case UInt8(ascii: "_"):
                guard index > 0, index + 1 < bytes.count, isDigit(bytes[index - 1]), isDigit(bytes[index + 1]) else { return nil }
            default: return nil
            }
        }
        return result.isEmpty ? nil : String(decoding: result, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
