import Artifacts
import AssayAPI
import Base
import EvalModel
import Git
import KubeClient
import KubeCore
import Planning
import SourceSync
import TrialPods
import TrialRuntime

/// Turns the end of a pod into a record: reads the collector's log, checks the pack, and records what is known.
struct TrialCollection: Sendable {
    let client: KubeClient
    let log: Log

    /// The data that all records of a job have in common.
    typealias Context = PlannedJob

    /// The record of an ended pod.
    ///
    /// - Throws: errors that may pass (the API server does not answer). A log that is gone or cut off does not throw; the record says so.
    func pendingRun(
        of pod: TrialPod, end: PodFate.End, error: TrialError?, slot: PendingRun.Slot, trial: TrialCoordinate, context: Context
    ) async throws -> (run: PendingRun, trial: RecordedTrial, record: RunRecord) {
        var outcome = end.outcome
        outcome.error = error
        var pack: PendingRun.Pack?
        if let expected = end.report?.pack {
            switch try await readPack(expected, from: pod) {
            case .success(let found): pack = found
            case .failure(let truncated): outcome.error = outcome.error ?? truncated
            }
        }
        // The message comes from a node or a trial and is shown in many places, so control characters are replaced.
        if let error = outcome.error { outcome.error?.message = error.message.replacingControls }
        let program = context.request(trial, podImages: pod.snapshot.images).map(TrialProgram.init)
        let costs = costs(of: program, outcome: outcome, report: end.report, context: context)
        outcome.cost = costs?.total
        let record = record(of: trial, program, outcome: outcome, costs: costs, context: context, slot: slot, report: end.report, pod: pod)
        return (
            try PendingRun(
                run: record, slot: slot, pack: pack, buildLog: context.images.log(ofTask: trial.taskIndex),
                serviceLogs: await ServiceLogs(client: client).read(pod, context.spec)),
            RecordedTrial(index: trial.index, agentIndex: trial.agentIndex, outcome: outcome), record
        )
    }

    /// The record of a trial that never had a pod.
    func pendingRun(without error: TrialError, trial: TrialCoordinate, context: Context, now: Timestamp) throws -> (
        run: PendingRun, trial: RecordedTrial, record: RunRecord
    ) {
        let outcome = TrialOutcome(error: error)
        let program = context.request(trial).map(TrialProgram.init)
        let record = record(of: trial, program, outcome: outcome, context: context, slot: .final, report: nil, pod: nil, at: now)
        let log = context.images.log(ofTask: trial.taskIndex)
        return (
            try PendingRun(run: record, buildLog: log), RecordedTrial(index: trial.index, agentIndex: trial.agentIndex, outcome: outcome), record
        )
    }

    /// The agent's own report of its model costs, and the compute costs by the target's prices and the duration of the trial's phases.
    private func costs(of program: TrialProgram?, outcome: TrialOutcome, report: TrialReport?, context: Context) -> TrialCost? {
        var costs = TrialCost(model: report?.usage?.costUSD)
        if let prices = context.target.cost, let containers = program?.containers, !containers.isEmpty {
            costs.compute = TrialCost.compute(
                cpus: containers.reduce(0) { $0 + $1.resources.cpus }, memoryMB: containers.reduce(0) { $0 + $1.resources.memoryMB },
                seconds: outcome.timings.totalSeconds, cpuHour: prices.cpuHour, memoryGiBHour: prices.memoryGiBHour)
        }
        return costs.total == nil ? nil : costs
    }

    private func record(
        of trial: TrialCoordinate, _ program: TrialProgram?, outcome: TrialOutcome, costs: TrialCost? = nil, context: Context, slot: PendingRun.Slot,
        report: TrialReport?, pod: TrialPod?,
        at time: Timestamp? = nil
    ) -> RunRecord {
        let agent = context.agent(trial)
        let prepared = context.task(trial)
        let spec = context.spec
        let limits = program?.steps.first?.limits
        let container = program?[.trial]
        let source = prepared.taskRepo ?? context.prepared.source
        let kind = if case .retry = slot { "retry" } else { "run" }
        return RunRecord(
            kind: kind, family: program?.identity.family, runId: trial.runID(jobUID: context.job.uid), jobName: context.job.name,
            jobUid: context.job.uid, namespace: context.job.namespace, agent: agent.name, model: agent.model, trial: trial,
            retries: pod?.identity.retry ?? 0,
            outcome: outcome, costs: costs, exitCodes: report?.exitCodes ?? [:],
            steps: report?.steps?.map { .init(name: $0.name, timings: TrialReport.timings($0.phases), exitCodes: $0.exitCodes, rewards: $0.rewards) },
            config: .init(
                timeoutMultiplier: spec.timeoutMultiplier, agentTimeoutSec: limits?.executeSec, installTimeoutSec: limits?.installSec,
                verifierTimeoutSec: limits?.verifySec, instructionPath: spec.instructionPath, longInstructionBytes: report?.longInstructionBytes,
                image: container?.image, imageDigest: Self.digest(container?.image) ?? Self.digest(pod?.snapshot.imageIDs[.trial]),
                agentImage: Self.agentImage(agent, pod), cpus: container?.resources.cpus,
                memoryMB: container?.resources.memoryLimitMB, storageMB: container?.resources.storageMB, environment: agent.env.map(\.name),
                users: program?.users, taskEnvironment: context.asked(trial), verifier: verifier(program, pod),
                networkWidened: program?.network.isWidened == true ? true : nil),
            sourceRepo: source.repositoryName, sourceCommit: source.commit.hex, sourceRef: source.ref,
            sourceSnapshot: source.snapshot.map { .init(head: $0.head) }, overlays: Self.overlays(context.prepared),
            evalFile: prepared.reference.path,
            outputs: report.map {
                .init(
                    truncatedFiles: $0.truncatedFiles, skippedFiles: $0.skippedFiles, unreadableFiles: $0.unreadableFiles, redactions: $0.redactions,
                    redacted: $0.redacted, unredacted: $0.unredacted, transcript: $0.transcript, artifacts: $0.handover)
            }, services: pod.flatMap { Self.services($0.snapshot) }, warnings: prepared.warnings.isEmpty ? nil : prepared.warnings,
            startedAt: pod?.snapshot.startTime ?? pod?.snapshot.metadata.creationTimestamp,
            timestamp: time ?? pod?.endedAt ?? Timestamp(seconds: 0))
    }

