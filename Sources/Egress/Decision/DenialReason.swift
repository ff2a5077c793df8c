import Base

/// Why a destination is not reachable.
public enum DenialReason: Sendable, Hashable {
    /// The phase has no network.
    case noNetwork
    /// The phase may reach listed hosts only, and this is none of them.
    case notAllowed
    /// The address is in the range of an address class that is not public, and is not listed.
    case addressNotPublic(IPAddress, AddressClass)
    /// The address belongs to the cluster, and is not listed.
    case clusterAddress(IPAddress)
    /// The address is one of the machine on which the proxy runs, and is not listed.
    case ownAddress(IPAddress)
    /// The proxy's own configuration denies the address to everyone.
    case deniedByProxy(IPAddress)
    /// The token of the phase has expired.
    case tokenExpired

    /// A word for logs, metrics and reports; one of a fixed few.
    public var code: String {
        switch self {
        case .noNetwork: "no_network"
        case .notAllowed: "not_allowed"
        case .addressNotPublic: "address_not_public"
        case .clusterAddress: "cluster_address"
        case .ownAddress: "own_address"
        case .deniedByProxy: "denied_by_proxy"
        case .tokenExpired: "token_expired"
        }
    }

    /// What is wrong, and which setting changes it; without a line end.
    var explanation: String {
        let settings = "spec.environment.network.allowedHosts of the EvalJob or allowed_hosts of the task"
        switch self {
        case .noNetwork:
            return "the phase has no network; network_mode of the task and spec.environment.network.mode of the EvalJob set it"
        case .notAllowed:
            return "the host is not listed in \(settings)"
        case .addressNotPublic(let address, let kind):
            return "the address \(address) is not public (\(kind.rawValue)), and not listed itself in \(settings)"
        case .clusterAddress(let address):
            return "the address \(address) belongs to the cluster, and is not listed itself in \(settings)"
        case .ownAddress(let address):
            return "the address \(address) belongs to the machine on which the proxy runs, and is not listed itself in \(settings)"
        case .deniedByProxy(let address):
            return "the address \(address) is denied to all trials by the option --denied-cidrs of assay egress"
        case .tokenExpired:
            return "the time of the phase is over; the timeouts of the task and spec.timeoutMultiplier of the EvalJob set it"
        }
    }
}
