import Base

/// An entry of a list of allowed hosts: a name, `*.name`, an address or a network in CIDR notation; all but a network with an optional port.
///
/// `*.example.com` stands for all names below example.com at any depth, not for example.com itself. Without a port all ports are meant.
/// A name does not match requests for an address, nor a network requests for a name.
public struct HostPattern: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        case name(HostName)
        case subdomains(of: HostName)
        /// A single address is a network of one.
        case network(IPNetwork)
    }

    public let kind: Kind
    /// Nil: every port.
    public let port: UInt16?

    /// - Throws: what is wrong, with the text, and what to write instead.
    public init(_ text: some StringProtocol) throws(HostPatternError) {
        do {
            (kind, port) = try Self.parse(String(text))
        } catch {
            throw HostPatternError(pattern: String(text), problem: error)
        }
    }

    private static func parse(_ text: String) throws(HostSyntaxError) -> (Kind, UInt16?) {
        guard !text.isEmpty else { throw HostSyntaxError("is empty: write a host, or remove the entry") }
        guard !text.contains(where: \.isWhitespace) else { throw HostSyntaxError("has white space: write one host per entry, without spaces") }
        guard !text.contains("://") else { throw HostSyntaxError("is a URL: write only its host, as in example.com or example.com:8443") }
        guard !text.contains("@") else { throw HostSyntaxError("has a user name: write only the host") }
        if text.contains("/") { return (.network(try network(text)), nil) }
        let (host, port) = try splitPort(text)
        guard host != "*" else {
            throw HostSyntaxError("stands for every host: use the network mode public instead, or name a domain, as in *.example.com")
        }
        if host.hasPrefix("*.") {
            let rest = host.dropFirst(2)
            guard !rest.contains("*") else { throw HostSyntaxError("has more than one *: write one at the beginning, as in *.example.com") }
            guard IPAddress(String(rest)) == nil else { throw HostSyntaxError("has a * before an address: write a network, as in 192.0.2.0/24") }
            return (.subdomains(of: try HostName(rest)), port)
        }
        guard !host.contains("*") else { throw HostSyntaxError("has a * inside a name: a * is only allowed as the first label, as in *.example.com") }
        switch try EgressHost(host) {
        case .name(let name): return (.name(name), port)
        case .address(let address): return (.network(IPNetwork(address)), port)
        }
    }

    private static func network(_ text: String) throws(HostSyntaxError) -> IPNetwork {
        guard let network = IPNetwork(text) else {
            throw HostSyntaxError(
                "is no network: write an address and a prefix length, as in 192.0.2.0/24 or 2001:db8::/32 (a path or port cannot follow)")
        }
        guard network.address.unmapped == network.address else {
            throw HostSyntaxError("is an IPv4-mapped network: write it as IPv4, as in 192.0.2.0/24")
        }
        guard network.masked == network else { throw HostSyntaxError("has bits after its prefix: write \(network.masked)") }
        return network
    }

    /// Whether the entry names the destination itself.
    public func names(_ destination: Destination) -> Bool {
        guard port == nil || port == destination.port else { return false }
        switch (kind, destination.host) {
        case (.name(let name), .name(let wanted)): return name == wanted
        case (.subdomains(let parent), .name(let wanted)): return wanted.isSubdomain(of: parent)
        case (.network(let network), .address(let wanted)): return network.contains(wanted)
        case (.name, .address), (.subdomains, .address), (.network, .name): return false
        }
    }

    /// The canonical text, which parses to the same pattern.
    public var description: String {
        let suffix = port.map { ":\($0)" } ?? ""
        switch kind {
        case .name(let name): return name.text + suffix
        case .subdomains(let parent): return "*." + parent.text + suffix
        case .network(let network):
            guard network.prefix == network.address.bytes.count * 8 else { return network.text }
            return port == nil ? network.address.text : EgressHost.address(network.address).description + suffix
        }
    }
}

/// A text that is no host pattern.
public struct HostPatternError: Error, Sendable, Hashable, CustomStringConvertible {
    public let pattern: String
    public let problem: HostSyntaxError

    /// `the allowed host "a b" has white space: write one host per entry, without spaces`.
    public var description: String { "the allowed host \"\(pattern.replacingControls)\" \(problem)" }
}
