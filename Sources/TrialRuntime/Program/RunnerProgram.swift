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

    init(_ program: PodProgram, paths: TrialPaths) {
        let steps = program.steps
        assignments = [
            ("gate_said", .word(paths.phaseFIFO)), ("gate_heard", .word(paths.releasedFIFO)),
            ("install_script", .word(paths.install)), ("execute_script", .word(paths.execute)),
            ("logs", .word(paths.logs)), ("tests", .word(paths.tests)),
            ("instruction_target", .word(program.instructionPath)),
            ("verify", .word(program.verifier.enabled ? "1" : "0")),
            ("end_agent_processes", .word(program.verifier.endAgentProcesses ? "1" : "0")),
            ("verifier_variables", .word(program.verifier.env.isEmpty ? "" : paths.releasedVariables)),
            ("steps", .list(steps.map(\.name))),
            ("instructions", .list(steps.map { paths.instruction($0) })),
            ("install_limits", .list(steps.map { $0.limits.installSec.map(Self.milliseconds) ?? "none" })),
            ("execute_limits", .list(steps.map { $0.limits.executeSec.map(Self.milliseconds) ?? "0" })),
            ("verify_limits", .list(steps.map { Self.milliseconds($0.limits.verifySec) })),
        ]
    }

    var text: String {
        "# What this trial's runner does; written by the init container. Limits are in milliseconds: 0 for no limit, none for no such phase.\n"
            + assignments.map { "\($0.name)=\($0.value.shell)\n" }.joined()
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
