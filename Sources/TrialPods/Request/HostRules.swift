import AssayAPI
import EvalModel

/// What the host of a vm target can do.
public struct HostAbility: Sendable, Hashable {
    /// Whether podman or docker works there; nil: it is not known, and a trial will find out.
    public var runsImages: Bool?

    public init(runsImages: Bool? = nil) { self.runsImages = runsImages }
}

/// What trials on the host of a vm target may not ask for yet. They run in a container or as processes of the host, beside others, with limits of
/// their own.
public enum HostRules {
    /// The image that stands for the programs of the machine on which trials run.
    public static let ownPrograms = "rootfs:/"

    /// Why the trials of an agent on a task cannot run on a host; nil when they can.
    public static func refusal(of task: EvalTask, images: TaskImages, agent: AgentSpec, job: EvalJobSpec, on host: HostAbility) -> TrialError? {
        func refused(_ what: String) -> TrialError {
            TrialError(.taskInvalid, "task \"\(task.name)\" cannot run on a target of type vm: \(what)")
        }
        if let image = images.trial, image.isBuilt {
            return refused(
                "its image is built from its Dockerfile, which nothing does on a host; use another target, an image of a registry, or "
                    + "environment.image: \"\(ownPrograms)\" for the programs of the host")
        }
        if let image = images.trial, image.name != ownPrograms, host.runsImages == false {
            return refused(
                "it has an image, and the host has neither podman nor docker; install one there, for example with: apt-get install podman; or use "
                    + "environment.image: \"\(ownPrograms)\" for the programs of the host")
        }
        if !images.verifiers.isEmpty, !job.verifier.disable { return refused("its verifier has a container of its own") }
        if !task.environment.services.services.isEmpty { return refused("it has services") }
        if agent.image != nil, !agent.agent.isOracle { return refused("agent \"\(agent.name)\" is an image") }
        if task.defaultUser(image: nil, isVerifiedSeparately: false) != nil { return refused("it names users") }
        if task.environment.gpus > 0 { return refused("it asks for GPUs") }
        if !TrialNetwork(of: task, job: job, agent: agent).isOpen { return refused("its network is restricted, and the host's is not") }
        return nil
    }
}

extension EvalTargetSpec {
    /// The image of tasks without one. On a host they run with its own programs.
    public var defaultImage: String? { image?.default ?? (type == .vm ? HostRules.ownPrograms : nil) }
}
