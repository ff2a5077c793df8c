import AssayAPI
import Egress
import EvalModel
import TrialRuntime

/// Whether the operator can restrict the networks of trials.
public enum NetworkAbility: Sendable, Hashable {
    case enforced
    /// What is missing, as the end of a sentence.
    case missing(String)

    /// nil when nothing is missing.
    public var missing: String? {
        guard case .missing(let what) = self else { return nil }
        return what
    }
}

/// What a trial with a restricted network may not ask for.
public enum TrialNetworkRules {
    /// Why the trials of an agent on a task cannot run; nil when they can.
    public static func refusal(of task: EvalTask, agent: AgentSpec, job: EvalJobSpec, ability: NetworkAbility) -> TrialError? {
        let network = TrialNetwork(of: task, job: job, agent: agent)
        guard !network.isOpen else { return nil }
        func refused(_ why: String) -> TrialError { TrialError(.taskInvalid, "task \"\(task.name)\" cannot run with a restricted network: \(why)") }
        if case .missing(let what) = ability { return refused(what) }
        for host in [network.install, network.execute, network.verify].flatMap(\.allowedHosts) {
            do throws(HostPatternError) { _ = try HostPattern(host) } catch { return refused(error.description) }
        }
        // A task may list them: it means itself. Whoever lists them for an agent means this machine.
        for host in agent.allowedHosts + (job.environment.network.allowedHosts ?? []) where isTrialItself(host) {
            return refused("\"\(host)\" is the trial's own container, which it reaches without being allowed to; list another address of the machine")
        }
        let given = Set(job.environment.env.map(\.name))
        let variables: [(place: String, names: [String])] =
            [
                ("agent \"\(agent.name)\"", agent.env.map(\.name)), ("environment.env", Array(task.environment.env.keys)),
                ("environment of main in \(TaskServices.file)", task.environment.passedEnv.filter(given.contains)),
                ("verifier.env", Array(task.verifier.env.keys)),
                ("verifier.environment.env", Array((task.verifier.environment?.env ?? [:]).keys)),
                ("solution.env", agent.agent.isOracle ? Array(task.solutionEnv.keys) : []),
            ]
            + task.steps.flatMap { step in
                [
                    ("verifier.env of step \"\(step.name)\"", Array(step.verifier.env.keys)),
                    ("verifier.environment.env of step \"\(step.name)\"", Array((step.verifier.environment?.env ?? [:]).keys)),
                ]
            }
        for (place, names) in variables {
            guard let name = names.sorted().first(where: ProxyVariables.isReserved) else { continue }
            return refused("\(place) sets \(name), which Assay sets itself to the address of its egress proxy; remove it")
        }
        return nil
    }

    private static func isTrialItself(_ host: String) -> Bool {
        guard let kind = try? HostPattern(host).kind else { return false }
        return ProxyVariables.directHosts.contains { (try? HostPattern($0).kind) == kind }
    }
}

extension TrialNetwork {
    /// What the trials of an agent on a task may connect to.
    public init(of task: EvalTask, job: EvalJobSpec, agent: AgentSpec) {
        let own = job.environment.network
        self.init(
            of: task, mode: own.mode.map(TaskNetwork.Mode.init), hosts: own.allowedHosts ?? [], agentHosts: agent.allowedHosts)
    }
}

extension TaskNetwork.Mode {
    init(_ mode: NetworkSpec.Mode) {
        self =
            switch mode {
            case .public: .public
            case .noNetwork: .none
            case .allowlist: .allowlist
            }
    }
}
