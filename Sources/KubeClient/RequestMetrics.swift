import Base
import KubeCore

/// Measures the requests of clients, and tells who wants to know that the API server answers.
public struct RequestMetrics: Sendable {
    private let requests: MetricsRegistry.Counter
    private let seconds: MetricsRegistry.HistogramMetric
    private let onSuccess: @Sendable () -> Void

    /// - Parameter onSuccess: called when a request has succeeded; must not block.
    public init(_ registry: MetricsRegistry, onSuccess: @escaping @Sendable () -> Void = {}) {
        requests = registry.counter(.apiRequests)
        seconds = registry.histogram(.apiSeconds)
        self.onSuccess = onSuccess
    }

    /// - Parameters:
    ///   - code: nil when there was no answer.
    ///   - duration: seconds until the answer began, or the request failed.
    func ended(_ request: KubeRequest, code: Int?, after duration: Double) {
        let verb = request.verb
        requests.add(1, ["verb": verb, "code": code.map(String.init) ?? "none"])
        seconds.observe(duration, ["verb": verb])
        if let code, (200..<300).contains(code) { onSuccess() }
    }
}
