import AssayAPI
import Base
import EvalModel
import Git
import TrialRuntime

/// Builds the Pod from job, target, task, agent and trial. Pure: the same request gives the same pod.
public struct TrialPodBuilder: Sendable {
    /// Seconds that the kubelet waits after TERM. The runner passes the signal on, and the collector records how far the trial was.
    public static let gracePeriodSeconds = 5
    public let settings: TrialPodSettings

    public init(_ settings: TrialPodSettings) { self.settings = settings }

    /// The pod, to be sent with `POST`.
    ///
    /// - Throws: `task_invalid` for a task that cannot run as it is, `internal_error` for a job that cannot be expressed as a pod.
    public func pod(for request: TrialPodRequest) throws(TrialError) -> JSONValue {
        if let refusal = request.task.refusal(image: request.imageSource, canBuild: true) { throw refusal }
        guard let image = request.image else { throw TrialError(.internalError, "the image of task \"\(request.task.name)\" is not built") }
        try check(request)
        let program = TrialProgram(request)
        let shared = request.shared
        try shared.check(request)
        let secrets = PodEnvironment.secrets(of: request)
        var spec: JSONValue = [
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": JSONValue(Self.gracePeriodSeconds),
            "securityContext": ["seccompProfile": ["type": "RuntimeDefault"]],
            "volumes": .array(volumes(request, program, shared)),
            "initContainers": [try delivery(request, program, shared)],
            "containers": [trial(request, program, shared, image: image), collector(request, program, shared, secrets)],
        ]
        if let deadline = deadline(program) { spec["activeDeadlineSeconds"] = JSONValue(deadline) }
        var metadata = metadata(request)
        for template in [request.target.podTemplate, request.jobSpec.environment.podTemplate] {
            if let template { TemplateMerge.apply(template, metadata: &metadata, spec: &spec) }
        }
        if request.task.environment.gpus > 0 { GPUNodes.require(request.task.environment.gpuTypes ?? [], in: &spec) }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }

    private func check(_ request: TrialPodRequest) throws(TrialError) {
        for variable in request.agent.env where variable.name.hasPrefix(TrialVariables.reservedPrefix) {
            throw TrialError(
                .internalError,
                "agent \"\(request.agent.name)\" sets \(variable.name); names that begin with \(TrialVariables.reservedPrefix) "
                    + "are Assay's own")
        }
    }

    // MARK: Metadata

    private func metadata(_ request: TrialPodRequest) -> JSONValue {
        let (job, coordinate) = (request.job, request.coordinate)
        let labels = TrialPodNames.labels(job: job.name, jobUID: job.uid, coordinate: coordinate, retry: request.retry)
        return [
            "namespace": .string(job.namespace),
            "name": .string(
                TrialPodNames.name(
                    job: job.name, jobUID: job.uid, index: coordinate.index, rerun: coordinate.rerun, retry: request.retry)),
            "labels": .object(labels.mapValues { .string($0) }),
            "annotations": [
                "kubectl.kubernetes.io/default-container": .string(ContainerRole.trial.containerName),
                "assay.dev/run": .string(coordinate.runID(jobUID: job.uid).rawValue),
                "assay.dev/agent": .string(coordinate.agent),
                "assay.dev/dataset": .string(coordinate.dataset),
                "assay.dev/task": .string(coordinate.task),
                "assay.dev/attempt": .string(String(coordinate.attempt)),
            ],
            "finalizers": [.string(AssayNames.trialFinalizer)],
            "ownerReferences": [
                [
                    "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(EvalJob.resource.kind),
                    "name": .string(job.name), "uid": .string(job.uid), "controller": true, "blockOwnerDeletion": true,
                ]
            ],
        ]
    }

    /// Longer than the sum of all limits, so that it is reached only when another limit had no effect; nil when the agent has no limit.
    private func deadline(_ program: TrialProgram) -> Int? {
        var sum = 0.0
        for step in program.steps {
            guard let execute = step.limits.executeSec else { return nil }
            sum += (step.limits.installSec ?? 0) + execute + step.limits.verifySec + (step.limits.setupSec ?? 0) + (step.healthcheck?.longestSec ?? 0)
        }
        sum += program.environment.healthcheck?.longestSec ?? 0
        sum = sum.rounded(.up)
        guard sum.isFinite, sum < 1e9 else { return nil }
        return Int(sum) + settings.slackSeconds
    }

    // MARK: Volumes

    private func volumes(_ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData) -> [JSONValue] {
        let storage = program[.trial]?.resources.storageMB ?? 0
        var volumes = [TrialVolume.scripts, .staged, .gate, .work].map { volume($0, "emptyDir", [:]) }
        // The trial's writes have their own limit: exceeding it is the trial's outcome.
        volumes.append(volume(.tests, "emptyDir", ["sizeLimit": .string("\(storage)Mi")]))
        volumes.append(volume(.logs, "emptyDir", ["sizeLimit": .string("\(min(storage, 4096))Mi")]))
        for (name, map) in [(TrialVolume.agent, shared.agent), (.verifier, shared.verifier)] {
            if let map { volumes.append(volume(name, "configMap", ["name": .string(map.name)])) }
        }
        if program.delivery.solution { volumes.append(volume(.solution, "emptyDir", [:])) }
        if let secret = sourceSecret(request) {
            volumes.append(volume(.credentials, "secret", ["secretName": .string(secret.name)]))
        }
        if let path = settings.cacheHostPath {
            volumes.append(volume(.cache, "hostPath", ["path": .string(path), "type": "Directory"]))
        }
        return volumes
    }

