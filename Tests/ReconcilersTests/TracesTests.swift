import Artifacts
import AssayTesting
import Base
import EvalModel
import Foundation
import HTTPTransport
import KubeClient
import Testing
import Tracing

@testable import Reconcilers

/// Jobs as traces, received by a server that decodes them with OpenTelemetry's own messages.
@Suite("Traces of jobs")
struct TracesTests {
    private func exporter(_ url: String, _ metrics: MetricsRegistry, _ change: (inout TraceSettings) -> Void = { _ in }) throws -> TraceExporter {
        var warnings: [String] = []
        var settings = try #require(
            TraceSettings.read(
                [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-collector",
                    "OTEL_SERVICE_NAME": "evaluations", "OTEL_BSP_SCHEDULE_DELAY": "20",
                ], version: "1", warnings: &warnings))
        change(&settings)
        let exporter = TraceExporter(settings: settings, transport: HTTPTransport(), metrics: metrics)
        exporter.start()
        return exporter
    }

    private func count(_ metrics: MetricsRegistry, _ result: String) -> Int {
        metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix("assay_trace_spans_total{result=\"\(result)\"}") }
            .flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    }

    @Test("one trace for each job: the job, its trials and tries, their phases, and the pushes; times are nested; no secret is in it")
    func traces() async throws {
        try await World.run(
            tasks: ["a", "b"],
            fate: { $0.index == 0 && $0.retry == 0 ? .evicted : $0.index == 0 ? .successWithPhases(1) : .failure(.agentExecutionFailed) }
        ) { world in
            let receiver = try await TraceReceiver(directory: "\(world.path)/receiver", authorization: "Bearer of-the-collector")
            let metrics = MetricsRegistry()
            let traces = try exporter(receiver.url, metrics)
            let running = try world.startOperator(traces: traces)
            _ = try await world.client.create(
                .secrets,
                ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "results"], "stringData": ["token": "a-token-that-nobody-may-see"]],
                namespace: "default")
            let artifacts: JSONValue = [
                "backend": "git",
                "git": ["remote": .string("file://\(world.remote)"), "branch": .string(World.branch), "secretRef": ["name": "results"]],
            ]
            try await world.createJob("first", with: ["artifacts": artifacts])
            try await world.createJob("second", with: ["artifacts": artifacts])
            let jobs = [try await world.waitForEnd("first"), try await world.waitForEnd("second")]
            await running.stop()
            await traces.stop(within: 60)
            let spans = try receiver.spans()
            #expect(try receiver.refusals() == [])
            #expect(count(metrics, "exported") == spans.count && count(metrics, "dropped") == 0)
            #expect(Set(spans.map(\.spanID)).count == spans.count)
            #expect(Set(spans.map(\.traceID)).count == 2)
            for job in jobs {
                let uid = try #require(job.metadata.uid)
                let root = try #require(spans.first { $0.attributes["assay.job.uid"]?.string == uid })
                #expect(root.parentID.isEmpty && root.name == "evaljob" && root.failure == nil)
                #expect(root.resource["service.name"] == "evaluations" && root.attributes["assay.job.name"]?.string == job.metadata.name)
                let own = spans.filter { $0.traceID == root.traceID }
                func below(_ span: TraceReceiver.Span) -> [TraceReceiver.Span] { own.filter { $0.parentID == span.spanID } }
                let names = below(root).map(\.name)
                #expect(names.filter { $0 == "trial" }.count == 2 && names.filter { $0 == "trial try" }.count == 1, "\(names)")
                #expect(names.contains("push"))
                let trials = below(root).filter { $0.name == "trial" }
                let passed = try #require(trials.first { $0.attributes["assay.trial.task"] == "a" })
                let failed = try #require(trials.first { $0.attributes["assay.trial.task"] == "b" })
                #expect(
                    passed.failure == nil && passed.attributes["assay.trial.reward"]?.double == 1 && passed.attributes["assay.trial.passed"] == true)
                #expect(failed.failure == "2 agent_execution_failed" && failed.attributes["assay.trial.passed"] == false)
                #expect(below(passed).sorted { $0.start < $1.start }.map(\.name) == ["setup", "install", "execute", "verify"])
                for span in own {
                    #expect(span.start <= span.end)
                    guard span.spanID != root.spanID, span.name != "push" else { continue }
                    let parent = try #require(own.first { $0.spanID == span.parentID }, "\(span.name) has no parent")
                    #expect(parent.start <= span.start && span.end <= parent.end, "\(span.name) in \(parent.name)")
                }
                // The job's own record is pushed after the job has ended.
                #expect(below(root).filter { $0.name == "push" }.allSatisfy { $0.start >= root.start })
            }
            let kept = try String(contentsOfFile: "\(world.path)/receiver/spans", encoding: .utf8)
            #expect(!kept.contains("nobody-may-see"))
            await receiver.stop()
        }
    }

    @Test("an operator that replaces another one writes the same ids, so that nothing is there twice")
    func replaced() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .successWithPhases(1) }) { world in
            let receiver = try await TraceReceiver(directory: "\(world.path)/receiver")
            let first = try exporter(receiver.url, MetricsRegistry())
            // The first one records the trial, cannot push it, and goes.
            try await world.refusePushes(true)
            let old = try world.startOperator(traces: first)
            try await world.createJob()
            let recorded = try await eventually { try receiver.spans().contains { $0.name == "trial" } }
            #expect(recorded)
            await old.stop()
            await first.stop(within: 60)
            try await world.refusePushes(false)
            // The second one does not have its disk.
            let second = try exporter(receiver.url, MetricsRegistry())
            let new = try world.startOperator(state: "another", traces: second)
            try await world.waitForEnd()
            await new.stop()
            await second.stop(within: 60)
            let spans = try receiver.spans()
            for name in ["trial", "setup", "verify"] {
                let found = spans.filter { $0.name == name }
                #expect(found.count == 2 && Set(found.map(\.spanID)).count == 1 && Set(found.map { "\($0.start) \($0.end)" }).count == 1, "\(name)")
            }
            #expect(spans.filter { $0.name == "evaljob" }.count == 1 && Set(spans.map(\.traceID)).count == 1)
            #expect(spans.contains { $0.name == "push" && $0.failure == "2 refused" })
            await receiver.stop()
        }
    }

    @Test("a receiver that is down, or never answers: the job does not wait for it, and every span counts as dropped", arguments: ["down", "hangs"])
    func broken(how: String) async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .successWithPhases(1) }) { world in
            let server = try ScriptedServer { _ in .stream([.hang]) }
            if how == "down" { server.stop() }
            let metrics = MetricsRegistry()
            // One request, with its first span, lasts for longer than the test.
            let traces = try exporter(server.url, metrics) {
                ($0.requestSeconds, $0.batchSeconds, $0.queueLimit, $0.batchLimit) = (3600, 3600, 4, 1)
            }
            let running = try world.startOperator(traces: traces)
            try await world.createJob()
            try await world.waitForEnd()
            try await world.expectRuns(2)
            await running.stop()
            // 2 trials with 4 phases each and the job are more than the queue holds.
            let early = count(metrics, "dropped")
            #expect(early > 0)
            await traces.stop(within: 0.1)
            #expect(count(metrics, "exported") == 0 && count(metrics, "dropped") >= 11, "\(metrics.prometheusText())")
            server.stop()
        }
    }

    @Test("a task with steps has a span for each, with its phases")
    func steps() throws {
        var phases = PhaseTimings()
        phases.execute = PhaseSpan(startedAt: Timestamp(seconds: 100), seconds: 5)
        var later = PhaseTimings()
        later.execute = PhaseSpan(startedAt: Timestamp(seconds: 110), seconds: 7)
        let record = RunRecord(
            runId: RunID(jobUID: "uid"), jobName: "job", jobUid: "uid", namespace: "default", agent: "agent", model: "model",
            trial: TrialCoordinate(index: 0, agent: "agent", agentIndex: 0, dataset: "tasks", task: "a", taskIndex: 0, attempt: 1),
            retries: 0, outcome: TrialOutcome(timings: PhaseTimings(summing: [phases, later])),
            steps: [.init(name: "one", timings: phases, exitCodes: [:]), .init(name: "two", timings: later, exitCodes: [:])],
            config: .init(instructionPath: "/tmp/instruction.md", environment: []), sourceRepo: "acme/tasks", sourceCommit: "0",
            evalFile: "tasks/a", startedAt: Timestamp(seconds: 90), timestamp: Timestamp(seconds: 116))
        let spans = JobTraces.trial(record)
        #expect(spans.map(\.name) == ["trial", "step", "execute", "step", "execute"])
        #expect(spans[0].start == Timestamp(seconds: 90) && spans[0].end == Timestamp(seconds: 117), "it holds what is below it")
        #expect(spans[2].parent == spans[1].id && spans[4].parent == spans[3].id && spans[3].parent == spans[0].id)
        #expect(Set(spans.map(\.id)).count == 5)
    }
}
