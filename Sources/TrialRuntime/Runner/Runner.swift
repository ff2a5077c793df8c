/// The script that is PID 1 of the trial container: `run.sh` in this folder, which `make generate` writes into `RunnerText`.
///
/// Delivery writes it from its own executable, so the runner is always of the version that delivers and collects.
public enum Runner {
    public static let text = RunnerText.run

    /// The `execute` script of the oracle agent: the task's own solution.
    static func oracleExecute(_ paths: TrialPaths) -> String {
        """
        cd "${PWD:-/}"
        exec bash \(RunnerProgram.quoted(paths.oracle + "/solve.sh"))

        """
    }
}
