import Base

/// A host as a request or a pattern names it.
public enum EgressHost: Sendable, Hashable, CustomStringConvertible {
    case name(HostName)
    /// An IPv4-mapped IPv6 address is the IPv4 address that it stands for.
    case address(IPAddress)

    /// Reads a name, an IPv4 address, or an IPv6 address with or without brackets.
    public init(_ text: some StringProtocol) throws(HostSyntaxError) {
        guard !text.contains("%") else { throw HostSyntaxError("has a zone or a percent sign: write the address or name without it") }
        if text.hasPrefix("[") || text.contains(":") {
            let inner = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text[...]
            guard inner.contains(":"), let address = IPAddress(String(inner)) else {
                throw HostSyntaxError("is no IPv6 address: write it as in 2001:db8::1, or as in [2001:db8::1]:443 with a port")
            }
            self = .address(address.unmapped)
        } else if let address = IPAddress(String(text)) {
            self = .address(address)
        } else {
            self = .name(try HostName(text))
        }
    }

    /// As in a URL: IPv6 addresses have brackets.
    public var description: String {
        switch self {
        case .name(let name): name.text
        case .address(let address): address.isIPv6 ? "[\(address.text)]" : address.text
        }
    }
}

/// Where a client wants to connect to: a host and a port.
public struct Destination: Sendable, Hashable, CustomStringConvertible {
    public let host: EgressHost
    public let port: UInt16

    public init(host: EgressHost, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `example.com:443` or `[2001:db8::1]:443`.
    /// - Parameter defaultPort: the port when the text has none; nil makes the port required.
    public init(_ text: some StringProtocol, defaultPort: UInt16? = nil) throws(HostSyntaxError) {
        let (host, port) = try splitPort(text)
        guard let port = port ?? defaultPort else { throw HostSyntaxError("has no port: write it after the host, as in example.com:443") }
        self.init(host: try EgressHost(host), port: port)
    }

    public var description: String { "\(host):\(port)" }
}

/// Splits `host:port` and `[address]:port`. Text with several colons and no brackets is an address without a port.
func splitPort(_ text: some StringProtocol) throws(HostSyntaxError) -> (host: String, port: UInt16?) {
    let text = String(text)
    let hostEnd: String.Index
    if text.hasPrefix("[") {
        guard let bracket = text.firstIndex(of: "]") else { throw HostSyntaxError("has no closing bracket: write it as in [2001:db8::1]:443") }
        hostEnd = text.index(after: bracket)
    } else {
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        guard text.lastIndex(of: ":") == colon else { return (text, nil) }
        hostEnd = colon
    }
    let rest = text[hostEnd...]
    guard !rest.isEmpty else { return (text, nil) }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
        let port = UInt16(digits), port > 0
    else { throw HostSyntaxError("has no valid port: write a number from 1 to 65535 after the colon") }
    return (String(text[..<hostEnd]), port)
}
