import AssayAPI
import Base
import EvalModel
import SourceSync
import TrialRuntime

/// Builds the Pod from job, target, task, agent and trial. Pure: the same request gives the same pod.
public struct TrialPodBuilder: Sendable {
    /// Seconds that the kubelet waits after TERM. The runner passes the signal on, and the collector records how far the trial was.
    public static let gracePeriodSeconds = 5
    public let settings: TrialPodSettings

    public init(_ settings: TrialPodSettings) { self.settings = settings }

    /// The pod, to be sent with `POST`.
    ///
    /// - Parameters:
    ///   - cache: how delivery reads the task; nil: it fetches the task from its origin, with the source's Secret.
    ///   - egress: how the phases reach what they may reach; needed for a trial with a restricted network.
    /// - Throws: `task_invalid` for a task that cannot run as it is, `internal_error` for a job that cannot be expressed as a pod.
    public func pod(for request: TrialPodRequest, cache: CacheAccess? = nil, egress: EgressAccess? = nil) throws(TrialError) -> JSONValue {
        let images = request.images
        if let refusal = request.task.refusal(image: images.trial, verifiers: images.verifiers, canBuild: true) { throw refusal }
        guard let image = request.image else { throw TrialError(.internalError, "the image of task \"\(request.task.name)\" is not built") }
        try check(request)
        let program = TrialProgram(request)
        if !program.network.isOpen, cache == nil || egress == nil {
            throw TrialError(.internalError, "a trial with a restricted network needs the cache service and the egress proxy")
        }
        let verifiers = program.containers.filter(\.role.isVerifier)
        if verifiers.contains(where: { $0.image == nil }) {
            throw TrialError(.internalError, "the verifier's image of task \"\(request.task.name)\" is not built")
        }
        let shared = request.shared
        try shared.check(request)
        let secrets = PodEnvironment.secrets(of: request)
        let services = ServicePod(request)
        var spec: JSONValue = [
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": JSONValue(Self.gracePeriodSeconds),
            "securityContext": ["seccompProfile": ["type": "RuntimeDefault"]],
            "volumes": .array(volumes(request, program, shared, cache)),
            "initContainers": .array(
                [try delivery(request, program, shared, cache, program.network.isOpen ? nil : egress)] + [agent(request)].compactMap { $0 }
                    + (try services.containers())),
            "containers": .array(
                [trial(request, program, shared, image: image)] + verifiers.enumerated().map { verifier($1, ofStep: $0, request, program, shared) }
                    + [collector(request, program, shared, secrets)]),
        ]
        if !services.hostAliases.isEmpty { spec["hostAliases"] = .array(services.hostAliases) }
        if let deadline = deadline(program, services) { spec["activeDeadlineSeconds"] = JSONValue(deadline) }
        if !request.builtImages.isEmpty, let secret = request.target.image?.build?.pullSecretRef {
            spec["imagePullSecrets"] = [["name": .string(secret.name)]]
        }
        if !program.network.isOpen {
            // Lookups fail at once: the egress proxy resolves names.
            spec["dnsPolicy"] = "None"
            spec["dnsConfig"] = ["nameservers": ["127.0.0.1"]]
        }
        var metadata = metadata(request, program)
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

    /// What the pod's delivery reads from a cache service, for the token that it gets.
    ///
    /// - Throws: `source_sync_failed` for a task that is at no valid place.
    public func tree(of request: TrialPodRequest) throws(TrialError) -> TreeReference {
        do { return try TreeReference(part(of: TrialProgram(request), request.target)) } catch {
            throw error as? TrialError ?? TrialError(.sourceSyncFailed, "\(error)")
        }
    }

    /// Seconds from the pod's start after which Kubernetes ends it; nil: never.
    public func deadlineSeconds(of request: TrialPodRequest) -> Int? { deadline(TrialProgram(request), ServicePod(request)) }

    /// What the pod's delivery reads of overlays, by the Secret that they are fetched with.
    ///
    /// - Throws: `internal_error` for an overlay that is at no valid place.
    public func overlayTrees(of request: TrialPodRequest) throws(TrialError) -> [(secret: String?, trees: [TreeReference])] {
        var found: [(secret: String?, trees: [TreeReference])] = []
        for overlay in request.overlays {
            do { found.append((overlay.secret, try TrialProgram.Delivery.Overlay(overlay).trees())) } catch {
                throw error as? TrialError ?? TrialError(.internalError, "overlay \"\(overlay.name)\": \(error)")
            }
        }
        return found
    }

    private func part(of program: TrialProgram, _ target: EvalTargetSpec) -> PodProgram {
        var part = PodProgram(program, gateTimeoutSec: Double(settings.slackSeconds), packLimitBytes: settings.packLimitBytes)
        // Delivery and collector, and the agent's, are in no program.
        part.reportLimitBytes = TrialReport.maximumBytes(containers: program.containers.count + 3)
        if target.type == .vm { part.remote = true }
        return part
    }

    // MARK: Metadata

    private func metadata(_ request: TrialPodRequest, _ program: TrialProgram) -> JSONValue {
        let (job, coordinate) = (request.job, request.coordinate)
        var labels = TrialPodNames.labels(job: job.name, jobUID: job.uid, coordinate: coordinate, retry: request.retry)
        labels[AssayNames.networkLabel] = PodNetwork(program.network).rawValue
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
    private func deadline(_ program: TrialProgram, _ services: ServicePod) -> Int? {
        var sum = services.startSeconds
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

    private func volumes(_ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData, _ cache: CacheAccess?) -> [JSONValue] {
        let storage = program[.trial]?.resources.storageMB ?? 0
        var volumes = [TrialVolume.scripts, .staged, .gate, .work].map { volume($0, "emptyDir", [:]) }
        // The trial's writes have their own limit: exceeding it is the trial's outcome.
        volumes.append(volume(.tests, "emptyDir", ["sizeLimit": .string("\(storage)Mi")]))
        volumes.append(volume(.logs, "emptyDir", ["sizeLimit": .string("\(min(storage, 4096))Mi")]))
        if program.steps.offerArtifacts(to: program.verifier) { volumes.append(volume(.offered, "emptyDir", ["sizeLimit": .string("\(storage)Mi")])) }
        if program.steps.handArtifacts(to: program.verifier) { volumes.append(volume(.accepted, "emptyDir", [:])) }
        let verifiers = program.containers.filter(\.role.isVerifier)
        if !verifiers.isEmpty {
            volumes.append(volume(.verifierGate, "emptyDir", [:]))
            let size = verifiers.reduce(0) { $0 + min($1.resources.storageMB, 4096) }
            volumes.append(volume(.verifierLogs, "emptyDir", ["sizeLimit": .string("\(size)Mi")]))
        }
        for (name, map) in [(TrialVolume.agent, shared.agent), (.verifier, shared.verifier)] {
            if let map { volumes.append(volume(name, "configMap", ["name": .string(map.name)])) }
        }
        if program.delivery.solution { volumes.append(volume(.solution, "emptyDir", [:])) }
        if Self.agentImage(request) != nil { volumes.append(volume(.agentFiles, "emptyDir", ["sizeLimit": "20Gi"])) }
        if !program.delivery.overlays.isEmpty { volumes.append(volume(.overlays, "emptyDir", [:])) }
        if !program.delivery.files.isEmpty { volumes.append(volume(.environment, "emptyDir", [:])) }
        volumes += ServicePod(request).volumes
        volumes += RemotePod(request).volumes
        switch cache?.endpoint {
        case .service: break
        case .socket(let directory): volumes.append(volume(.cache, "hostPath", ["path": .string(directory), "type": "Directory"]))
        case nil:
            if let secret = request.sourceSecret {
                volumes.append(volume(.credentials, "secret", ["secretName": .string(secret.name)]))
            }
        }
        return volumes
    }

    private func volume(_ volume: TrialVolume, _ kind: String, _ source: JSONValue) -> JSONValue {
        ["name": .string(volume.rawValue), kind: source]
    }

    private func mount(_ volume: TrialVolume, _ path: String, readOnly: Bool = false, folder: String? = nil) -> JSONValue {
        var mount: JSONValue = ["name": .string(volume.rawValue), "mountPath": .string(path)]
        if let folder { mount["subPath"] = .string(folder) }
        if readOnly { mount["readOnly"] = true }
        return mount
    }

    // MARK: Containers

    /// Root without any capability: root owns the files that a task's image writes, and reading them needs nothing more.
    static let security: JSONValue = [
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

    private func delivery(
        _ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData, _ cache: CacheAccess?, _ egress: EgressAccess?
    ) throws(TrialError) -> JSONValue {
        let paths = TrialPaths()
        var mounts = [
            mount(.scripts, paths.scripts), mount(.staged, paths.staged), mount(.logs, paths.collectedLogs),
            mount(.gate, paths.gate),
        ]
        if shared.agent != nil { mounts.append(mount(.agent, paths.agentScripts, readOnly: true)) }
        if shared.verifier != nil { mounts.append(mount(.verifier, paths.verifierVariables, readOnly: true)) }
        if program.steps.offerArtifacts(to: program.verifier) { mounts.append(mount(.offered, paths.offered)) }
        if program.verifier.separate != nil {
            mounts += [
                mount(.verifierGate, paths.verifierGate), mount(.verifierLogs, paths.verifierLogs), mount(.accepted, paths.accepted),
                mount(.tests, paths.releasedTests),
            ]
        }
        if program.delivery.solution { mounts.append(mount(.solution, paths.deliveredSolution)) }
        if !program.delivery.overlays.isEmpty { mounts.append(mount(.overlays, paths.overlays)) }
        if !program.delivery.files.isEmpty { mounts.append(mount(.environment, paths.environment)) }
        switch cache?.endpoint {
        case .service: break
        case .socket: mounts.append(mount(.cache, paths.cache, readOnly: true))
        case nil: if request.sourceSecret != nil { mounts.append(mount(.credentials, paths.credentials, readOnly: true)) }
        }
        var egress = egress
        egress?.names = request.task.environment.services.names
        let env = try PodEnvironment(request: request, shared: shared).delivery(part(of: program, request.target), cache, egress)
        return ours(.delivery, env: env, mounts: mounts)
    }

    /// The image with the agent's files. The oracle runs the task's solution and has none.
    private static func agentImage(_ request: TrialPodRequest) -> String? { request.agent.agent.isOracle ? nil : request.agent.image }

    /// Copies the agent's files, as root with the runtime's usual capabilities: it keeps owners and modes.
    private func agent(_ request: TrialPodRequest) -> JSONValue? {
        Self.agentImage(request).map { image in
            [
                "name": .string(ContainerRole.agent.containerName), "image": .string(image),
                "command": .array((ContainerRole.agent.command ?? []).map { .string($0) }),
                "volumeMounts": [mount(.agentFiles, TrialPaths().agentFiles)],
                "securityContext": ["runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": false],
                "resources": [
                    "requests": ["cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"],
                    "limits": ["memory": "512Mi", "ephemeral-storage": "20Gi"],
                ],
                // cp says on its error output why it failed.
                "terminationMessagePolicy": "FallbackToLogsOnError",
            ]
        }
    }

    private func trial(_ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData, image: String) -> JSONValue {
        let paths = TrialPaths()
        var mounts = [
            mount(.scripts, paths.scripts, readOnly: true), mount(.logs, paths.logs), mount(.gate, paths.gate),
        ]
        // In separate mode no test is ever in the agent's reach.
        if program.verifier.separate == nil { mounts.append(mount(.tests, paths.tests)) }
        if program.steps.offerArtifacts(to: program.verifier) { mounts.append(mount(.offered, paths.offered)) }
        if program.delivery.solution {
            // The runner lays out the solution of each step.
            let readOnly = program.steps.allSatisfy { $0.folder == nil }
            mounts.append(mount(.solution, paths.oracle, readOnly: readOnly))
            mounts.append(mount(.solution, paths.solution, readOnly: readOnly))
        }
        if Self.agentImage(request) != nil { mounts.append(mount(.agentFiles, paths.agentImage, readOnly: true)) }
        if !program.delivery.overlays.isEmpty { mounts.append(mount(.overlays, paths.overlays, readOnly: true)) }
        if let host = request.target.host, request.target.type == .vm {
            let env = PodEnvironment(request: request, shared: shared)
            return RemotePod(request).trial(ours(.trial, env: env.remote(host, program[.trial]?.workdir), mounts: mounts), shared)
        }
        mounts += ServicePod(request).mainMounts
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

    /// The container of a step's separate verifier. It mounts nothing that the trial can write, and of each volume only the folder of its step.
    private func verifier(
        _ verifier: TrialProgram.Container, ofStep step: Int, _ request: TrialPodRequest, _ program: TrialProgram, _ shared: SharedData
    ) -> JSONValue {
        let paths = TrialPaths()
        let folder = TrialPaths.folder(ofStep: step)
        var mounts = [
            mount(.scripts, paths.scripts, readOnly: true), mount(.accepted, paths.accepted, readOnly: true, folder: folder),
            mount(.verifierGate, paths.verifierGate, folder: folder), mount(.verifierLogs, paths.verifierOutputs, folder: folder),
        ]
        if program.verifier.deliversTests(ofStep: step) { mounts.append(mount(.tests, paths.tests, folder: folder)) }
        let resources = TrialResources.verifiers(request)[step]
        var container: JSONValue = [
            "name": .string(verifier.role.containerName), "image": .string(verifier.image ?? ""),
            "command": ["bash", "-p", .string(paths.verifierRunner(ofStep: step))],
            "env": .array(PodEnvironment(request: request, shared: shared).verifier(ofStep: step)), "volumeMounts": .array(mounts),
            "resources": [
                "requests": .object(resources.requests.mapValues { .string($0) }), "limits": .object(resources.limits.mapValues { .string($0) }),
            ],
        ]
        if let map = shared.separate[step].map { container["envFrom"] = [["configMapRef": ["name": .string(map.name)]]] }
        if let workdir = verifier.workdir { container["workingDir"] = .string(workdir) }
        if program.steps[step].verifierUser != nil { container["securityContext"] = ["runAsUser": 0] }
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
        if program.steps.offerArtifacts(to: program.verifier) { mounts.append(mount(.offered, paths.offered, readOnly: true)) }
        if program.steps.handArtifacts(to: program.verifier) { mounts.append(mount(.accepted, paths.accepted)) }
        if program.verifier.separate != nil {
            mounts += [mount(.verifierGate, paths.verifierGate), mount(.verifierLogs, paths.verifierLogs, readOnly: true)]
        }
        for name in program.verifier.volumes {
            mounts.append(["name": .string(name), "mountPath": .string("\(paths.serviceVolumes)/\(name)"), "readOnly": true])
        }
        return ours(.collector, env: PodEnvironment(request: request, shared: shared).collector(secrets), mounts: mounts)
    }
}
