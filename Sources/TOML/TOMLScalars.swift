/// Booleans, numbers, dates and times: what is written without quotes.
enum TOMLScalars {
    struct Problem: Error {
        var message: String
    }

    static func value(_ word: [UInt8]) throws(Problem) -> TOMLValue {
        let text = String(decoding: word, as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf", "+inf": return .float(.infinity)
        case "-inf": return .float(-.infinity)
        case "nan", "+nan", "-nan": return .float(.nan)
        case "": throw Problem(message: "expected a value")
        default: break
        }
        if word.count >= 3, word[2] == UInt8(ascii: ":") || looksLikeDate(word.prefix(10)[...]) {
            return .dateTime(try TOMLTimes.dateTime(word))
        }
        guard let first = word.first, isDigit(first) || first == UInt8(ascii: "+") || first == UInt8(ascii: "-") else {
            throw Problem(message: "\"\(text.prefix(40))\" is not a value: quote it if it is a string")
        }
        return try number(word, text)
    }

    /// Whether this is of the form 0000-00-00.
    static func looksLikeDate(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count == 10 && zip(bytes, "0000-00-00".utf8).allSatisfy { $1 == UInt8(ascii: "-") ? $0 == $1 : isDigit($0) }
    }

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    // MARK: Numbers

    private static func number(_ word: [UInt8], _ text: String) throws(Problem) -> TOMLValue {
        if word.count >= 2, word[0] == UInt8(ascii: "0"), let radix = radixes[word[1]] {
            guard let digits = digits(word.dropFirst(2), where: { isDigit($0, radix: radix) }) else {
                throw Problem(message: "\"\(text.prefix(40))\" is not an integer")
            }
            return .integer(try integer(digits, radix: radix))
        }
        let hasSign = word[0] == UInt8(ascii: "+") || word[0] == UInt8(ascii: "-")
        let body = word.dropFirst(hasSign ? 1 : 0)
        let wholeEnd = body.firstIndex { !isDigit($0) && $0 != UInt8(ascii: "_") } ?? body.endIndex
        guard let whole = digits(body[..<wholeEnd], where: isDigit) else {
            throw Problem(message: "\"\(text.prefix(40))\" is not a number")
        }
        guard whole.count == 1 || whole.first != "0" else {
            throw Problem(message: "a number must not begin with 0: \"\(text.prefix(40))\"")
        }
        let sign = word[0] == UInt8(ascii: "-") ? "-" : ""
        if wholeEnd == body.endIndex { return .integer(try integer(sign + whole, radix: 10)) }
        guard let rest = fractionAndExponent(body[wholeEnd...]), let number = Double(sign + whole + rest) else {
            throw Problem(message: "\"\(text.prefix(40))\" is not a number")
        }
        return .float(number)
    }

    private static let radixes: [UInt8: Int] = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2]

    private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
        (Character(UnicodeScalar(byte)).hexDigitValue ?? radix) < radix
    }

    private static func integer(_ digits: String, radix: Int) throws(Problem) -> Int64 {
        guard let number = Int64(digits, radix: radix) else {
            throw Problem(message: "\(digits.prefix(40)) does not fit 64 bits")
        }
        return number
    }

    /// `.digits`, `e[+-]digits`, or both; nil for anything else.
    private static func fractionAndExponent(_ bytes: ArraySlice<UInt8>) -> String? {
        var rest = bytes
        var result = ""
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let end = rest.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") } ?? rest.endIndex
            guard let fraction = digits(rest[..<end], where: isDigit) else { return nil }
            result += ".\(fraction)"
            rest = rest[end...]
        }
        if rest.isEmpty { return result }
        guard rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") else { return nil }
        rest = rest.dropFirst()
        result += "e"
        if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            if sign == UInt8(ascii: "-") { result += "-" }
            rest = rest.dropFirst()
        }
        guard let exponent = digits(rest, where: isDigit) else { return nil }
        return result + exponent
    }

    /// The digits without underscores; nil unless each underscore is between two digits.
    private static func digits(_ bytes: ArraySlice<UInt8>, where isDigit: (UInt8) -> Bool) -> String? {
        var result: [UInt8] = []
        var previousIsDigit = false
        for byte in bytes {
            if byte == UInt8(ascii: "_") {
                guard previousIsDigit else { return nil }
                previousIsDigit = false
            } else {
                guard isDigit(byte) else { return nil }
                result.append(byte)
                previousIsDigit = true
            }
        }
        return previousIsDigit ? String(decoding: result, as: UTF8.self) : nil
    }
}
