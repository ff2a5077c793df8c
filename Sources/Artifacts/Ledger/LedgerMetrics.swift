import Base

/// The metrics of all ledgers of a process.
public final class LedgerMetrics: Sendable {
    private let time: any TimeSource
    private let batch: MetricsRegistry.HistogramMetric
    private let lag: MetricsRegistry.HistogramMetric
    private let pushSeconds: MetricsRegistry.HistogramMetric
    private let pushes: MetricsRegistry.Counter
    private let records: MetricsRegistry.Counter
    /// For each ledger the names of the records that wait, with the monotonic second since when they do.
    private let waiting: Locked<[String: [String: Double]]>

    public init(_ registry: MetricsRegistry, time: any TimeSource = SystemTime()) {
        self.time = time
        batch = registry.histogram(.ledgerBatch)
        lag = registry.histogram(.ledgerLag)
        pushSeconds = registry.histogram(.ledgerPushSeconds)
        pushes = registry.counter(.ledgerPushes)
        records = registry.counter(.ledgerRecords)
        let waiting = Locked<[String: [String: Double]]>([:])
        self.waiting = waiting
        registry.gauge(.ledgerPending).follow { Double(waiting.withLock { $0.values.reduce(0) { $0 + $1.count } }) }
        registry.gauge(.ledgerOldestSeconds).follow {
            let oldest = waiting.withLock { $0.values.compactMap { $0.values.min() }.min() }
            return oldest.map { max(0, time.monotonic() - $0) } ?? 0
        }
    }

    /// A record waits for its push.
    func waits(_ name: String, in ledger: String) {
        let now = time.monotonic()
        waiting.withLock { waiting in waiting[ledger, default: [:]][name] = waiting[ledger]?[name] ?? now }
    }

    /// Records wait no more, and were not pushed.
    func dropped(_ names: some Sequence<String>, in ledger: String) { _ = take(names, ledger) }

    /// The remote has confirmed records.
    func confirmed(_ names: Set<String>, in ledger: String) {
        let now = time.monotonic()
        records.add(Double(names.count))
        for since in take(names, ledger) { lag.observe(max(0, now - since)) }
    }

    private func take(_ names: some Sequence<String>, _ ledger: String) -> [Double] {
        waiting.withLock { waiting in names.compactMap { waiting[ledger]?.removeValue(forKey: $0) } }
    }

    /// A ledger is closed; what waits there is pushed by the next one.
    func closed(_ ledger: String) { waiting.withLock { _ = $0.removeValue(forKey: ledger) } }

    /// A push ended.
    /// - Parameter error: nil after a success.
    func pushed(_ count: Int, seconds: Double, _ error: ArtifactError? = nil) {
        pushes.add(1, ["result": error.map { Self.result($0.kind) } ?? "pushed"])
        pushSeconds.observe(seconds)
        batch.observe(Double(count))
    }

    static func result(_ kind: ArtifactError.Kind) -> String {
        switch kind {
        case .branchIsDefault: "default_branch"
        case .unreachable: "unreachable"
        case .refused: "refused"
        case .tooLarge: "too_large"
        case .invalid: "invalid"
        case .storage: "storage"
        case .damaged, .notFound, .failed: "failed"
        }
    }
}
