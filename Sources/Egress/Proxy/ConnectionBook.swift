import Base

/// Counts connections by client and by token, and remembers which client uses which token.
struct ConnectionBook: Sendable {
    enum Admission: Sendable, Hashable {
        case admitted
        /// The proxy has as many connections as it may have.
        case full
        /// The client has.
        case clientFull
    }

    enum TokenUse: Sendable, Hashable {
        case allowed
        /// Another client used the token first.
        case otherClient
        case full
    }

    private struct Token {
        let client: EgressClient
        var connections = 0
        let expires: Timestamp
    }

    /// Beyond it expired tokens are forgotten, then those that expire first; never one that is in use.
    private static let maximumTokens = 20_000

    private let limits: EgressLimits
    private(set) var connections = 0
    private var byClient: [EgressClient: Int] = [:]
    private var tokens: [String: Token] = [:]

    init(_ limits: EgressLimits) { self.limits = limits }

    mutating func admit(_ client: EgressClient) -> Admission {
        guard connections < limits.connections else { return .full }
        guard byClient[client, default: 0] < limits.connectionsPerClient else { return .clientFull }
        byClient[client, default: 0] += 1
        connections += 1
        return .admitted
    }

    /// A connection that was admitted has ended.
    mutating func leave(_ client: EgressClient) {
        connections -= 1
        if let count = byClient[client] { byClient[client] = count > 1 ? count - 1 : nil }
    }

    /// A connection begins to use a token; `release` ends it unless the result is a refusal.
    /// - Parameter id: of the token, not the token itself.
    mutating func use(_ id: String, expires: Timestamp, by client: EgressClient, at now: Timestamp) -> TokenUse {
        if tokens[id] == nil {
            forget(at: now)
            tokens[id] = Token(client: client, expires: expires)
        }
        guard var token = tokens[id] else { return .full }
        guard token.client == client else { return .otherClient }
        guard token.connections < limits.connectionsPerToken else { return .full }
        token.connections += 1
        tokens[id] = token
        return .allowed
    }

    mutating func release(_ id: String) { tokens[id]?.connections -= 1 }

    /// Whether the client may use the token, as far as is known.
    func isBound(_ id: String, toOtherThan client: EgressClient) -> Bool { tokens[id].map { $0.client != client } ?? false }

    private mutating func forget(at now: Timestamp) {
        guard tokens.count >= Self.maximumTokens else { return }
        tokens = tokens.filter { $0.value.connections > 0 || $0.value.expires > now }
        guard tokens.count >= Self.maximumTokens else { return }
        let unused = tokens.filter { $0.value.connections == 0 }.sorted { $0.value.expires < $1.value.expires }
        for (id, _) in unused.prefix(Self.maximumTokens / 10) { tokens[id] = nil }
    }
}
