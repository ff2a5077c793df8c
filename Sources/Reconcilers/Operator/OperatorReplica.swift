import Base
import KubeClient
import KubeRuntime

/// An operator as one replica among several: it stands by until it holds the Lease, works, and stands by again when it has lost the Lease. It also
/// knows what the probes of a kubelet ask for.
///
/// - Guarantee: `unready` is empty only while every resource that the operator follows is known and the API server answers about it, also on a
///   replica that stands by: one that could not work if it had to is not ready.
public final class OperatorReplica: Sendable {
    private let client: KubeClient
    private let configuration: OperatorConfiguration
    private let instance: String
    private let metrics: MetricsRegistry
    private let liveness: Liveness
    private let time: any TimeSource
    private let leads: MetricsRegistry.Gauge
    /// What `unready` asks.
    private let current = Locked<@Sendable () -> [String]>({ ["the operator is starting"] })

    /// - Parameters:
    ///   - liveness: notified of what hangs. The client tells it when the API server answers.
    public init(
        client: KubeClient, configuration: OperatorConfiguration, instance: String, metrics: MetricsRegistry, liveness: Liveness,
        time: any TimeSource = SystemTime()
    ) {
        self.client = client
        self.configuration = configuration
        self.instance = instance
        self.metrics = metrics
        self.liveness = liveness
        self.time = time
        leads = metrics.gauge(.leader)
        leads.set(0)
    }

    /// Why the replica cannot do its work now, one sentence for each reason; empty when it can.
    public var unready: [String] { current.withLock { $0 }() }

    /// Works until the task is cancelled.
    ///
    /// - Parameters:
    ///   - election: nil: it works at once and for ever.
    ///   - whileLeading: called when it begins to work, with the work, which it must await.
    public func run(
        _ election: LeaderElection?, whileLeading: @escaping @Sendable (_ work: @Sendable () async -> Void) async -> Void = { await $0() }
    ) async {
        guard let election else { return await whileLeading { await self.work() } }
        var ending = LeaderElection.Ending.lost
        // Losing the Lease ends the work but not the process: it competes for the Lease again.
        while ending == .lost {
            let standby = StandbyWatches(client: client, configuration: configuration, liveness: liveness, time: time)
            let following = Task { await standby.run() }
            current.withLock { $0 = { standby.unready } }
            ending = await election.run {
                following.cancel()
                await whileLeading { await self.work() }
            }
            following.cancel()
            await following.value
        }
    }

    private func work() async {
        let running = Operator(client: client, configuration: configuration, instance: instance, metrics: metrics, liveness: liveness, time: time)
        current.withLock { $0 = { running.unready } }
        leads.set(1)
        await running.run()
        leads.set(0)
    }
}
