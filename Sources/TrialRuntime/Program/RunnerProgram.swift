import EvalModel

/// The runner's part of a program: a shell file, because bash cannot read JSON. `run.sh` reads it once, before it runs anything of the task.
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

    init(_ program: PodProgram, paths: TrialPaths) {
        let steps = program.steps
        let environment = program.environment
        let checks = [environment.healthcheck] + steps.map(\.healthcheck)
        func list(_ values: [String?]) -> Value { .list(values.map { $0 ?? "" }) }
        func times(_ time: KeyPath<Healthcheck, Double>) -> Value { .list(checks.map { $0.map { Self.pause($0[keyPath: time]) } ?? "0" }) }
        assignments = [
            ("gate_said", .word(paths.phaseFIFO)), ("gate_heard", .word(paths.releasedFIFO)),
            ("install_script", .word(paths.install)), ("execute_script", .word(paths.execute)),
            ("logs", .word(paths.logs)), ("tests", .word(paths.tests)),
            ("instruction_target", .word(program.instructionPath)),
            ("tool_path", .word(Self.toolPath)),
            ("verify", .word(program.verifier.enabled ? "1" : "0")),
            ("verify_failed_agent", .word(program.family.verifiesFailedAgents ? "1" : "0")),
            ("test_as_file", .word(program.family.runsScriptsAsFiles ? "1" : "0")),
            ("end_agent_processes", .word(program.verifier.endAgentProcesses ? "1" : "0")),
            ("user_helper", .word(environment.user == nil ? "" : paths.userHelper)),
            ("image_user", .word(environment.user ?? "")),
            ("agent_users", list(steps.map(\.agentUser))), ("verifier_users", list(steps.map(\.verifierUser))),
            ("execute_variables", .word(environment.solutionEnv.isEmpty ? "" : paths.solutionVariables)),
            ("agent_variables", .list(Self.agentVariables(environment, paths))),
            ("verifier_variables", list(steps.map { ($0.verifierEnv ?? program.verifier.env).isEmpty ? nil : paths.releasedVariables })),
            ("workdirs", list(steps.map { $0.folder.map { paths.stepWorkdir($0) } })),
            ("setup_limits", .list(steps.map { $0.limits.setupSec.map(Self.milliseconds) ?? "0" })),
            ("solution", .word(paths.solution)), ("oracle", .word(paths.oracle)),
            ("solutions", list(steps.map { program.delivery.solution ? $0.folder.map { paths.stepSolution($0) } : nil })),
            ("check_commands", list(checks.map { $0?.command })),
            ("check_limits", .list(checks.map { $0.map { Self.milliseconds($0.timeoutSec) } ?? "0" })),
            ("check_intervals", times(\.intervalSec)), ("check_start_periods", times(\.startPeriodSec)),
            ("check_start_intervals", times(\.startIntervalSec)),
            ("check_retries", .list(checks.map { String($0?.retries ?? 0) })),
            ("steps", .list(steps.map(\.name))),
            ("instructions", .list(steps.map { paths.instruction($0) })),
            ("long_instructions", .list(steps.map { String($0.longInstructionBytes ?? 0) })),
            ("install_limits", .list(steps.map { $0.limits.installSec.map(Self.milliseconds) ?? "none" })),
            ("execute_limits", .list(steps.map { $0.limits.executeSec.map(Self.milliseconds) ?? "0" })),
            ("verify_limits", .list(steps.map { Self.milliseconds($0.limits.verifySec) })),
        ]
    }

    var text: String {
        "# What this trial's runner does; written by the init container. Limits are in milliseconds: 0 for no limit, none for no such phase.\n"
            + assignments.map { "\($0.name)=\($0.value.shell)\n" }.joined()
    }

    /// Where the agent's scripts find what the task has for them.
    private static func agentVariables(_ environment: TrialProgram.Environment, _ paths: TrialPaths) -> [String] {
        var variables: [String] = []
        if !environment.mcpServers.isEmpty { variables.append("\(TrialVariables.mcpConfiguration)=\(paths.mcpServers)") }
        if let folder = environment.skillsDir { variables.append("\(TrialVariables.skills)=\(folder)") }
        return variables
    }

    private static func pause(_ seconds: Double) -> String { String(Int((min(max(seconds, 0), 1e9) * 1000).rounded(.up))) }

    /// At least one millisecond, because 0 means no limit.
    private static func milliseconds(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "0" }
        return String(max(1, Int((seconds * 1000).rounded(.up))))
    }

    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
