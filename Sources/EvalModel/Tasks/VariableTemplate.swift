/// A text with `${VAR}` and `${VAR:-default}`. Any other `$` is literal.
public struct VariableTemplate: Sendable, Hashable {
    public enum Part: Sendable, Hashable {
        case text(String)
        case variable(name: String, fallback: String?)
    }

    public let parts: [Part]

    public init(_ text: String) {
        var parts: [Part] = []
        var literal = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            literal += rest[..<start.lowerBound]
            if let end = rest[start.upperBound...].firstIndex(of: "}"),
                let variable = Self.variable(rest[start.upperBound..<end])
            {
                if !literal.isEmpty { parts.append(.text(literal)) }
                literal = ""
                parts.append(variable)
                rest = rest[rest.index(after: end)...]
            } else {
                literal += "${"
                rest = rest[start.upperBound...]
            }
        }
        literal += rest
        if !literal.isEmpty { parts.append(.text(literal)) }
        self.parts = parts
    }

    private static func variable(_ inner: Substring) -> Part? {
        let separator = inner.firstRange(of: ":-")
        let name = separator.map { inner[..<$0.lowerBound] } ?? inner
        guard let first = name.utf8.first, !(0x30...0x39).contains(first),
            name.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
            })
        else { return nil }
        return .variable(name: String(name), fallback: separator.map { String(inner[$0.upperBound...]) })
    }

    /// The template as it was written.
    public var text: String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .variable(let name, nil): "${\(name)}"
            case .variable(let name, .some(let fallback)): "${\(name):-\(fallback)}"
            }
        }.joined()
    }

    /// The variables, in order, without duplicates.
    public var variables: [String] {
        var seen = Set<String>()
        return parts.compactMap { part in
            guard case .variable(let name, _) = part, seen.insert(name).inserted else { return nil }
            return name
        }
    }

    /// The variables without a value and without a default.
    public func missing(in environment: [String: String]) -> [String] {
        var seen = Set<String>()
        return parts.compactMap { part in
            guard case .variable(let name, nil) = part, environment[name] == nil, seen.insert(name).inserted else { return nil }
            return name
        }
    }

    /// The text with every variable replaced; nil when one is missing. As in a shell, an empty value gives the default.
    public func resolved(in environment: [String: String]) -> String? {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .variable(let name, nil):
                guard let value = environment[name] else { return nil }
                result += value
            case .variable(let name, .some(let fallback)):
                let value = environment[name] ?? ""
                result += value.isEmpty ? fallback : value
            }
        }
        return result
    }
}
