import AssayTesting
import Base
import Foundation
import Testing

extension EndToEnd {
    /// `assay run` with the variables of OpenTelemetry.
    @Suite struct TraceTests {
        @Test("assay run: the job, its trials and their real phases are one trace; an agent's secret is not in it")
        func aRun() async throws {
            try await Workbench.with("traces") { bench in
                try bench.task("one")
                try bench.task("two")
                try await bench.commitBenchmark()
                let receiver = try await TraceReceiver(directory: "\(bench.directory)/receiver", authorization: "Bearer of-the-collector")
                try bench.write("job.yaml", JobFiles.job("traced", datasets: "[{path: tasks}]"))
                try await bench.assay(
                    ["run", "job.yaml"], expecting: 0,
                    environment: [
                        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-collector",
                        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=laptop",
                    ])
                let spans = try receiver.spans()
                #expect(try receiver.refusals() == [])
                let roots = spans.filter(\.parentID.isEmpty)
                let root = try #require(roots.first)
                #expect(roots.count == 1 && root.name == "evaljob" && root.attributes["assay.job.name"] == "traced")
                #expect(root.resource["service.name"] == "assay" && root.resource["deployment.environment.name"] == "laptop")
                #expect(spans.allSatisfy { $0.traceID == root.traceID })
                let trials = spans.filter { $0.name == "trial" }
                #expect(Set(trials.map { $0.attributes["assay.trial.task"]?.string }) == ["one", "two"])
                for trial in trials {
                    #expect(trial.parentID == root.spanID && root.start <= trial.start && trial.end <= root.end, "\(root) \(trial)")
                    let phases = spans.filter { $0.parentID == trial.spanID }
                    #expect(phases.map(\.name).contains("execute") && phases.map(\.name).contains("verify"), "\(phases.map(\.name))")
                    for phase in phases { #expect(trial.start <= phase.start && phase.end <= trial.end, "\(trial) \(phase)") }
                }
                #expect(spans.contains { $0.name == "push" && $0.parentID == root.spanID && $0.failure == nil })
                #expect(!(try bench.read("receiver/spans").contains("of-the-collector")))
                await receiver.stop()
            }
        }

        @Test("assay run with a collector that is down ends as without one, and says what was dropped")
        func down() async throws {
            try await Workbench.with("traces-down") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("traced", datasets: "[{path: tasks}]"))
                let port = try freePorts(1)[0]
                let run = try await bench.assay(
                    ["run", "job.yaml"], expecting: 0, environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)"])
                #expect(run.stdoutText.contains("1 completed, 0 failed"))
                #expect(run.stderrText.contains("spans"), "\(run.stderrText)")
            }
        }
    }
}
