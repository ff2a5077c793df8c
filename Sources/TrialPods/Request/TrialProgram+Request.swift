import AssayAPI
import EvalModel
import TrialRuntime

extension TrialProgram {
    /// The program of a trial. Pure: the same request gives the same program, both before the pod is created and when its outcome is
    /// recorded.
    public init(_ request: TrialPodRequest) {
        let (job, spec, task, coordinate) = (request.job, request.jobSpec, request.task, request.coordinate)
        let resources = TrialResources(request)
        let agentNames = request.agent.env.map(\.name)
        self.init(
            identity: Identity(
                runId: coordinate.runID(jobUID: job.uid), job: job.name, agent: coordinate.agent, dataset: coordinate.dataset,
                task: coordinate.task, attempt: coordinate.attempt, family: request.rewardRule.map { TaskSchema($0) } ?? task.schema),
            delivery: Delivery(
                source: request.source, taskPath: request.taskPath, taskRepo: request.taskRepo, solution: request.agent.agent.isOracle,
                overlays: request.overlays.map { Delivery.Overlay($0) },
                fixtures: request.taskRepo == nil ? spec.source.fixtures?.lockPath : nil, files: task.environment.services.files),
            steps: Self.steps(request),
            containers: [
                Container(
                    role: .trial, image: request.image, workdir: task.environment.workdir, env: request.taskVariables.keys.sorted() + agentNames,
                    resources: Resources(
                        cpus: resources.cpus, memoryMB: resources.memoryMB, memoryLimitMB: resources.memoryLimitMB, storageMB: resources.storageMB))
            ] + Container.verifiers(request) + task.environment.services.services.map { Container($0, request) },
            verifier: Verifier(request),
            agent: Agent(name: request.agent.name, model: request.agent.model, instructionPath: spec.instructionPath, env: agentNames),
            network: TrialNetwork(of: task, job: spec, agent: request.agent),
            environment: Environment(
                user: request.defaultUser, healthcheck: task.environment.healthcheck, mcpServers: task.environment.mcpServers,
                skillsDir: task.environment.skillsDir, solutionEnv: request.solutionVariables.keys.sorted()),
            rewardStrategy: task.multiStepRewardStrategy ?? .mean)
    }

    /// Seconds for a step's `workdir/setup.sh`, before the job's multiplier. Harbor has no limit there.
    static let setupSeconds = 600.0

    private static func steps(_ request: TrialPodRequest) -> [Step] {
        let (spec, task) = (request.jobSpec, request.task)
        let timeouts = request.timeouts
        let user = request.defaultUser
        guard !task.steps.isEmpty else {
            return [
                Step(
                    name: "main", instruction: "instruction.md", tests: Step.sharedTests,
                    limits: Limits(installSec: timeouts.installSec, executeSec: timeouts.agentSec, verifySec: timeouts.verifierSec),
                    agentUser: task.agent.user ?? user,
                    verifierUser: task.verifier.user ?? (request.isVerifiedSeparately ? nil : user))
            ]
        }
        let variables = request.verifierVariables
        return task.steps.enumerated().map { index, step in
            let folder = "steps/\(step.name)"
            var own = task.timeouts
            if let seconds = step.agentTimeoutSec { own.agentSec = seconds }
            own.verifierSec = step.verifierTimeoutSec
            let limits = request.resolved(own)
            return Step(
                name: step.name, instruction: "\(folder)/instruction.md", tests: "\(folder)/\(Step.sharedTests)",
                limits: Limits(
                    installSec: index == 0 ? limits.installSec : nil, executeSec: limits.agentSec, verifySec: limits.verifierSec,
                    setupSec: Self.setupSeconds * spec.timeoutMultiplier),
                agentUser: step.agent.user ?? task.agent.user ?? user,
                verifierUser: step.verifier.user ?? task.verifier.user ?? (request.isVerifiedSeparately ? nil : user),
                folder: folder, healthcheck: step.healthcheck, minimumReward: step.minimumReward, verifierEnv: variables[index].keys.sorted(),
                collect: step.verifier.collect.isEmpty ? nil : step.verifier.collect, artifacts: step.artifacts.isEmpty ? nil : step.artifacts)
        }
    }
}
