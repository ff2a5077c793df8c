import AssayAPI
import EvalModel
import TrialRuntime

extension TrialProgram.Verifier {
    /// How a trial is verified. A verifier that the job disables has no container.
    init(_ request: TrialPodRequest) {
        let (spec, task) = (request.jobSpec.verifier, request.task)
        let images = spec.disable ? [] : request.images.verifiers
        self.init(
            enabled: !spec.disable, endAgentProcesses: spec.endAgentProcesses,
            env: images.isEmpty ? task.verifier.env.keys.sorted() : request.separateVerifierVariables(ofStep: 0).keys.sorted(),
            collect: task.verifier.collect, artifacts: images.isEmpty && task.allArtifacts.isEmpty ? [] : Self.artifacts(of: task),
            places: Self.places(of: task), separate: images.isEmpty ? nil : Separate(bringsTests: images.map(\.bringsTests)))
    }
}

extension TrialProgram.Verifier {
    /// Where the artifacts of services lie.
    private static func places(of task: EvalTask) -> [ServicePlace] {
        let services = task.environment.services
        return task.allArtifacts.compactMap { artifact in
            guard let service = artifact.service, let place = services.place(of: artifact.source, in: service) else { return nil }
            return ServicePlace(
                service: service, source: artifact.source, volume: ServicePod.volumeName(place.volume, in: services), names: place.names)
        }
    }
}

extension TrialProgram.Container {
    /// The container of a service.
    init(_ service: TaskService, _ request: TrialPodRequest) {
        let resources = service.resources
        self.init(
            role: .service(service.name), image: request.image(of: service), workdir: service.workdir,
            env: request.variables(of: service).keys.sorted(),
            resources: .init(
                cpus: resources.cpus, memoryMB: resources.memoryMB, memoryLimitMB: resources.memoryLimitMB, storageMB: ServiceResources.storageMB))
    }

    /// The containers of separate verifiers, in the order of their steps; empty in shared mode.
    static func verifiers(_ request: TrialPodRequest) -> [TrialProgram.Container] {
        TrialResources.verifiers(request).enumerated().map { step, resources in
            Self(
                role: .verifier(step), image: request.verifierImage(ofStep: step), workdir: request.task.verifierEnvironment(ofStep: step).workdir,
                env: request.separateVerifierVariables(ofStep: step).keys.sorted(),
                resources: .init(
                    cpus: resources.cpus, memoryMB: resources.memoryMB, memoryLimitMB: resources.memoryLimitMB, storageMB: resources.storageMB))
        }
    }
}
