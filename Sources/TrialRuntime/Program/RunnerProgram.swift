import EvalModel
import SourceSync

/// A runner's part of a program: a shell file, because bash cannot read JSON. `run.sh` reads it once, before it runs anything of the task.
struct RunnerProgram {
    /// Names and values, in the order of the file. `run.sh` declares each name, and a test compares the two lists.
    let assignments: [(name: String, value: Value)]

    enum Value: Equatable {
        case word(String)
        case list([String])

        var shell: String {
            switch self {
            case .word(let word): RunnerProgram.quoted(word)
            case .list(let words): "(" + words.map(RunnerProgram.quoted).joined(separator: " ") + ")"
            }
        }
    }

    /// Where the runner looks for its own tools, before the image's PATH.
    private static let toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// - Parameter role: the container of the runner, `trial` or a `verifier`, which knows the step that it is for, and no other.
    init(_ program: PodProgram, role: ContainerRole = .trial, paths: TrialPaths) {
        var steps = program.steps
        if case .verifier(let step) = role { steps = [program.steps[step]] }
        let isVerifier = role.isVerifier
        let isShared = program.verifier.separate == nil
        // A verifier needs all artifacts, the trial those that it must copy.
        let artifacts = steps.enumerated().flatMap { index, step in
            program.verifier.handed(step).filter { isVerifier ? !isShared : $0.mustBeOffered }.map { (step: index, handed: $0) }
        }
        let hooks =
            isVerifier
            ? []
            : steps.enumerated().flatMap { index, step in (program.verifier.collect + (step.collect ?? [])).enumerated().map { (index, $0, $1) } }
        // A separate verifier's container does not mount the overlays.
        let overlays = isVerifier ? [] : program.delivery.overlays
        // What belongs to the agent's container, as far as this runner is of it.
        let environment = isVerifier ? TrialProgram.Environment() : program.environment
        let checks = [environment.healthcheck] + steps.map { isVerifier ? nil : $0.healthcheck }
        let verifierUsers = steps.map { isVerifier || isShared ? $0.verifierUser : nil }
        let becomesUsers = environment.user != nil || isVerifier && verifierUsers.contains { $0 != nil }
        func list(_ values: [String?]) -> Value { .list(values.map { $0 ?? "" }) }
        func times(_ time: KeyPath<Healthcheck, Double>) -> Value { .list(checks.map { $0.map { Self.pause($0[keyPath: time]) } ?? "0" }) }
        assignments = [
            ("role", .word(isVerifier ? "verifier" : "trial")), ("separate", .word(isShared ? "0" : "1")),
            ("gate_said", .word(isVerifier ? paths.verifierPhaseFIFO : paths.phaseFIFO)),
            ("gate_heard", .word(isVerifier ? paths.verifierReleasedFIFO : paths.releasedFIFO)),
            ("install_script", .word(paths.install)), ("execute_script", .word(paths.execute)),
            ("logs", .word(paths.logs)), ("tests", .word(paths.tests)),
            ("instruction_target", .word(program.instructionPath)),
            ("tool_path", .word(Self.toolPath)),
            ("verify", .word(program.verifier.enabled ? "1" : "0")),
            ("verify_failed_agent", .word(program.family.verifiesFailedAgents ? "1" : "0")),
            ("test_as_file", .word(program.family.runsScriptsAsFiles ? "1" : "0")),
            ("end_agent_processes", .word(program.verifier.endAgentProcesses ? "1" : "0")),
            ("user_helper", .word(becomesUsers ? paths.userHelper : "")),
            ("image_user", .word(environment.user ?? "")),
            ("agent_users", list(steps.map { isVerifier ? nil : $0.agentUser })), ("verifier_users", list(verifierUsers)),
            ("execute_variables", .word(environment.solutionEnv.isEmpty ? "" : paths.solutionVariables)),
            ("agent_variables", .list(Self.agentVariables(environment, paths))),
            ("install_proxy_file", .word(program.usesProxy(.install) && !isVerifier ? paths.phaseVariables(.install) : "")),
            ("execute_proxy_file", .word(program.usesProxy(.execute) && !isVerifier ? paths.phaseVariables(.execute) : "")),
            ("verifier_variables", list(steps.map { Self.verifierVariables($0, program, role, paths) })),
            ("workdirs", list(steps.map { isVerifier ? nil : $0.folder.map { paths.stepWorkdir($0) } })),
            ("setup_limits", .list(steps.map { $0.limits.setupSec.map(Self.milliseconds) ?? "0" })),
            ("solution", .word(paths.solution)), ("shared_solution", .word(paths.sharedSolution)),
            ("solutions", list(steps.map { program.delivery.solution ? $0.folder.map { paths.stepSolution($0) } : nil })),
            ("check_commands", list(checks.map { $0?.command })),
            ("check_limits", .list(checks.map { $0.map { Self.milliseconds($0.timeoutSec) } ?? "0" })),
            ("check_intervals", times(\.intervalSec)), ("check_start_periods", times(\.startPeriodSec)),
            ("check_start_intervals", times(\.startIntervalSec)),
            ("check_retries", .list(checks.map { String($0?.retries ?? 0) })),
            ("overlay_variables", .list(Self.overlayVariables(overlays, paths, taskSkills: environment.skillsDir))),
            ("skill_sources", .list(Self.paths(of: .skills, overlays, paths, taskSkills: environment.skillsDir))),
            ("steps", .list(steps.map(\.name))),
            ("instructions", .list(steps.map { paths.instruction($0) })),
            ("long_instructions", .list(steps.map { String($0.longInstructionBytes ?? 0) })),
            ("install_limits", .list(steps.map { $0.limits.installSec.map(Self.milliseconds) ?? "none" })),
            ("execute_limits", .list(steps.map { $0.limits.executeSec.map(Self.milliseconds) ?? "0" })),
            ("verify_limits", .list(steps.map { Self.milliseconds($0.limits.verifySec) })),
            ("hook_steps", .list(hooks.map { String($0.0) })), ("hook_numbers", .list(hooks.map { String($0.1 + 1) })),
            ("hooks", .list(hooks.map(\.2.command))), ("hook_users", list(hooks.map { $0.2.user ?? environment.user })),
            ("hook_limits", .list(hooks.map { Self.milliseconds($0.2.timeoutSec) })),
            ("offered", .word(paths.offered)), ("accepted", .word(paths.accepted)),
            ("artifact_steps", .list(artifacts.map { String($0.step) })), ("artifact_numbers", .list(artifacts.map(\.handed.folder))),
            ("artifact_sources", .list(artifacts.map(\.handed.artifact.source))),
            // One pattern a line.
            ("artifact_excludes", .list(artifacts.map { $0.handed.artifact.exclude.joined(separator: "\n") })),
        ]
    }

