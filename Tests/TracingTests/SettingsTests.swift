import Base
import Testing

@testable import Tracing

@Suite("The variables of OpenTelemetry")
struct SettingsTests {
    private func read(_ environment: [String: String]) -> (settings: TraceSettings?, warnings: [String]) {
        var warnings: [String] = []
        let settings = TraceSettings.read(environment, version: "1.2.3", warnings: &warnings)
        return (settings, warnings)
    }

    @Test(
        "where traces go",
        arguments: [
            ([:], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"], "http://collector:4318/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector/otlp/"], "https://collector/otlp/v1/traces"),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://other/spans"],
                "http://other/spans"
            ),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "TRUE"], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "1"], "http://collector:4318/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": ""], nil),
            (["OTEL_TRACES_EXPORTER": "otlp"], "http://localhost:4318/v1/traces"),
            (["OTEL_TRACES_EXPORTER": "console, otlp"], "http://localhost:4318/v1/traces"),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"],
                "http://collector:4318/v1/traces"
            ),
        ] as [([String: String], String?)])
    func endpoints(environment: [String: String], url: String?) {
        let found = read(environment)
        #expect(found.settings?.url == url)
        #expect(found.warnings == [])
    }

    @Test(
        "what cannot be done is told, and nothing is exported",
        arguments: [
            (["OTEL_TRACES_EXPORTER": "zipkin"], "OTEL_TRACES_EXPORTER is \"zipkin\""),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"], "collector:4318/v1/traces\" is no http:// or https:// address"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@collector"], "without user and password"),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"],
                "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\", and Assay exports http/json only"
            ),
            (
                [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
                    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
                ], "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is \"http/protobuf\""
            ),
        ])
    func refused(environment: [String: String], message: String) {
        let found = read(environment)
        #expect(found.settings == nil)
        #expect(found.warnings.count == 1 && found.warnings[0].hasPrefix("no traces are exported: ") && found.warnings[0].contains(message))
    }

    @Test("headers, resource, times and limits")
    func values() throws {
        let found = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20abc, x-tenant = all",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "X-Tenant=traces",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=nightly%2C1,service.name=other", "OTEL_SERVICE_NAME": "evaluations",
            "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_EXPORT_TIMEOUT": "9000", "OTEL_BSP_MAX_QUEUE_SIZE": "10",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20",
        ])
        let settings = try #require(found.settings)
        #expect(found.warnings == [])
        #expect(settings.headers["Authorization"] == "Basic abc" && settings.headers.all("x-tenant") == ["traces"])
        #expect(settings.resource == ["service.name": "evaluations", "service.version": "1.2.3", "deployment.environment": "nightly,1"])
        #expect(settings.requestSeconds == 2 && settings.batchSeconds == 9 && settings.delaySeconds == 0.1)
        #expect(settings.queueLimit == 10 && settings.batchLimit == 10, "a batch is not larger than the queue")
        #expect(settings.tls.authorities == .file("/ca.pem"))
    }

    @Test("a variable that has no effect is named, without its value when that may be a credential")
    func warnings() throws {
        let found = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/?key=secret", "OTEL_EXPORTER_OTLP_HEADERS": "bad name=secret%0D%0A,ok=1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "many", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_TRACES_SAMPLER": "traceidratio",
        ])
        let settings = try #require(found.settings)
        #expect(settings.queueLimit == 2048 && settings.requestSeconds == 10 && settings.headers["ok"] == "1")
        #expect(found.warnings.count == 5)
        for name in ["HEADERS", "QUEUE_SIZE", "TIMEOUT", "COMPRESSION", "SAMPLER"] {
            #expect(found.warnings.contains { $0.contains(name) && $0.contains("no effect") }, "\(name)")
        }
        #expect(!found.warnings.joined().contains("secret") && !settings.server.contains("secret"))
    }
}
