import AssayAPI
import EvalModel

/// What trials on the host of a vm target may not ask for yet. They run as processes of the host, beside others.
public enum HostRules {
    /// The image that stands for the programs of the machine on which trials run.
    public static let ownPrograms = "rootfs:/"

    /// Why the trials of an agent on a task cannot run on a host; nil when they can.
    public static func refusal(of task: EvalTask, images: TaskImages, agent: AgentSpec, job: EvalJobSpec) -> TrialError? {
        func refused(_ what: String) -> TrialError {
            TrialError(
                .taskInvalid, "task \"\(task.name)\" cannot run on a target of type vm, whose trials are processes of its host: \(what)")
        }
        if let image = images.trial, image.isBuilt || image.name != ownPrograms {
            return refused("it has an image; use another target, or environment.image: \"\(ownPrograms)\" for the programs of the host")
        }
        if !images.verifiers.isEmpty, !job.verifier.disable { return refused("its verifier has a container of its own") }
        if !task.environment.services.services.isEmpty { return refused("it has services") }
        if agent.image != nil, !agent.agent.isOracle { return refused("agent \"\(agent.name)\" is an image") }
        if task.defaultUser(image: nil, isVerifiedSeparately: false) != nil { return refused("it names users") }
        if task.environment.gpus > 0 { return refused("it asks for GPUs") }
        if !TrialNetwork(of: task, job: job, agent: agent).isOpen { return refused("its network is restricted, and the host's is not") }
        let overrides = job.environment
        if overrides.overrideCPUs != nil || overrides.overrideMemoryMB != nil || overrides.overrideStorageMB != nil {
            return refused("environment.overrideCPUs, overrideMemoryMB and overrideStorageMB are not enforced there; remove them")
        }
        return nil
    }
}

extension EvalTargetSpec {
    /// The image of tasks without one. On a host they run with its own programs.
    public var defaultImage: String? { image?.default ?? (type == .vm ? HostRules.ownPrograms : nil) }
}