    private func volume(_ volume: TrialVolume, _ kind: String, _ source: JSONValue) -> JSONValue {
        ["name": .string(volume.rawValue), kind: source]
    }

    /// The Secret that the task is fetched with; nil when the source's Secret is not for the task's own repository.
    private func sourceSecret(_ request: TrialPodRequest) -> LocalReference? {
        guard let own = request.taskRepo else { return request.jobSpec.source.secretRef }
        let policy: GitURL.Policy = [.local, .loopbackHTTP]
        guard let url = try? GitURL(parsing: own.repo, allowing: policy), url.sharesOrigin(with: request.source.repo, allowing: policy) else {
            return nil
        }
        return request.jobSpec.source.secretRef
    }

    private func mount(_ volume: TrialVolume, _ path: String, readOnly: Bool = false) -> JSONValue {
        var mount: JSONValue = ["name": .string(volume.rawValue), "mountPath": .string(path)]
        if readOnly { mount["readOnly"] = true }
        return mount
    }

    // MARK: Containers

    /// Root without any capability: root owns the files that a task's image writes, and reading them needs nothing more.
    private static let security: JSONValue = [
        "runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
    ]

    private func ours(_ role: ContainerRole, env: [JSONValue], mounts: [JSONValue]) -> JSONValue {
        var container: JSONValue = [
            "name": .string(role.containerName), "image": .string(settings.assayImage),
            "command": .array((role.command ?? []).map { .string($0) }),
            "env": .array(env), "volumeMounts": .array(mounts), "securityContext": Self.security,
            // A pod may use as much disk as its containers together (kubelet `podEphemeralStorageLimitEviction`). This limit makes room for
            // staged tests, the pack and its log, so that they do not use up the trial's limit.
            "resources": [
                "requests": ["cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"], "limits": ["memory": "1Gi", "ephemeral-storage": "2Gi"],
            ],
            "terminationMessagePath": .string(TrialPaths().terminationLog), "terminationMessagePolicy": "File",
        ]
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        return container
    }

    private func delivery(_ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData) throws(TrialError) -> JSONValue {
        let paths = TrialPaths()
        var mounts = [
            mount(.scripts, paths.scripts), mount(.staged, paths.staged), mount(.logs, paths.collectedLogs),
            mount(.gate, paths.gate),
        ]
        if shared.agent != nil { mounts.append(mount(.agent, paths.agentScripts, readOnly: true)) }
        if shared.verifier != nil { mounts.append(mount(.verifier, paths.verifierVariables, readOnly: true)) }
        if program.delivery.solution { mounts.append(mount(.solution, paths.deliveredSolution)) }
        if sourceSecret(request) != nil { mounts.append(mount(.credentials, paths.credentials, readOnly: true)) }
        if settings.cacheHostPath != nil { mounts.append(mount(.cache, paths.cache)) }
        let part = PodProgram(program, gateTimeoutSec: Double(settings.slackSeconds), packLimitBytes: settings.packLimitBytes)
        return ours(.delivery, env: try PodEnvironment(request: request, shared: shared).delivery(part), mounts: mounts)
    }

    private func trial(_ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData, image: String) -> JSONValue {
        let paths = TrialPaths()
        var mounts = [
            mount(.scripts, paths.scripts, readOnly: true), mount(.tests, paths.tests), mount(.logs, paths.logs),
            mount(.gate, paths.gate),
        ]
        if program.delivery.solution {
            // The runner lays out the solution of each step.
            let readOnly = program.steps.allSatisfy { $0.folder == nil }
            mounts.append(mount(.solution, paths.oracle, readOnly: readOnly))
            mounts.append(mount(.solution, paths.solution, readOnly: readOnly))
        }
        let resources = TrialResources(request)
        var container: JSONValue = [
            "name": .string(ContainerRole.trial.containerName), "image": .string(image),
            // -p: an image's BASH_ENV, and functions in an agent's environment, must affect only the agent's scripts, not the runner.
            "command": ["bash", "-p", .string(paths.runner)],
            "env": .array(PodEnvironment(request: request, shared: shared).trial()), "volumeMounts": .array(mounts),
            "resources": [
                "requests": .object(resources.requests.mapValues { .string($0) }), "limits": .object(resources.limits.mapValues { .string($0) }),
            ],
        ]
        if let map = shared.environment { container["envFrom"] = [["configMapRef": ["name": .string(map.name)]]] }
        if let workdir = program[.trial]?.workdir { container["workingDir"] = .string(workdir) }
        // The runner becomes the user of each phase.
        if program.environment.user != nil { container["securityContext"] = ["runAsUser": 0] }
        return container
    }

    private func collector(
        _ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData, _ secrets: [PodEnvironment.Secret]
    ) -> JSONValue {
        let paths = TrialPaths()
        var mounts = [
            mount(.staged, paths.staged, readOnly: true), mount(.tests, paths.releasedTests),
            mount(.logs, paths.collectedLogs, readOnly: true), mount(.gate, paths.gate), mount(.work, paths.work),
        ]
        if program.steps.count > 1 { mounts.append(mount(.scripts, paths.scripts)) }
        return ours(.collector, env: PodEnvironment(request: request, shared: shared).collector(secrets), mounts: mounts)
    }
}
