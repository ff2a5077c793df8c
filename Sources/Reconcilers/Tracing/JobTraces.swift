import Artifacts
import Base
import EvalModel
import Tracing

/// Jobs as traces: one trace for each job, its trials below it, and their phases below those. Pure: the spans follow from the records, so that an
/// operator that replaces another one writes the same spans.
enum JobTraces {
    /// A job, once its own record is kept.
    static func job(_ record: JobRecord) -> TraceSpan {
        var attributes: [String: TraceSpan.Value] = [
            "k8s.namespace.name": .string(record.namespace), "assay.job.name": .string(record.jobName), "assay.job.uid": .string(record.jobUid),
            "assay.job.trials": .int(record.totalTrials), "assay.job.cancelled": .bool(record.cancelled),
            "assay.source.repository": .string(record.sourceRepo), "assay.source.commit": .string(record.sourceCommit),
        ]
        if let rate = record.totals.passRate { attributes["assay.job.pass_rate"] = .double(rate) }
        // Kubernetes knows when a pod began to the second, and a trial does not begin before its job.
        let start = Timestamp(seconds: (record.startedAt ?? record.timestamp).seconds)
        return TraceSpan(
            trace: trace(record.jobUid), id: job(record.jobUid), parent: nil, name: "evaljob", start: start, end: record.timestamp,
            attributes: attributes, failure: record.cancelled ? nil : record.reason)
    }

    /// A trial, or a try of it that infrastructure ended, with its phases. A task with several steps has a span for each step, with the step's phases.
    static func trial(_ record: RunRecord) -> [TraceSpan] {
        let isRetry = record.kind == "retry"
        let id = isRetry ? SpanID(of: "try", record.runId.rawValue, "\(record.retries)") : SpanID(of: "trial", record.runId.rawValue)
        var attributes: [String: TraceSpan.Value] = [
            "assay.run.id": .string(record.runId.rawValue), "assay.trial.index": .int(record.index), "assay.trial.agent": .string(record.agent),
            "assay.trial.dataset": .string(record.dataset), "assay.trial.task": .string(record.task), "assay.trial.attempt": .int(record.attempt),
            "assay.trial.retries": .int(record.retries), "assay.trial.outcome": .string(record.outcome.rawValue),
            "assay.trial.passed": .bool(record.passed),
        ]
        if let reward = record.reward { attributes["assay.trial.reward"] = .double(reward) }
        if let model = record.model { attributes["gen_ai.request.model"] = .string(model) }
        // Phases are measured by the node's clock, and the rest is told by other ones: a span holds what is below it.
        let phases = record.timings.spans
        let start = ([record.startedAt].compactMap { $0 } + phases.map(\.span.startedAt)).min() ?? record.timestamp
        let end = ([record.timestamp] + (record.steps ?? []).compactMap(\.timings.endedAt) + phases.map(\.span.endedAt)).max() ?? record.timestamp
        let trial = TraceSpan(
            trace: trace(record.jobUid), id: id, parent: job(record.jobUid), name: isRetry ? "trial try" : "trial", start: start, end: end,
            attributes: attributes, failure: record.error?.type.rawValue)
        guard let steps = record.steps, !steps.isEmpty else { return [trial] + below(trial, record.timings, words: [id.hex]) }
        var spans = [trial]
        for (number, step) in steps.enumerated() {
            guard let start = step.timings.startedAt, let end = step.timings.endedAt else { continue }
            let span = TraceSpan(
                trace: trial.trace, id: SpanID(of: "step", id.hex, "\(number)"), parent: id, name: "step", start: start, end: end,
                attributes: ["assay.step.name": .string(step.name)])
            spans += [span] + below(span, step.timings, words: [id.hex, "\(number)"])
        }
        return spans
    }

    /// A push, once for each job with records in it.
    static func push(_ push: LedgerPush) -> [TraceSpan] {
        push.records.filter { !$0.key.isEmpty }.sorted { $0.key < $1.key }.map { uid, count in
            var attributes: [String: TraceSpan.Value] = [
                "assay.results.remote": .string(push.remote), "assay.results.branch": .string(push.branch), "assay.results.records": .int(count),
            ]
            if let head = push.head { attributes["assay.results.commit"] = .string(head.hex) }
            return TraceSpan(
                trace: trace(uid), id: SpanID(of: "push", uid, push.remote, push.head?.hex ?? push.startedAt.rfc3339Micro), parent: job(uid),
                name: "push",
                start: push.startedAt, end: push.endedAt, attributes: attributes, failure: push.failure?.rawValue)
        }
    }

    private static func trace(_ uid: String) -> TraceID { TraceID(of: uid) }
    private static func job(_ uid: String) -> SpanID { SpanID(of: "job", uid) }

    private static func below(_ parent: TraceSpan, _ timings: PhaseTimings, words: [String]) -> [TraceSpan] {
        timings.spans.map { phase, span in
            TraceSpan(
                trace: parent.trace, id: SpanID(of: "phase", words.joined(separator: "/"), phase.rawValue), parent: parent.id, name: phase.rawValue,
                start: span.startedAt, end: span.endedAt)
        }
    }
}
