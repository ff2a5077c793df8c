import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// What a replica that waits for the Lease follows: the operator's resources, without their content.
///
/// Its caches are not used for the work: a leader lists everything anew once it holds the Lease. A cache that was filled before may lack the last
/// writes of the leader before, and a trial whose count it lacks would run again.
final class StandbyWatches: Sendable {
    private let reflectors: [Reflector<Void>]

    init(client: KubeClient, configuration: OperatorConfiguration, liveness: Liveness, time: any TimeSource = SystemTime()) {
        func follow(_ type: ResourceType, labelSelector: String? = nil) -> Reflector<Void> {
            Reflector(
                client: client, type: type, namespace: configuration.namespace, labelSelector: labelSelector, keeping: .metadata,
                options: configuration.watches, time: time, liveness: liveness
            ) { _ in }
        }
        reflectors = [
            follow(.evalJobs), follow(.evalTargets), follow(.overlaySources), follow(.pods, labelSelector: Operator.trialPodSelector),
        ]
    }

    /// Follows until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for reflector in reflectors { group.addTask { await reflector.run() } }
        }
    }

    var unready: [String] { reflectors.compactMap(\.unready) }
}
