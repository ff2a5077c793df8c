import AssayAPI
import EvalModel
import TrialRuntime

extension TrialProgram.Verifier {
    /// How a trial is verified. A verifier that the job disables has no container.
    init(_ request: TrialPodRequest) {
        let (spec, task) = (request.jobSpec.verifier, request.task)
        let image = spec.disable ? nil : request.images.verifier
        self.init(
            enabled: !spec.disable, endAgentProcesses: spec.endAgentProcesses,
            env: image == nil ? task.verifier.env.keys.sorted() : request.separateVerifierVariables.keys.sorted(), collect: task.verifier.collect,
            artifacts: image == nil && task.artifacts.isEmpty ? [] : Self.artifacts(of: task), places: Self.places(of: task),
            separate: image.map { Separate(bringsTests: $0.bringsTests) })
    }
}

extension TrialProgram.Verifier {
    /// Where the artifacts of services lie.
    private static func places(of task: EvalTask) -> [ServicePlace] {
        let services = task.environment.services
        return task.artifacts.compactMap { artifact in
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

    /// The container of a separate verifier; nil in shared mode.
    static func verifier(_ request: TrialPodRequest) -> TrialProgram.Container? {
        guard request.isVerifiedSeparately else { return nil }
        let resources = TrialResources.verifier(request)
        return Self(
            role: .verifier, image: request.verifierImage, workdir: request.task.verifierEnvironment.workdir,
            env: request.separateVerifierVariables.keys.sorted(),
            resources: .init(
                cpus: resources.cpus, memoryMB: resources.memoryMB, memoryLimitMB: resources.memoryLimitMB, storageMB: resources.storageMB))
    }
}
