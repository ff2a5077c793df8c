import AssayTesting
import Base
import KubeClient
import KubeCore

@testable import KubeRuntime

/// A reflector of the phases of pods on a server, running in its own task.
final class ReflectorRig: Sendable {
    let reflector: Reflector<String>
    let unreadable = Locked<[String]>([])
    private let task: Task<Void, Never>

    static func quickOptions(watchList: Bool = false) -> WatcherOptions {
        var options = WatcherOptions()
        options.usesWatchList = watchList
        options.backoff = Backoff(BackoffPolicy(initialSeconds: 0.01, capSeconds: 0.05, jitter: 1...1.5), resetAfterSeconds: 120)
        return options
    }

    init(
        url: String, options: WatcherOptions = quickOptions(), labelSelector: String? = nil,
        time: any TimeSource = SystemTime(), metrics: MetricsRegistry? = nil
    ) {
        struct NoPhase: Error {}
        let client = KubeClient(config: .direct(server: url), log: quiet)
        let unreadable = unreadable
        reflector = Reflector(
            client: client, type: .pods, labelSelector: labelSelector, options: options, time: time, metrics: metrics,
            log: quiet, onUnreadable: { key, _ in unreadable.withLock { $0.append(key.name) } }
        ) { pod in
            guard let phase = pod.at("status", "phase")?.string else { throw NoPhase() }
            return phase
        }
        task = Task { [reflector] in await reflector.run() }
    }

    deinit { task.cancel() }

    func stop() async {
        task.cancel()
        await task.value
    }

    var store: Store<String> { reflector.store }

    /// `name=phase` of all objects in the store.
    var view: [String] { store.entries().map { "\($0.key.name)=\($0.object)" } }

    func shows(_ expected: [String]) async -> Bool {
        await eventually { self.store.hasSynced && self.view == expected }
    }
}

let quiet = Log("test", destination: Log.Destination.none)