    private static func services(_ pod: PodSnapshot) -> [RunRecord.Service]? {
        guard !pod.services.isEmpty else { return nil }
        let died = pod.servicesThatDied
        return pod.services.map { service in
            let end = service.last ?? service.state?.termination
            return RunRecord.Service(
                name: service.name, image: service.image, imageDigest: digest(service.image) ?? digest(pod.imageIDs[.service(service.name)]),
                restarts: service.restarts, exitCode: end?.exitCode, reason: end.flatMap { $0.reason.isEmpty ? nil : $0.reason },
                diedDuringTrial: died.contains(service.name))
        }
    }

    /// The agent's image, with the digest that its node knows it by.
    private static func agentImage(_ agent: AgentSpec, _ pod: TrialPod?) -> String? {
        guard let image = agent.image, !agent.agent.isOracle else { return nil }
        guard digest(image) == nil, let digest = Self.digest(pod?.snapshot.imageIDs[.agent]) else { return image }
        return "\(image)@\(digest)"
    }

    /// How the trial was verified; nil for a task that cannot be read, and when the job has it not verified.
    private func verifier(_ program: TrialProgram?, _ pod: TrialPod?) -> RunRecord.Verifier? {
        guard let program, program.verifier.enabled else { return nil }
        guard let container = program[.verifier(0)] else { return .init(mode: .shared) }
        let resources = container.resources
        return .init(
            mode: .separate, image: container.image,
            imageDigest: Self.digest(container.image) ?? Self.digest(pod?.snapshot.imageIDs[.verifier(0)]), memoryMB: resources.memoryLimitMB,
            storageMB: resources.storageMB)
    }

    private static func overlays(_ prepared: PreparedJob) -> [RunRecord.Overlay] {
        let set = OverlaySet(prepared.overlays.map(\.offers))
        return prepared.overlays.enumerated().map { position, overlay in
            let shadows = set.shadows(ofOverlayAt: position).map(\.description)
            return .init(
                name: overlay.name, repo: overlay.source.url.repositoryName, revision: overlay.source.commit.hex,
                shadows: shadows.isEmpty ? nil : shadows)
        }
    }

    /// The digest in a reference (`name@sha256:...`), or in what a node calls an image's id.
    static func digest(_ image: String?) -> String? {
        guard let last = image?.split(separator: "@").last, last.hasPrefix("sha256:"), last.utf8.count == 71 else { return nil }
        return String(last)
    }

    /// Reads the pack from the collector's log. The pod still exists then, because it has our finalizer.
    private func readPack(_ expected: TrialReport.Pack, from pod: TrialPod) async throws -> Result<PendingRun.Pack, TrialError> {
        var parser = PackFrameParser(expected: expected)
        do {
            let body = try await client.podLog(pod.key, container: ContainerRole.collector.containerName)
            for try await chunk in body { parser.feed(chunk) }
        } catch let error as KubeError {
            // The pod or its container is gone, and the log with it. Other errors (a kubelet that restarts, an overloaded proxy) may pass.
            // The verdict does not depend on the log.
            guard error.isNotFound || error.status?.code == 400 else { throw error }
            return .failure(TrialError(.artifactTruncated, "the collector's log cannot be read: \(error)"))
        }
        switch parser.finish() {
        case .missing(let error): return .failure(error)
        case .pack(let bytes):
            guard let tree = GitObjectID(expected.tree) else {
                return .failure(TrialError(.artifactTruncated, "the report names no tree: \"\(expected.tree)\""))
            }
            return .success(.init(bytes: bytes, tree: tree))
        }
    }
}
