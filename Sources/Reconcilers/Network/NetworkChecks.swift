import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods

/// Checks with a pod whether the cluster enforces the policy of proxied pods, once a day for each namespace: nodes and the network plugin may change. What
/// fails is checked again after a while.
final class NetworkChecks: Sendable {
    /// A check and the object for which it is made. That object owns the check's pod, and the policies during the check.
    struct Request: Sendable {
        var namespace: String
        var owner: OwnerReference
        var template: PodTemplate?
        /// Whether the owner has no other pods, so that the check removes it from the owners of the policies at its end.
        var ownsNothingElse = false

        fileprivate var user: User { User(kind: owner.kind, name: owner.name) }
    }

    fileprivate struct User: Sendable, Hashable {
        var kind: String
        var name: String
    }

    /// What is known of a namespace.
    private struct Known: Sendable {
        var answer: Preflight.Answer?
        /// When the answer is too old, by the monotonic clock.
        var end = 0.0
        /// For whom there were checks. Without any the namespace is forgotten.
        var users: Set<User> = []
    }

    private struct Outcome: Sendable {
        var answer: Preflight.Answer
        /// Seconds after which the check is made again: a failure soon, because a pod costs little; a success daily, because nodes and the network plugin may
        /// be replaced.
        var seconds: Double

        init(_ answer: Preflight.Answer) {
            self.answer = answer
            seconds = answer == .works ? NetworkChecks.keepSeconds : 300
        }

        /// The check could not be completed.
        init(brokenOff reason: String) {
            answer = .fails(reason)
            seconds = 5
        }
    }

    /// Seconds for which a success holds.
    static let keepSeconds = 86_400.0

    private static let pollSeconds = 1.0

    private let client: KubeClient
    private let settings: TrialPodSettings
    private let network: ClusterNetwork
    private let policies: TrialNetworkPolicies
    private let time: any TimeSource
    private let pool: TaskPool<String, Outcome>
    /// By namespace.
    private let known = Locked<[String: Known]>([:])

    /// - Parameter wake: called with a namespace whose check has ended.
    init(
        client: KubeClient, settings: TrialPodSettings, network: ClusterNetwork, policies: TrialNetworkPolicies, time: any TimeSource,
        wake: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        self.settings = settings
        self.network = network
        self.policies = policies
        self.time = time
        pool = TaskPool(
            width: 4, deadlineSeconds: 1800, time: time, late: { _ in Outcome(.fails("the check did not end within half an hour")) },
            onFinish: { wake($0) })
    }

    /// The state of the check in a namespace, which is started if need be.
    func state(_ request: Request) -> Preflight.State {
        let namespace = request.namespace
        let outcome = pool.take(namespace)
        let now = time.monotonic()
        let last = known.withLock { known -> Known in
            var entry = known[namespace] ?? Known()
            entry.users.insert(request.user)
            if let outcome { (entry.answer, entry.end) = (outcome.answer, now + outcome.seconds) }
            known[namespace] = entry
            return entry
        }
        if let answer = last.answer, now < last.end { return .answered(answer) }
        pool.start(namespace, group: namespace) { await self.check(request) }
        return .running(last: last.answer)
    }

    /// Nothing more is asked for an object that is gone. With the last one of its namespace the answer is forgotten.
    func forget(_ kind: String, _ object: ObjectKey) {
        let isLast = known.withLock { known in
            guard var entry = known[object.namespace] else { return false }
            entry.users.remove(User(kind: kind, name: object.name))
            known[object.namespace] = entry.users.isEmpty ? nil : entry
            return entry.users.isEmpty
        }
        if isLast { pool.cancel(object.namespace) }
    }

    func stop() async { await pool.stop() }

    private func remove(_ key: ObjectKey) async {
        // A new task, because requests of a cancelled task fail and this one may be cancelled.
        await Task { await self.delete(key) }.value
    }

    private func delete(_ key: ObjectKey) async {
        do { try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0), keeping: .metadata) } catch {
            if !error.isNotFound { Log("network").warning("a check pod is left", ["pod": .string("\(key)"), "error": .string("\(error)")]) }
        }
    }

    /// Waits until the pod is gone, at most as long as a kubelet takes for that. What is left then is deleted with the owner.
    private func release(_ request: Request) async {
        for _ in 0..<30 {
            if (try? await policies.release(in: request.namespace, owner: request.owner.uid)) != false { return }
            do { try await time.sleep(seconds: Self.pollSeconds) } catch { return }
        }
    }

    private func check(_ request: Request) async -> Outcome {
        let key = ObjectKey(namespace: request.namespace, name: "assay-network-\(SHA256.hex(of: request.owner.uid.utf8).prefix(16))")
        let outcome: Outcome
        do { outcome = Outcome(try await answer(request, key)) } catch {
            outcome = Outcome(brokenOff: "whether the cluster enforces NetworkPolicies cannot be checked: \(error)")
        }
        await remove(key)
        if request.ownsNothingElse { await release(request) }
        return outcome
    }

    private func answer(_ request: Request, _ key: ObjectKey) async throws -> Preflight.Answer {
        let peers = try await network.peers()
        guard let addresses = peers.proxied else { return .fails("this operator has no cache service or no egress proxy") }
        _ = try await policies.hold(peers.policies, in: request.namespace, owner: request.owner)
        let pod = try NetworkCheckPod(settings).pod(
            name: key.name, namespace: key.namespace, owner: request.owner, template: request.template,
            allowed: String(addresses.cache.dropFirst("http://".count)), canary: addresses.canary)
        let outcome = try await client.createOnce(.pods, pod, namespace: key.namespace) { ObjectMeta(of: $0).labels?[NetworkCheckPod.label] != nil }
        if case .taken = outcome { return .fails("a pod of somebody else has the name \(key)") }
        let end = time.monotonic() + Double(NetworkCheckPod.deadlineSeconds) + 30
        while time.monotonic() < end {
            let found = try await client.get(.pods, key)
            switch found.at("status", "phase")?.string {
            case "Succeeded": return .works
            case "Failed":
                let message = found.at("status", "containerStatuses")?.array?.first?.at("state", "terminated", "message")?.string
                return .fails((message ?? found.at("status", "message")?.string ?? "the check pod failed without a message").trimmed)
            default: try await time.sleep(seconds: Self.pollSeconds)
            }
        }
        return .fails("the check pod \(key) did not end within \(NetworkCheckPod.deadlineSeconds) s")
    }
}
