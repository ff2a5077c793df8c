/// Field names as CEL identifiers: `foo-bar` becomes `foo__dash__bar`, `namespace` becomes `__namespace__`.
enum CELIdentifier {
    static func escape(_ name: String) -> String {
        if CELParser.reserved.contains(name) { return "__\(name)__" }
        var out = ""
        var rest = Substring(name)
        while let character = rest.first {
            if rest.hasPrefix("__") {
                out += "__underscores__"
                rest = rest.dropFirst(2)
                continue
            }
            switch character {
            case ".": out += "__dot__"
            case "-": out += "__dash__"
            case "/": out += "__slash__"
            default: out.append(character)
            }
            rest = rest.dropFirst()
        }
        return out
    }

    /// Nil for a name that `escape` never produces.
    static func unescape(_ name: String) -> String? {
        guard name.contains("__") else { return CELParser.reserved.contains(name) ? nil : name }
        if name.hasPrefix("__"), name.hasSuffix("__"), CELParser.reserved.contains(String(name.dropFirst(2).dropLast(2))) {
            return String(name.dropFirst(2).dropLast(2))
        }
        var out = ""
        var rest = Substring(name)
        let parts = [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")]
        while let character = rest.first {
            if rest.hasPrefix("__") {
                guard let (code, plain) = parts.first(where: { rest.hasPrefix($0.0) }) else { return nil }
                out += plain
                rest = rest.dropFirst(code.count)
            } else {
                out.append(character)
                rest = rest.dropFirst()
            }
        }
        return out
    }
}
