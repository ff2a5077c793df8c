import Base

/// `url()`, `ip()`, `cidr()` and `quantity()`: the types that Kubernetes adds to CEL.
enum CELNetwork {
    /// Calls a function by name; nil when it does not exist.
    static func call(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        guard values.count == 1 else { return nil }
        if name == "isIP" || name == "ip.isCanonical" || name == "ip" || name == "cidr" || name == "isCIDR" || name == "url" || name == "isURL"
            || name == "quantity" || name == "isQuantity"
        {
            guard case .string(let text) = values[0] else { throw .noOverload }
            switch name {
            case "url":
                guard let url = URLParts(requestURI: text) else {
                    throw CELError("URL parse error during conversion from string: parse \(GoFormat.quoted(text)): invalid URI for request")
                }
                return .url(url)
            case "isURL": return .bool(URLParts(requestURI: text) != nil)
            case "ip": return .ip(try address(text))
            case "isIP": return .bool(IPAddress(text) != nil)
            case "ip.isCanonical": return .bool(try address(text).text == text)
            case "cidr": return .cidr(try network(text))
            case "isCIDR": return .bool(IPNetwork(text) != nil)
            case "quantity":
                guard let quantity = CELQuantity(text) else {
                    throw CELError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
                }
                return .quantity(quantity)
            default: return .bool(CELQuantity(text) != nil)
            }
        }
        return nil
    }

    private static func address(_ text: String) throws(CELError) -> IPAddress {
        guard let address = IPAddress(text) else { throw CELError("IP Address \(GoFormat.quoted(text)) parse error during conversion from string") }
        return address
    }

    private static func network(_ text: String) throws(CELError) -> IPNetwork {
        guard let network = IPNetwork(text) else {
            throw CELError("network address parse error during conversion from string: \(text)")
        }
        return network
    }

    /// Calls a function on a value; nil when the value has no such function.
    static func method(_ target: CELValue, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        switch target {
        case .url(let url): return values.isEmpty ? part(of: url, name) : nil
        case .ip(let address): return values.isEmpty ? property(of: address, name) : nil
        case .cidr(let network): return try network.method(name, values)
        default: return nil
        }
    }

    private static func part(of url: URLParts, _ name: String) -> CELValue? {
        switch name {
        case "getScheme": return .string(url.scheme)
        case "getHost": return .string(url.host)
        case "getHostname": return .string(url.hostname)
        case "getPort": return .string(url.port)
        case "getEscapedPath": return .string(escaped(url.path))
        case "getQuery":
            var query: [CELKey: CELValue] = [:]
            for (key, values) in url.query { query[.string(key)] = .list(values.map { .string($0) }) }
            return .map(CELMap(query))
        default: return nil
        }
    }

    private static func escaped(_ path: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~$&+,/:;=@!'()*".utf8)
        var out = ""
        for byte in path.utf8 {
            if plain.contains(byte) {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                out += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return out
    }

    private static func property(of address: IPAddress, _ name: String) -> CELValue? {
        switch name {
        case "family": .int(address.isIPv6 ? 6 : 4)
        case "isUnspecified": .bool(address.isUnspecified)
        case "isLoopback": .bool(address.isLoopback)
        case "isLinkLocalMulticast": .bool(address.isLinkLocalMulticast)
        case "isLinkLocalUnicast": .bool(address.isLinkLocalUnicast)
        case "isGlobalUnicast": .bool(address.isGlobalUnicast)
        default: nil
        }
    }
}

extension IPNetwork {
    func method(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        switch (name, values.count) {
        case ("ip", 0): return .ip(address)
        case ("prefixLength", 0): return .int(Int64(prefix))
        case ("masked", 0): return .cidr(masked)
        case ("containsIP", 1):
            switch values[0] {
            case .ip(let other): return .bool(contains(other))
            case .string(let text):
                guard let other = IPAddress(text) else {
                    throw CELError("IP Address \(GoFormat.quoted(text)) parse error during conversion from string")
                }
                return .bool(contains(other))
            default: throw .noOverload
            }
        case ("containsCIDR", 1):
            switch values[0] {
            case .cidr(let other): return .bool(contains(other))
            case .string(let text):
                guard let other = IPNetwork(text) else { throw CELError("network address parse error during conversion from string: \(text)") }
                return .bool(contains(other))
            default: throw .noOverload
            }
        default: return nil
        }
    }
}

/// A Kubernetes quantity, `100m` or `1.5Gi`, as a scaled number.
package struct CELQuantity: Sendable {
    /// In nano-units, the finest that Kubernetes keeps. A double, because values may exceed 64 bits.
    private let nano: Double

    init(nano: Double) { self.nano = nano }

    private static let binary: [String: Double] = ["Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6]
    private static let decimal: [String: Double] = [
        "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    ]

    init?(_ text: String) {
        var rest = Substring(text)
        var sign = 1.0
        if rest.first == "-" || rest.first == "+" {
            sign = rest.first == "-" ? -1 : 1
            rest.removeFirst()
        }
        let number = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let suffix = String(rest.dropFirst(number.count))
        guard !number.isEmpty, number.filter({ $0 == "." }).count <= 1, number != ".",
            let value = Double((number.hasPrefix(".") ? "0" : "") + number + (number.hasSuffix(".") ? "0" : ""))
        else { return nil }
        if let power = Self.binary[suffix] {
            nano = sign * value * (0..<Int(power)).reduce(1.0) { product, _ in product * 1024 } * 1e9
        } else if let scale = Self.decimal[suffix] {
            nano = sign * (scale < 1 ? value * (scale * 1e9).rounded() : value * scale * 1e9)
        } else if let first = suffix.first, first == "e" || first == "E", let exponent = Int(suffix.dropFirst()), abs(exponent) < 300 {
            guard let scaled = Double("\(value)e\(exponent)") else { return nil }
            nano = sign * scaled * 1e9
        } else {
            return nil
        }
    }

    func compared(to other: CELQuantity) -> Int { nano < other.nano ? -1 : nano > other.nano ? 1 : 0 }

    func asInteger() throws(CELError) -> Int64 {
        let value = nano / 1e9
        guard value == value.rounded(), let whole = Int64(exactly: value) else { throw CELError("cannot convert value to integer") }
        return whole
    }

    /// Calls a function on the quantity; nil when it does not exist.
    func method(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        switch (name, values.count) {
        case ("sign", 0): return .int(nano < 0 ? -1 : nano > 0 ? 1 : 0)
        case ("isInteger", 0): return .bool((try? asInteger()) != nil)
        case ("asInteger", 0): return .int(try asInteger())
        case ("asApproximateFloat", 0): return .double(nano / 1e9)
        case ("isGreaterThan", 1): return .bool(compared(to: try Self.operand(values[0])) > 0)
        case ("isLessThan", 1): return .bool(compared(to: try Self.operand(values[0])) < 0)
        case ("compareTo", 1): return .int(Int64(compared(to: try Self.operand(values[0]))))
        case ("add", 1): return .quantity(CELQuantity(nano: nano + (try Self.operand(values[0])).nano))
        case ("sub", 1): return .quantity(CELQuantity(nano: nano - (try Self.operand(values[0])).nano))
        default: return nil
        }
    }

    private static func operand(_ value: CELValue) throws(CELError) -> CELQuantity {
        switch value {
        case .quantity(let quantity): return quantity
        case .int(let number): return CELQuantity(nano: Double(number) * 1e9)
        default: throw .noOverload
        }
    }
}
