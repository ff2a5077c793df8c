import EvalModel

/// The script that is PID 1 of the trial container: `run.sh` in this folder. `make generate` writes it into `RunnerText`.
///
/// Delivery writes the script from its own executable, so the runner always has the same version as delivery and the collector.
public enum Runner {
    public static let text = RunnerText.run

    /// The `execute` script of the oracle agent, which runs the task's own solution.
    static func oracleExecute(_ paths: TrialPaths, _ family: TaskSchema) -> String {
        let script = RunnerProgram.quoted(paths.oracle + "/solve.sh")
        // bash by its own path: the task's PATH may be any.
        return family.runsScriptsAsFiles ? "exec \(script)\n" : "exec \"$BASH\" \(script)\n"
    }
}
