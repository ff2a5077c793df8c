/// The string functions of CEL, of cel-go's string library (version 2), and Kubernetes' own for regular expressions.
enum CELStrings {
    /// Calls a string function; nil when it does not exist.
    static func method(_ text: String, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        switch (name, values.count) {
        case ("startsWith", 1): return .bool(text.unicodeScalars.starts(with: try string(values[0]).unicodeScalars))
        case ("endsWith", 1): return .bool(text.unicodeScalars.reversed().starts(with: try string(values[0]).unicodeScalars.reversed()))
        case ("contains", 1):
            let part = Array(try string(values[0]).utf8)
            return .bool(part.isEmpty || index(of: part, in: Array(text.utf8), from: 0) != nil)
        case ("matches", 1): return .bool(try pattern(values[0]).matches(text))
        case ("find", 1): return .string(try pattern(values[0]).firstMatch(in: text) ?? "")
        case ("findAll", 1): return .list(try pattern(values[0]).allMatches(in: text).map { .string($0) })
        case ("findAll", 2):
            let limit = try int(values[1])
            return .list(try pattern(values[0]).allMatches(in: text, limit: limit < 0 ? nil : limit).map { .string($0) })
        case ("charAt", 1): return try character(text, at: try int(values[0]))
        case ("indexOf", 1), ("indexOf", 2), ("lastIndexOf", 1), ("lastIndexOf", 2): return try position(text, name, values)
        case ("lowerAscii", 0): return .string(mapASCII(text) { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 })
        case ("upperAscii", 0): return .string(mapASCII(text) { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 })
        case ("trim", 0): return .string(trimmed(text))
        case ("replace", 2): return .string(replaced(text, try string(values[0]), try string(values[1]), limit: nil))
        case ("replace", 3):
            let limit = try int(values[2])
            return .string(replaced(text, try string(values[0]), try string(values[1]), limit: limit < 0 ? nil : limit))
        case ("split", 1): return .list(split(text, try string(values[0]), limit: -1).map { .string($0) })
        case ("split", 2): return .list(split(text, try string(values[0]), limit: try int(values[1])).map { .string($0) })
        case ("substring", 1): return try substring(text, try int(values[0]), nil)
        case ("substring", 2): return try substring(text, try int(values[0]), try int(values[1]))
        case ("format", 1):
            guard case .list(let arguments) = values[0] else { throw .noOverload }
            return .string(try CELFormatting.format(text, try arguments.elements()))
        default: return nil
        }
    }

    static func string(_ value: CELValue) throws(CELError) -> String {
        guard case .string(let text) = value else { throw .noOverload }
        return text
    }

    static func int(_ value: CELValue) throws(CELError) -> Int {
        guard case .int(let number) = value else { throw .noOverload }
        return Int(number)
    }

    private static func pattern(_ value: CELValue) throws(CELError) -> Pattern {
        let source = try string(value)
        do {
            return try Pattern(source)
        } catch {
            throw CELError(error.description)
        }
    }

    private static func character(_ text: String, at index: Int) throws(CELError) -> CELValue {
        let scalars = Array(text.unicodeScalars)
        guard index >= 0, index <= scalars.count else { throw CELError("index out of range: \(index)") }
        return .string(index == scalars.count ? "" : String(Character(scalars[index])))
    }

    private static func index<Element: Equatable>(of part: [Element], in whole: [Element], from start: Int) -> Int? {
        guard part.count <= whole.count else { return nil }
        var index = start
        while index + part.count <= whole.count {
            if whole[index..<index + part.count].elementsEqual(part) { return index }
            index += 1
        }
        return nil
    }

    private static func position(_ text: String, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue {
        let scalars = Array(text.unicodeScalars)
        let part = Array(try string(values[0]).unicodeScalars)
        let offset = values.count == 2 ? try int(values[1]) : nil
        if let offset, offset < 0 || offset > scalars.count {
            if offset > 0, name == "indexOf" || !part.isEmpty { throw CELError("index out of range: \(offset)") }
            throw CELError("index out of range: \(offset)")
        }
        if name == "indexOf" { return .int(Int64(index(of: part, in: scalars, from: offset ?? 0) ?? -1)) }
        guard part.count <= scalars.count else { return .int(-1) }
        var start = min(offset ?? scalars.count, scalars.count - part.count)
        while start >= 0 {
            if scalars[start..<start + part.count].elementsEqual(part) { return .int(Int64(start)) }
            start -= 1
        }
        return .int(-1)
    }

    private static func mapASCII(_ text: String, _ change: (UInt8) -> UInt8) -> String {
        String(decoding: text.utf8.map(change), as: UTF8.self)
    }

    private static func trimmed(_ text: String) -> String {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || scalar.value == 0x85 }
        let scalars = text.unicodeScalars
        guard let start = scalars.firstIndex(where: { !isSpace($0) }), let end = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[start...end])
    }

    private static func join(_ scalars: [Unicode.Scalar]) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private static func replaced(_ text: String, _ old: String, _ new: String, limit: Int?) -> String {
        let scalars = Array(text.unicodeScalars)
        let part = Array(old.unicodeScalars)
        let replacement = Array(new.unicodeScalars)
        var out: [Unicode.Scalar] = []
        var position = 0
        var done = 0
        while limit.map({ done < $0 }) ?? true, let found = index(of: part, in: scalars, from: position) {
            out += scalars[position..<found]
            out += replacement
            position = found + part.count
            done += 1
            if part.isEmpty {
                guard position < scalars.count else { break }
                out.append(scalars[position])
                position += 1
            }
        }
        return join(out + scalars[min(position, scalars.count)...])
    }

    /// At most `limit` parts when it is positive; no parts when it is zero.
    private static func split(_ text: String, _ separator: String, limit: Int) -> [String] {
        if limit == 0 { return [] }
        let scalars = Array(text.unicodeScalars)
        let part = Array(separator.unicodeScalars)
        if part.isEmpty {
            let most = limit < 0 ? scalars.count : min(limit, scalars.count)
            guard most > 0 else { return [] }
            return scalars[..<(most - 1)].map { String(Character($0)) } + [join(Array(scalars[(most - 1)...].prefix(limit < 0 ? 1 : scalars.count)))]
        }
        var parts: [String] = []
        var position = 0
        while limit < 0 || parts.count < limit - 1, let found = index(of: part, in: scalars, from: position) {
            parts.append(join(Array(scalars[position..<found])))
            position = found + part.count
        }
        return parts + [join(Array(scalars[position...]))]
    }

    private static func substring(_ text: String, _ start: Int, _ end: Int?) throws(CELError) -> CELValue {
        let scalars = Array(text.unicodeScalars)
        let last = end ?? scalars.count
        guard start >= 0, start <= scalars.count else { throw CELError("index out of range: \(start)") }
        guard last >= 0, last <= scalars.count else { throw CELError("index out of range: \(last)") }
        guard start <= last else { throw CELError("invalid substring range. start: \(start), end: \(last)") }
        return .string(join(Array(scalars[start..<last])))
    }
}
