import Base

/// Decides which destinations a grant reaches. Pure: the caller resolves names between the two steps.
///
/// Guarantees:
/// - A name is resolved only when the grant allows it, so that lookups carry nothing out of a trial that may not reach the name.
/// - The addresses of a verdict are exactly those that were checked; the caller connects to no others.
/// - An address that is not public, or belongs to the cluster or to the proxy's machine, is reachable only when an entry of the grant names it: an entry that lies
///   completely within each range that closes the address. `0.0.0.0/0` therefore opens no private address, and `10.0.0.0/8` not the part
///   of it that is the cluster's.
public struct EgressPolicy: Sendable, Hashable {
    /// Networks of the cluster: reachable only where listed.
    public var clusterNetworks: [IPNetwork]
    /// Never reachable, listed or not.
    public var deniedNetworks: [IPNetwork]

    public init(clusterNetworks: [IPNetwork] = [], deniedNetworks: [IPNetwork] = []) {
        self.clusterNetworks = clusterNetworks
        self.deniedNetworks = deniedNetworks
    }

    /// The step before a name is resolved.
    public enum Admission: Sendable, Hashable {
        /// Resolve the name, then ask `verdict`.
        case resolve(HostName)
        case connect([IPAddress])
        case denied(DenialReason)
    }

    public enum Verdict: Sendable, Hashable {
        /// Connect to one of these, and to no other. Never empty.
        case connect([IPAddress])
        case denied(DenialReason)
    }

    /// - Parameter own: those among the addresses of the destination that belong to the machine on which the proxy runs.
    public func admission(to destination: Destination, by grant: EgressGrant, own: Set<IPAddress> = []) -> Admission {
        guard !grant.isEmpty else { return .denied(.noNetwork) }
        switch destination.host {
        case .name(let name):
            guard grant.everyPublicHost || grant.hosts.contains(where: { $0.names(destination) }) else { return .denied(.notAllowed) }
            return .resolve(name)
        case .address(let address):
            switch verdict(on: [address], of: destination, by: grant, own: own) {
            case .connect(let addresses): return .connect(addresses)
            case .denied(let reason): return .denied(reason)
            }
        }
    }

    /// - Parameters:
    ///   - addresses: of the destination's host, in the order in which they are to be tried. Those that may not be reached are left out of
    ///     the verdict; when none is left, the reason is that of the first.
    ///   - own: those among them that belong to the machine on which the proxy runs.
    public func verdict(
        on addresses: [IPAddress], of destination: Destination, by grant: EgressGrant, own: Set<IPAddress> = []
    ) -> Verdict {
        var allowed: [IPAddress] = []
        var refusal: DenialReason?
        for address in addresses.map(\.unmapped) where !allowed.contains(address) {
            if let reason = objection(to: address, of: destination, by: grant, isOwn: own.contains(address)) {
                refusal = refusal ?? reason
            } else {
                allowed.append(address)
            }
        }
        return allowed.isEmpty ? .denied(refusal ?? .notAllowed) : .connect(allowed)
    }

    private func objection(to address: IPAddress, of destination: Destination, by grant: EgressGrant, isOwn: Bool) -> DenialReason? {
        // Where there is NAT64, an IPv4 address is reached through its IPv6 form too.
        let carried = address.embeddedInNAT64
        func covers(_ network: IPNetwork) -> Bool { network.contains(address) || carried.map(network.contains) ?? false }
        guard !deniedNetworks.contains(where: covers) else { return .deniedByProxy(address) }
        let listed = grant.hosts.compactMap { pattern -> IPNetwork? in
            guard case .network(let network) = pattern.kind, pattern.port == nil || pattern.port == destination.port, network.contains(address)
            else { return nil }
            return network
        }
        let cluster = clusterNetworks.filter(covers).map { $0.contains(address) ? $0 : IPNetwork(address) }
        let special = AddressClass.special(address)
        let closed = cluster + (special.map { [$0.range] } ?? []) + (isOwn ? [IPNetwork(address)] : [])
        if !closed.isEmpty {
            guard !listed.contains(where: { network in closed.allSatisfy { $0.contains(network) } }) else { return nil }
            if !cluster.isEmpty { return .clusterAddress(address) }
            return special.map { .addressNotPublic(address, $0.class) } ?? .ownAddress(address)
        }
        // A name was checked when it was admitted.
        if case .name = destination.host { return nil }
        return grant.everyPublicHost || !listed.isEmpty ? nil : .notAllowed
    }
}
