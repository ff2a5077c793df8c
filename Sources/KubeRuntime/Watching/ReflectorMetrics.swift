import Base

/// The metrics of one reflector.
struct ReflectorMetrics: Sendable {
    private let lists: MetricsRegistry.Counter
    private let watches: MetricsRegistry.Counter
    private let failures: MetricsRegistry.Counter
    private let age: MetricsRegistry.Gauge

    init(registry: MetricsRegistry, resource: String) {
        let part = ["resource": resource]
        lists = registry.counter(.watchLists, part)
        watches = registry.counter(.watchStreams, part)
        failures = registry.counter(.watchFailures, part)
        age = registry.gauge(.watchAge, part)
    }

    func listed() { lists.add() }
    func watched() { watches.add() }
    func failed() { failures.add() }
    /// - Parameter seconds: nil while the resource is not followed.
    func followAge(_ seconds: @escaping @Sendable () -> Double?) { age.follow { seconds() } }
}
