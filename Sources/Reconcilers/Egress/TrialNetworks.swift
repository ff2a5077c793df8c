import Base
import Egress
import EvalModel
import KubeCore
import TrialPods
import TrialRuntime

/// How the operator restricts the networks of trials: it makes the tokens of their phases, and says where they reach the egress proxy.
public struct TrialNetworks: Sendable {
    /// Where the pods of such trials run.
    public enum Place: Sendable, Hashable {
        /// On this machine: the node gives them no network interface but loopback. A relay accepts connections to this port of loopback and carries
        /// them to the egress proxy.
        case relay(port: UInt16)
        /// On a cluster, whose network enforces NetworkPolicies.
        case cluster
    }

    /// Seconds for which the tokens of a trial without time limits are good.
    private static let unlimitedSeconds = 30.0 * 86_400

    private let place: Place
    private let key: SigningKey
    private let time: any TimeSource

    /// - Parameter key: the key with which the proxy verifies tokens.
    public init(_ place: Place, key: SigningKey, time: any TimeSource = SystemTime()) {
        self.place = place
        self.key = key
        self.time = time
    }

    /// What a pod's phases need; nil for a trial whose network is not restricted.
    ///
    /// - Parameter addresses: those of the egress proxy and the cache service, on a cluster.
    /// - Throws: `task_invalid` for hosts that no token can hold.
    func access(
        for request: TrialPodRequest, _ builder: TrialPodBuilder, bounds: PodFateBounds, addresses: ProxiedAddresses?
    ) throws(TrialError) -> EgressAccess? {
        let network = TrialNetwork(of: request.task, job: request.jobSpec, agent: request.agent)
        guard !network.isOpen else { return nil }
        let seconds = bounds.untilDelivered + (builder.deadlineSeconds(of: request).map(Double.init) ?? Self.unlimitedSeconds)
        let expires = time.now().adding(seconds: seconds)
        let id = request.coordinate.runID(jobUID: request.job.uid).rawValue
        // Each try of a trial has its own name in its tokens, because the collector asks the proxy what it denied this try.
        let run = request.retry > 0 ? "\(id)-t\(request.retry)" : id
        var tokens: [TrialPhase: String] = [:]
        do {
            for phase in [TrialPhase.install, .execute, .verify] {
                guard let grant = try network[phase].flatMap(Self.grant) else { continue }
                tokens[phase] = try EgressToken(run: run, phase: phase.rawValue, grant: grant, expires: expires).signed(with: key)
            }
        } catch {
            throw TrialError(.taskInvalid, "the network of task \"\(request.task.name)\": \(error)")
        }
        switch place {
        case .relay(let port): return EgressAccess(proxy: "http://127.0.0.1:\(port)", tokens: tokens)
        case .cluster:
            guard let addresses else { throw TrialError(.internalError, "the addresses of the egress proxy and the cache service are not known") }
            return EgressAccess(proxy: addresses.proxy, tokens: tokens, canary: addresses.canary)
        }
    }

    /// nil for a phase that may reach nothing.
    static func grant(_ network: TaskNetwork) throws -> EgressGrant? {
        switch network.mode {
        case .public: .everyPublicHost
        case .none: nil
        case .allowlist: .only(try network.allowedHosts.map { try HostPattern($0) })
        }
    }
}