    var text: String {
        "# What this trial's runner does; written by the init container. Limits are in milliseconds: 0 for no limit, none for no such phase.\n"
            + assignments.map { "\($0.name)=\($0.value.shell)\n" }.joined()
    }

    /// The file with the verifier's environment, from which the runner of the tests reads it. A separate verifier's container has its
    /// environment as its own, and the file only the variables of the egress proxy.
    private static func verifierVariables(
        _ step: TrialProgram.Step, _ program: PodProgram, _ role: ContainerRole, _ paths: TrialPaths
    ) -> String? {
        if program.verifier.separate == nil {
            return (step.verifierEnv ?? program.verifier.env).isEmpty && !program.usesProxy(.verify) ? nil : paths.releasedVariables
        }
        return role.isVerifier && program.usesProxy(.verify) ? paths.phaseVariables(.verify) : nil
    }

    /// Where the agent's scripts find what the task has for them.
    private static func agentVariables(_ environment: TrialProgram.Environment, _ paths: TrialPaths) -> [String] {
        var variables: [String] = []
        if !environment.mcpServers.isEmpty { variables.append("\(TrialVariables.mcpConfiguration)=\(paths.mcpServers)") }
        if let folder = environment.skillsDir { variables.append("\(TrialVariables.skills)=\(folder)") }
        return variables
    }

    private static func pause(_ seconds: Double) -> String { String(Int((min(max(seconds, 0), 1e9) * 1000).rounded(.up))) }

    /// The paths of a surface in the order in which they apply.
    /// - Parameter taskSkills: the task's own folder of skills, which comes last.
    private static func paths(
        of surface: OverlaySurface, _ overlays: [TrialProgram.Delivery.Overlay], _ paths: TrialPaths, taskSkills: String?
    ) -> [String] {
        overlays.filter { $0.paths[surface] != nil }.map { paths.overlay($0.name, surface) }
            + (surface == .skills ? [taskSkills].compactMap { $0 } : [])
    }

    /// `NAME=path:path`. No path of an overlay has a colon: an OverlaySource's name has none.
    private static func overlayVariables(
        _ overlays: [TrialProgram.Delivery.Overlay], _ paths: TrialPaths, taskSkills: String?
    ) -> [String] {
        OverlaySurface.allCases.compactMap { surface in
            let found = Self.paths(of: surface, overlays, paths, taskSkills: taskSkills)
            return found.isEmpty ? nil : "\(TrialVariables.overlays(surface))=\(found.joined(separator: ":"))"
        }
    }

    /// At least one millisecond, because 0 means no limit.
    private static func milliseconds(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "0" }
        return String(max(1, Int((seconds * 1000).rounded(.up))))
    }

    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
