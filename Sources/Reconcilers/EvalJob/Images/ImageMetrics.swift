import Base
import Planning

/// The metrics of lookups and builds of task images.
struct ImageMetrics: Sendable {
    private let lookups: MetricsRegistry.Counter
    private let builds: MetricsRegistry.Counter
    private let seconds: MetricsRegistry.HistogramMetric
    private let time: any TimeSource

    init(_ registry: MetricsRegistry, time: any TimeSource) {
        lookups = registry.counter(.imageLookups)
        builds = registry.counter(.imageBuilds)
        seconds = registry.histogram(.imageBuildSeconds)
        self.time = time
    }

    func lookedUp(_ found: Result<BuiltImage?, ImageBuildFailure>) {
        let result =
            switch found {
            case .success(.some): "found"
            case .success(nil): "missing"
            case .failure: "failed"
            }
        lookups.add(1, ["result": result])
    }

    /// Measures a build. One that no job wants any more is not counted.
    func measured(_ build: () async -> Result<BuiltImage, ImageBuildFailure>) async -> Result<BuiltImage, ImageBuildFailure> {
        let begin = time.monotonic()
        let outcome = await build()
        guard !Task.isCancelled else { return outcome }
        let result =
            switch outcome {
            case .success: "built"
            case .failure(let failure): failure.error.type == .environmentBuildTimeout ? "timeout" : "failed"
            }
        builds.add(1, ["result": result])
        seconds.observe(time.monotonic() - begin)
        return outcome
    }
}
