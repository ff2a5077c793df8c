import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import TrialPods

/// The networks of trials on a cluster. Keeps the policies of a job's namespace from before its first pod until after its last one, and finds out why they
/// would not restrict its trials.
final class JobNetworks: Sendable {
    /// Seconds after which the policies are looked at again while a job has work: somebody may have changed or deleted them.
    static let checkSeconds = 10.0
    private static let retrySeconds = 30.0

    private let network: ClusterNetwork
    private let policies: TrialNetworkPolicies
    private let checks: NetworkChecks
    private let time: any TimeSource
    /// What the policies were found to allow, and when, by job UID.
    private let held = Locked<[String: (addresses: ProxiedAddresses?, at: Double)]>([:])

    init(network: ClusterNetwork, policies: TrialNetworkPolicies, checks: NetworkChecks, time: any TimeSource) {
        self.network = network
        self.policies = policies
        self.checks = checks
        self.time = time
    }

    /// What is needed of a job to make its policies and to check them.
    struct Job: Sendable {
        var identity: JobIdentity
        /// The labels of one of its proxied pods; nil when all its trials have a public network.
        var proxiedLabels: [String: String]?
        /// The template of the pod that checks whether the policies are enforced.
        var template: PodTemplate?
    }

    /// Makes sure that the policies exist. The job may create pods after that.
    ///
    /// - Returns: what proxied pods are given; nil when there is no egress proxy or no cache service.
    /// - Throws: `ReconcileError` while the job's trials cannot be restricted; `KubeError`.
    func hold(_ job: Job) async throws -> ProxiedAddresses? {
        let uid = job.identity.uid
        let now = time.monotonic()
        if let known = held.withLock({ $0[uid] }), now - known.at < Self.checkSeconds { return known.addresses }
        do {
            let addresses = try await prepare(job)
            held.withLock { $0[uid] = (addresses, now) }
            return addresses
        } catch let error as ServiceAddressFailure {
            throw ReconcileError.waiting(.networkNotEnforced, error.description, on: .ready, retryAfterSeconds: Self.retrySeconds)
        } catch let error as APIServerUnknown {
            throw ReconcileError.waiting(.networkNotEnforced, error.description, on: .ready, retryAfterSeconds: Self.retrySeconds)
        } catch let error as KubeError where error.isForbidden || error.isNotFound {
            if error.isNamespaceTerminating { throw error }
            throw ReconcileError.waiting(
                .networkNotEnforced, "the NetworkPolicies of trials cannot be made: \(error)", on: .ready, retryAfterSeconds: Self.retrySeconds)
        }
    }

    private func prepare(_ job: Job) async throws -> ProxiedAddresses? {
        let (namespace, owner) = (job.identity.namespace, job.identity.claim)
        let peers = try await network.peers()
        let others = try await policies.hold(peers.policies, in: namespace, owner: owner)
        guard let labels = job.proxiedLabels else { return peers.proxied }
        if let name = OpeningPolicy.first(in: others, labels: labels) {
            throw ReconcileError.waiting(
                .networkNotEnforced,
                "the NetworkPolicy \"\(name)\" of namespace \(namespace) lets pods with a restricted network connect to more than they may; policies "
                    + "add up. Delete it, or change its podSelector so that it does not select pods with \(AssayNames.networkLabel)="
                    + PodNetwork.proxied.rawValue,
                on: .ready, retryAfterSeconds: Self.retrySeconds)
        }
        switch checks.state(NetworkChecks.Request(namespace: namespace, owner: owner, template: job.template)) {
        // A pod checks its own network as well, so trials go on while an old answer is checked again.
        case .answered(.works), .running(last: .works?): return peers.proxied
        case .answered(.fails(let why)), .running(last: .fails(let why)?):
            throw ReconcileError.waiting(
                .networkNotEnforced, "trials with a restricted network do not run here: \(why)", on: .ready, retryAfterSeconds: Self.retrySeconds)
        case .running:
            throw ReconcileError.waiting(
                .networkNotEnforced, "a pod checks whether the cluster enforces NetworkPolicies", on: .ready, retryAfterSeconds: Self.retrySeconds)
        }
    }

    /// Removes the job from the owners of the policies. They are deleted when no other job of the namespace owns them and no pod needs them.
    ///
    /// - Returns: false while pods need them.
    func release(_ job: JobIdentity) async throws(KubeError) -> Bool {
        held.withLock { _ = $0.removeValue(forKey: job.uid) }
        do { return try await policies.release(in: job.namespace, owner: job.uid) } catch let error as KubeError {
            throw error
        } catch {
            throw .malformed("\(error)")
        }
    }

    func forget(_ job: JobIdentity) {
        held.withLock { _ = $0.removeValue(forKey: job.uid) }
        checks.forget(EvalJob.resource.kind, ObjectKey(namespace: job.namespace, name: job.name))
    }

    func stop() async { await checks.stop() }
}

extension JobIdentity {
    /// An owner reference without `controller`, because an object with several owners has at most one controller.
    fileprivate var claim: OwnerReference {
        OwnerReference(apiVersion: EvalJob.resource.apiVersion, kind: EvalJob.resource.kind, name: name, uid: uid)
    }
}
