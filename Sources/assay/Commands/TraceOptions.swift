import Base
import Tracing

/// The export of traces, as the variables of OpenTelemetry ask for it.
enum TraceOptions {
    /// Seconds for what waits at the end of the process.
    static let flushSeconds = 5.0

    /// nil when no traces are to be exported. Exporting has begun.
    /// - Parameter warn: gets sentences about variables that have no effect.
    static func exporter(
        _ environment: [String: String], metrics: MetricsRegistry, warn: (String) -> Void = { Log("traces").warning($0) }
    ) -> TraceExporter? {
        var warnings: [String] = []
        let settings = TraceSettings.read(environment, version: Assay.version, warnings: &warnings)
        let log = Log("traces")
        for warning in warnings { warn(warning) }
        guard let settings else { return nil }
        log.info("traces are exported", ["server": .string(settings.server)])
        let exporter = TraceExporter(settings: settings, metrics: metrics)
        exporter.start()
        return exporter
    }
}
