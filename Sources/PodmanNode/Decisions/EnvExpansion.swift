/// Expands `$(NAME)` in commands, arguments and environment values.
///
/// Source of the rule: k8s.io/kubernetes/third_party/forked/golang/expansion. `$$` gives one dollar. `$(NAME)` gives the value of a known name
/// and is left unchanged for an unknown one. Any other dollar is left unchanged.
enum EnvExpansion {
    static func expand(_ text: String, _ lookup: (String) -> String?) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(dollar) else { return text }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            guard bytes[at] == dollar, at + 1 < bytes.count else {
                out.append(bytes[at])
                at += 1
                continue
            }
            switch bytes[at + 1] {
            case dollar:
                out.append(dollar)
                at += 2
            case UInt8(ascii: "("):
                guard let close = bytes[(at + 2)...].firstIndex(of: UInt8(ascii: ")")) else {
                    out.append(contentsOf: bytes[at...(at + 1)])
                    at += 2
                    continue
                }
                let name = String(decoding: bytes[(at + 2)..<close], as: UTF8.self)
                if let value = lookup(name) {
                    out.append(contentsOf: value.utf8)
                } else {
                    out.append(contentsOf: bytes[at...close])
                }
                at = close + 1
            default:
                out.append(contentsOf: bytes[at...(at + 1)])
                at += 2
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let dollar = UInt8(ascii: "$")
}
