import AssayAPI
import EvalModel
import TrialRuntime

extension TrialProgram {
    /// The program of a trial. Pure: the same request gives the same program, both before the pod is created and when its outcome is
    /// recorded.
    public init(_ request: TrialPodRequest) {
        let (job, spec, task, coordinate) = (request.job, request.jobSpec, request.task, request.coordinate)
        let timeouts = request.timeouts
        let resources = TrialResources(request)
        let agentNames = request.agent.env.map(\.name)
        self.init(
            identity: Identity(
                runId: coordinate.runID(jobUID: job.uid), job: job.name, agent: coordinate.agent, dataset: coordinate.dataset,
                task: coordinate.task, attempt: coordinate.attempt, family: request.rewardRule.map { TaskSchema($0) } ?? task.schema),
            delivery: Delivery(
                source: request.source, taskPath: request.taskPath, taskRepo: request.taskRepo, solution: request.agent.agent.isOracle,
                overlays: request.overlays.map { Delivery.Overlay($0) }),
            steps: [
                Step(
                    name: "main", instruction: "instruction.md", tests: "tests",
                    limits: Limits(installSec: timeouts.installSec, executeSec: timeouts.agentSec, verifySec: timeouts.verifierSec))
            ],
            containers: [
                Container(
                    role: .trial, image: request.image, workdir: task.environment.workdir, env: request.taskVariables.keys.sorted() + agentNames,
                    resources: Resources(
                        cpus: resources.cpus, memoryMB: resources.memoryMB, memoryLimitMB: resources.memoryLimitMB, storageMB: resources.storageMB))
            ] + (Container.verifier(request).map { [$0] } ?? []),
            verifier: Verifier(request),
            agent: Agent(name: request.agent.name, model: request.agent.model, instructionPath: spec.instructionPath, env: agentNames))
    }
}
