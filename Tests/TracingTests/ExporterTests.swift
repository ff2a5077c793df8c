import AssayTesting
import Base
import HTTPTransport
import Testing

@testable import Tracing

@Suite("Exporting spans")
struct ExporterTests {
    private func spans(_ count: Int) -> [TraceSpan] {
        (0..<count).map { number in
            TraceSpan(
                trace: TraceID(of: "job"), id: SpanID(of: "\(number)"), parent: nil, name: "trial", start: Timestamp(seconds: 1),
                end: Timestamp(seconds: 2))
        }
    }

    private func exporter(_ url: String, _ metrics: MetricsRegistry, _ change: (inout TraceSettings) -> Void = { _ in }) -> TraceExporter {
        var settings = TraceSettings(url: "\(url)/v1/traces", resource: ["service.name": "assay"], version: "1")
        settings.delaySeconds = 0.01
        change(&settings)
        let exporter = TraceExporter(settings: settings, transport: HTTPTransport(), metrics: metrics)
        exporter.start()
        return exporter
    }

    private func count(_ metrics: MetricsRegistry, _ result: String) -> Int? {
        metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix("assay_trace_spans_total{result=\"\(result)\"}") }
            .flatMap { Int($0.split(separator: " ")[1]) }
    }

    private func received(_ server: ScriptedServer) throws -> [Int] {
        try server.requests.map { try JSONValue(parsing: $0.body).at("resourceSpans")?[0]?["scopeSpans"]?[0]?["spans"]?.array?.count ?? 0 }
    }

    @Test("ids follow from their words alone, and look as they must")
    func identifiers() {
        #expect(TraceID(of: "a") == TraceID(of: "a") && TraceID(of: "a") != TraceID(of: "b") && SpanID(of: "a", "b") != SpanID(of: "ab"))
        #expect(TraceID(of: "a").hex.utf8.count == 32 && SpanID(of: "a").hex.utf8.count == 16)
    }

    @Test("spans come in batches, in their order, and all of them before the end")
    func batches() async throws {
        let server = try ScriptedServer { _ in .json([:]) }
        let metrics = MetricsRegistry()
        let exporter = exporter(server.url, metrics) { $0.batchLimit = 4 }
        exporter.record(spans(10))
        await exporter.stop(within: 60)
        #expect(try received(server) == [4, 4, 2])
        #expect(count(metrics, "exported") == 10 && count(metrics, "dropped") == 0)
        exporter.record(spans(1))
        #expect(count(metrics, "dropped") == 1, "after the end nothing is taken")
    }

    @Test("a server that is busy gets the same bytes again; one that refuses does not")
    func repeats() async throws {
        let answers = Locked([503, 429, 200, 400])
        let server = try ScriptedServer { _ in
            .json([:], status: answers.withLock { $0.removeFirst() })
        }
        let metrics = MetricsRegistry()
        let exporter = exporter(server.url, metrics)
        exporter.record(spans(2))
        let exported = await eventually { self.count(metrics, "exported") == 2 }
        #expect(exported)
        #expect(Set(server.requests.map(\.body)).count == 1 && server.requests.count == 3)
        exporter.record(spans(3))
        await exporter.stop(within: 60)
        #expect(server.requests.count == 4 && count(metrics, "dropped") == 3)
    }

    @Test("what a server says that it rejected counts as dropped")
    func partialSuccess() async throws {
        let server = try ScriptedServer { _ in .json(["partialSuccess": ["rejectedSpans": "2", "errorMessage": "too old"]]) }
        let metrics = MetricsRegistry()
        let exporter = exporter(server.url, metrics)
        exporter.record(spans(5))
        await exporter.stop(within: 60)
        #expect(count(metrics, "exported") == 3 && count(metrics, "dropped") == 2)
    }

    @Test("a server that never answers: recording goes on, the queue stays bounded, the end comes in time, and each span is counted")
    func hangs() async throws {
        let server = try ScriptedServer { _ in .stream([.hang]) }
        let metrics = MetricsRegistry()
        let exporter = exporter(server.url, metrics) { ($0.queueLimit, $0.batchLimit) = (100, 10) }
        exporter.record(spans(10))
        #expect(await server.waitForRequests(1))
        // The first batch is under way for as long as the test takes; nothing of this waits for it.
        for _ in 0..<1000 { exporter.record(spans(10)) }
        #expect(count(metrics, "dropped") == 10_000 - 100)
        await exporter.stop(within: 0.1)
        #expect(count(metrics, "dropped") == 10_010 && count(metrics, "exported") == 0)
        server.stop()
    }

    @Test("a server that is down: a batch is given up after its time, and counted")
    func down() async throws {
        let port = try freePorts(1)[0]
        let metrics = MetricsRegistry()
        let exporter = exporter("http://127.0.0.1:\(port)", metrics) { $0.batchSeconds = 0.2 }
        exporter.record(spans(3))
        let dropped = await eventually { self.count(metrics, "dropped") == 3 }
        #expect(dropped)
        // It is back: what comes then is exported.
        let server = try ScriptedServer(port: port) { _ in .json([:]) }
        exporter.record(spans(2))
        await exporter.stop(within: 60)
        #expect(count(metrics, "exported") == 2 && count(metrics, "dropped") == 3)
        server.stop()
    }
}
