/// What the phases of a trial may connect to, after the settings of job, task and agent are put together.
///
/// The rules, in this order:
/// - The stricter of the job's and the task's mode holds for each phase; `no-network` is stricter than `allowlist`, and that than `public`.
///   A phase of the task without a network of its own has its environment's.
/// - In a phase with the mode `allowlist` all hosts that the task lists anywhere are reachable.
/// - In `install` and `execute` the hosts of the agent (the API of its model) and those of the job are reachable as well, whatever the mode.
public struct TrialNetwork: Sendable, Hashable, Codable {
    /// `allowlist` without hosts is written as `no-network`, and the other way round.
    public var install: TaskNetwork
    public var execute: TaskNetwork
    public var verify: TaskNetwork
    /// Whether the job lets the agent reach hosts that the task does not list.
    public var isWidened: Bool

    public init(install: TaskNetwork, execute: TaskNetwork, verify: TaskNetwork, isWidened: Bool = false) {
        self.install = install
        self.execute = execute
        self.verify = verify
        self.isWidened = isWidened
    }

    /// - Parameters:
    ///   - mode: the job's; nil when it has none.
    ///   - hosts: the job's.
    ///   - agentHosts: of the agent.
    public init(of task: EvalTask, mode: TaskNetwork.Mode?, hosts: [String], agentHosts: [String]) {
        let base = task.environment.network
        let forAgent = task.agent.network ?? base
        // The environment of a separate verifier has a network of its own.
        let forVerifier = task.verifier.network ?? task.verifier.environment?.network ?? base
        let listed = Self.distinct([base, forAgent, forVerifier].flatMap(\.allowedHosts))
        func network(_ asked: TaskNetwork, adding more: [String]) -> TaskNetwork {
            let stricter = max(asked.mode, mode ?? .public)
            guard stricter != .public else { return TaskNetwork(.public) }
            let all = Self.distinct((stricter == .allowlist ? listed : []) + more)
            return all.isEmpty ? TaskNetwork(.none) : TaskNetwork(.allowlist, allowedHosts: all)
        }
        let added = agentHosts + hosts
        self.init(
            install: network(base, adding: added), execute: network(forAgent, adding: added), verify: network(forVerifier, adding: []),
            isWidened: !Set(hosts).isSubset(of: listed) && [base, forAgent].contains { $0.mode != .public })
    }

    public static let open = TrialNetwork(install: TaskNetwork(.public), execute: TaskNetwork(.public), verify: TaskNetwork(.public))

    /// Whether no phase is restricted.
    public var isOpen: Bool { [install, execute, verify].allSatisfy { $0.mode == .public } }

    /// nil for a phase that runs no code of the task or the agent.
    public subscript(phase: TrialPhase) -> TaskNetwork? {
        switch phase {
        case .install: install
        case .execute: execute
        case .verify: verify
        case .setup, .collect, .teardown: nil
        }
    }

    private static func distinct(_ hosts: [String]) -> [String] {
        hosts.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

extension TaskNetwork.Mode: Comparable {
    /// The stricter mode is the greater one.
    public static func < (one: Self, other: Self) -> Bool { one.rank < other.rank }

    private var rank: Int {
        switch self {
        case .public: 0
        case .allowlist: 1
        case .none: 2
        }
    }
}
