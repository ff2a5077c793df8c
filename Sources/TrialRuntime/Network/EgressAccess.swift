import Base
import EvalModel

/// How the phases of a trial with a restricted network reach the egress proxy. The operator gives it to delivery as JSON.
public struct EgressAccess: Sendable, Hashable, Codable {
    /// `http://HOST:PORT`, with an address for HOST: such a trial resolves no names.
    public var proxy: String
    /// Tokens by phase. A phase that may reach nothing has none. Each value is a secret.
    public var tokens: [String: String]
    /// The names of the pod's services, which programs connect to without the proxy.
    public var names: [String] = []
    /// On a cluster, `HOST:PORT` of the canary, a port that the pod's NetworkPolicy does not allow. Delivery waits until the pod cannot connect to it.
    public var canary: String?

    public init(proxy: String, tokens: [TrialPhase: String], canary: String? = nil) {
        self.proxy = proxy
        self.canary = canary
        self.tokens = Dictionary(uniqueKeysWithValues: tokens.map { ($0.key.rawValue, $0.value) })
    }

    public subscript(phase: TrialPhase) -> String? { tokens[phase.rawValue] }

    public var json: String {
        get throws { try JSONValueEncoder().encode(self).text }
    }

    /// - Throws: `internal_error` for anything but the JSON of an access.
    public init(json: some Sequence<UInt8>) throws(TrialError) {
        do {
            self = try JSONValueDecoder().decode(EgressAccess.self, from: try JSONValue(parsing: Array(json)))
        } catch {
            throw TrialError(.internalError, "\(TrialVariables.egress) cannot be read: \(error)")
        }
    }

    /// The entries `NAME=value` of a phase's environment.
    func variables(of phase: TrialPhase) -> [String] {
        self[phase].map { ProxyVariables.entries(proxy: proxy, token: $0, names: names) } ?? []
    }
}

/// The variables that tell programs about the proxy.
public enum ProxyVariables {
    private static let proxies = ["HTTP_PROXY", "HTTPS_PROXY"]
    private static let exceptions = "NO_PROXY"
    /// Without it node ignores the variables.
    private static let node = "NODE_USE_ENV_PROXY"
    /// Hosts that programs reach without the proxy: the trial's own.
    public static let directHosts = ["localhost", "127.0.0.1", "::1"]

    /// Whether a task or an agent with a restricted network may not set the variable. Case does not count: programs differ.
    public static func isReserved(_ name: String) -> Bool {
        let name = name.uppercased()
        return (proxies + ["ALL_PROXY", exceptions, node]).contains(name)
    }

    /// - Parameters:
    ///   - proxy: `http://HOST:PORT`.
    ///   - names: of the pod itself.
    static func entries(proxy: String, token: String, names: [String] = []) -> [String] {
        let url = proxy.replacing("http://", with: "http://assay:\(token)@", maxReplacements: 1)
        let both = proxies.map { ($0, url) } + [(exceptions, (directHosts + names).joined(separator: ","))]
        return both.flatMap { ["\($0)=\($1)", "\($0.lowercased())=\($1)"] } + ["\(node)=1"]
    }
}
