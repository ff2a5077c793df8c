import Base
import EvalModel

/// Checks the documents of one record against its path, its schema and its commit message.
struct RecordCheck: Sendable {
    /// The values in the trailers of the record's commit, which the listing shows.
    struct CommittedValues: Sendable, Hashable {
        var kind: RunEntry.Kind
        var reward: Double?
        var outcome: String?
    }

    var run: RunID
    var retry: Int?
    /// The record's folder, for use in findings.
    var folder: String
    var metadata: [UInt8]
    /// nil when there is no summary.
    var summary: [UInt8]?
    /// nil when no commit mentions the record, or the place has no commits.
    var committed: CommittedValues?

    private var metadataPath: String { "\(folder)/\(PendingRun.metadataFile)" }
    private var summaryPath: String { "\(folder)/\(PendingRun.summaryFile)" }

    func findings() -> [Finding] {
        guard let value = try? JSONValue(parsing: metadata), value.object != nil else {
            return [Finding(.schema, metadataPath, "it is no JSON object; restore the file from an earlier commit, or run the trial again")]
        }
        if let version = unknownVersion(value, metadataPath) { return [version] }
        guard let document = document(value) else {
            return [Finding(.schema, metadataPath, "its kind is none of run, retry and job: something else than Assay wrote it")]
        }
        var found = RecordSchema.of(document).problems(value).map {
            Finding(.schema, metadataPath, "\($0), against docs/schemas/\(document.rawValue).schema.json")
        }
        found += idFindings(value, document)
        found += summaryFindings(value, document)
        if document == .run { found += outcomeFindings(value) }
        if let committed { found += commitFindings(value, committed) }
        return found
    }

    private func document(_ value: JSONValue) -> RecordSchema.Document? {
        switch value["kind"]?.string {
        case "run", "retry": .run
        case "job": .job
        default: nil
        }
    }

    private func unknownVersion(_ value: JSONValue, _ path: String) -> Finding? {
        guard let version = value["schemaVersion"], version != JSONValue(RunRecord.currentSchema) else { return nil }
        return Finding(
            .version, path,
            "its schemaVersion is \(version.text), and this assay knows only \(RunRecord.currentSchema): check it with the version that wrote it, or a newer one"
        )
    }

    // MARK: Ids

    private func idFindings(_ value: JSONValue, _ document: RecordSchema.Document) -> [Finding] {
        var found: [Finding] = []
        let written = value["runId"]?.string ?? ""
        if written != run.rawValue {
            found.append(Finding(.id, metadataPath, "its runId is \(written), and its folder is that of \(run): it was moved, or changed by hand"))
        }
        let kind = value["kind"]?.string
        let expected = retry != nil ? "retry" : document == .job ? "job" : "run"
        if kind != expected { found.append(Finding(.id, metadataPath, "its kind is \(kind ?? "-"), and a record in this place is a \(expected)")) }
        guard let uid = value["jobUid"]?.string else { return found }
        let computed: RunID?
        if document == .job {
            computed = RunID(jobUID: uid)
        } else if let agent = value["agent"]?.string, let dataset = value["dataset"]?.string, let task = value["task"]?.string,
            let attempt = value["attempt"]?.int, let rerun = value["rerun"]?.int
        {
            computed = RunID(jobUID: uid, agent: agent, dataset: dataset, task: task, attempt: attempt, rerun: rerun)
        } else {
            // The schema check has already reported what is missing.
            computed = nil
        }
        if let computed, computed != run {
            found.append(
                Finding(
                    .id, metadataPath,
                    "its fields (jobUid\(document == .job ? "" : ", agent, dataset, task, attempt, rerun")) make the id \(computed), not \(run): a field was changed after it was written"
                ))
        }
        return found
    }

    // MARK: Agreement

    private func summaryFindings(_ value: JSONValue, _ document: RecordSchema.Document) -> [Finding] {
        guard document == .run else { return [] }
        guard let summary else { return [Finding(.incomplete, summaryPath, "it is missing beside metadata.json; restore it from an earlier commit")] }
        guard let short = try? JSONValue(parsing: summary), short.object != nil else {
            return [Finding(.schema, summaryPath, "it is no JSON object; restore the file from an earlier commit")]
        }
        if let version = unknownVersion(short, summaryPath) { return [version] }
        var found = RecordSchema.of(.summary).problems(short).map { Finding(.schema, summaryPath, "\($0), against docs/schemas/summary.schema.json") }
        for key in Self.shared where short[key] != value[key] {
            found.append(
                Finding(
                    .disagreement, summaryPath, "its \(key) is \(short[key]?.text ?? "absent"), that of metadata.json \(value[key]?.text ?? "absent")"
                ))
        }
        if short["error"] != value.at("error", "type") {
            found.append(Finding(.disagreement, summaryPath, "its error is not the type of the one in metadata.json"))
        }
        return found
    }

    private static let shared = [
        "kind", "runId", "jobName", "agent", "model", "dataset", "task", "attempt", "reward", "passed", "outcome", "cost", "sourceCommit",
        "timestamp",
    ]

    /// Checks that the class of the outcome and the pass are consistent with the error and the reward.
    private func outcomeFindings(_ value: JSONValue) -> [Finding] {
        guard let outcome = value["outcome"]?.string, let passed = value["passed"]?.bool else { return [] }
        var found: [Finding] = []
        let type = value.at("error", "type")?.string
        // An error type that this version does not know cannot be checked.
        if type.map({ TrialErrorType(rawValue: $0) != nil }) ?? true {
            let error = type.flatMap(TrialErrorType.init(rawValue:)).map { TrialError($0, "") }
            let expected = TrialOutcome(reward: value["reward"]?.double.map { Reward($0) }, error: error).outcomeClass.rawValue
            if outcome != expected {
                found.append(
                    Finding(
                        .disagreement, metadataPath,
                        "its outcome is \(outcome), and with \(type.map { "the error \($0)" } ?? "no error") it is \(expected)"))
            }
        }
        if passed != (outcome == TrialOutcome.Class.completed.rawValue && value["reward"]?.double == 1) {
            found.append(Finding(.disagreement, metadataPath, "passed is \(passed), which its outcome and reward do not say"))
        }
        return found
    }

    private func commitFindings(_ value: JSONValue, _ committed: CommittedValues) -> [Finding] {
        var found: [Finding] = []
        if committed.kind.rawValue != value["kind"]?.string {
            found.append(Finding(.disagreement, metadataPath, "its commit tells of a \(committed.kind.rawValue)"))
        }
        let reward = committed.kind == .job ? value.at("totals", "meanReward")?.double : value["reward"]?.double
        if committed.reward != reward {
            found.append(
                Finding(
                    .disagreement, metadataPath,
                    "its commit tells of the reward \(committed.reward.map { "\($0)" } ?? "-"), and the record of \(reward.map { "\($0)" } ?? "-"): one of them was changed"
                ))
        }
        if committed.kind != .job, let outcome = committed.outcome, outcome != value["outcome"]?.string {
            found.append(
                Finding(
                    .disagreement, metadataPath, "its commit tells of the outcome \(outcome), and the record of \(value["outcome"]?.string ?? "-")"))
        }
        return found
    }
}
