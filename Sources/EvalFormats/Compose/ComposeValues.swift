import Base

/// Texts with units in a Compose file.
enum ComposeValues {
    /// Seconds of a duration such as `1m30s`, `500ms` or `1.5h`; nil for anything else.
    static func seconds(_ text: String) -> Double? {
        var rest = text.trimmed[...]
        guard !rest.isEmpty else { return nil }
        if rest == "0" { return 0 }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            let factors: [Substring: Double] = ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600]
            guard let value = Double(number), let factor = factors[unit] else { return nil }
            total += value * factor
        }
        return total.isFinite ? total : nil
    }

    /// Bytes of an amount such as `512m`, `2g`, `1.5GB` or `1048576`; nil for anything else. Units are powers of 1024, as for Docker.
    static func bytes(_ text: String) -> Int? {
        let text = text.trimmed.lowercased()
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        var unit = text.dropFirst(number.count).trimming(\.isWhitespace)
        if unit.hasSuffix("ib") { unit = unit.dropLast(2) } else if unit.hasSuffix("b") { unit = unit.dropLast() }
        let factors: [Substring: Double] = ["": 1, "k": 1024, "m": 1_048_576, "g": 1_073_741_824, "t": 1_099_511_627_776]
        guard let value = Double(number), let factor = factors[unit], value * factor < 1e18 else { return nil }
        return Int((value * factor).rounded(.up))
    }

    /// The words of a command line as a shell splits it, without expansions: blanks separate, quotes and backslashes keep. nil for a quote that
    /// is not closed. Source: compose-go, which uses `github.com/mattn/go-shellwords`.
    static func words(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else { return nil }
        if let done = word { words.append(done) }
        return words
    }

    /// The text of a scalar; nil for null, lists and maps.
    static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .object, .array, .null: nil
        case .double(let number) where number == number.rounded() && abs(number) < 1e15: String(Int(number))
        default: value.text
        }
    }

    /// A folder or file at or below `environment/`, without `.`; nil for any other place.
    static func relative(_ text: String) -> String? {
        guard !text.hasPrefix("/"), !text.hasPrefix("~"), !text.contains("://"), !text.contains("\0") else { return nil }
        var parts: [Substring] = []
        for part in text.split(separator: "/") where part != "." {
            if part == ".." {
                guard parts.popLast() != nil else { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}
