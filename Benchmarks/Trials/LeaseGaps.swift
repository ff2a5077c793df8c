import Base
import KubeClient
import KubeCore

/// Watches the operator's Lease: the longest time between two renewals.
final class LeaseGaps: Sendable {
    private struct State {
        var renewals = 0
        var last: Double?
        var longest = 0.0
    }

    private let state = Locked(State())
    private let watching = Locked<Task<Void, Never>?>(nil)

    init(client: KubeClient, namespace: String) {
        let task = Task { [state] in
            var seen = ""
            while !Task.isCancelled {
                let lease = try? await client.get(.leases, ObjectKey(namespace: namespace, name: "assay-operator"))
                if let version = lease?.at("metadata", "resourceVersion")?.string, version != seen {
                    seen = version
                    let now = SystemTime().monotonic()
                    state.withLock { state in
                        state.renewals += 1
                        if let last = state.last { state.longest = max(state.longest, now - last) }
                        state.last = now
                    }
                }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        watching.withLock { $0 = task }
    }

    deinit { watching.withLock { $0 }?.cancel() }

    var renewals: Int { state.withLock { $0.renewals } }
    /// With the time since the last one.
    var longest: Double { state.withLock { max($0.longest, SystemTime().monotonic() - ($0.last ?? 0)) } }

    func begin() { state.withLock { $0.longest = 0 } }
}
