import Base
import Egress
import EvalModel
import KubeCore
import TrialPods
import TrialRuntime

/// How the operator restricts the networks of trials: it makes the tokens of their phases, and says where they reach the egress proxy.
public struct TrialNetworks: Sendable {
    /// Seconds for which the tokens of a trial without time limits are good.
    private static let unlimitedSeconds = 30.0 * 86_400

    private let relayPort: UInt16
    private let key: SigningKey
    private let time: any TimeSource

    /// - Parameters:
    ///   - relayPort: the pods of such trials have no interface but loopback, where a relay of the node accepts connections at this port.
    ///   - key: the proxy's.
    public init(relayPort: UInt16, key: SigningKey, time: any TimeSource = SystemTime()) {
        self.relayPort = relayPort
        self.key = key
        self.time = time
    }

    /// What a pod's phases need; nil for a trial whose network is not restricted.
    ///
    /// - Throws: `task_invalid` for hosts that no token can hold.
    func access(for request: TrialPodRequest, _ builder: TrialPodBuilder, bounds: PodFateBounds) throws(TrialError) -> EgressAccess? {
        let network = TrialNetwork(of: request.task, job: request.jobSpec, agent: request.agent)
        guard !network.isOpen else { return nil }
        let seconds = bounds.untilDelivered + (builder.deadlineSeconds(of: request).map(Double.init) ?? Self.unlimitedSeconds)
        let expires = time.now().adding(seconds: seconds)
        let id = request.coordinate.runID(jobUID: request.job.uid).rawValue
        // Each try of a trial is asked for its own denials.
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
        return EgressAccess(proxy: "http://127.0.0.1:\(relayPort)", tokens: tokens)
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
