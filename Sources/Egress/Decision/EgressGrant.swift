/// What a phase of a trial may reach.
public struct EgressGrant: Sendable, Hashable {
    /// Every host with a public address.
    public var everyPublicHost: Bool
    /// Hosts by name or address. Only an entry with an address or network makes an address reachable that is not public.
    public var hosts: [HostPattern]

    public init(everyPublicHost: Bool, hosts: [HostPattern]) {
        self.everyPublicHost = everyPublicHost
        self.hosts = hosts
    }

    /// Nothing: a phase without network.
    public static let none = EgressGrant(everyPublicHost: false, hosts: [])
    public static let everyPublicHost = EgressGrant(everyPublicHost: true, hosts: [])
    public static func only(_ hosts: [HostPattern]) -> EgressGrant { EgressGrant(everyPublicHost: false, hosts: hosts) }

    var isEmpty: Bool { !everyPublicHost && hosts.isEmpty }
}
