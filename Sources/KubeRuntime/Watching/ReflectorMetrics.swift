import Base

/// The metrics of one reflector.
struct ReflectorMetrics: Sendable {
    private let resource: String
    private let lists: MetricsRegistry.Counter
    private let watches: MetricsRegistry.Counter
    private let failures: MetricsRegistry.Counter
    private let age: MetricsRegistry.Gauge

    init(registry: MetricsRegistry, resource: String) {
        self.resource = resource
        lists = registry.counter("assay_watch_lists_total", help: "Pages of lists that were requested.")
        watches = registry.counter("assay_watch_streams_total", help: "Watch streams that were requested.")
        failures = registry.counter("assay_watch_failures_total", help: "Failures while following a resource.")
        age = registry.gauge("assay_watch_age_seconds", help: "Seconds since the last answer of the server about a resource.")
    }

    func listed() { lists.add(1, ["resource": resource]) }
    func watched() { watches.add(1, ["resource": resource]) }
    func failed() { failures.add(1, ["resource": resource]) }
    func followAge(_ seconds: @escaping @Sendable () -> Double?) { age.follow(["resource": resource], seconds) }
}
