import EvalModel

/// The script that is PID 1 of the trial container, `run.sh`: the files of the folder `Script`, joined. `make generate` writes it into `RunnerText`.
///
/// Delivery writes the script from its own executable, so the runner always has the same version as delivery and the collector.
public enum Runner {
    public static let text = RunnerText.run

    /// The program that runs another one as a user: `as-user.c` in this folder, for this processor. It is static and needs nothing of an image, so
    /// that a phase has its user in any image. A node runs this process and the trial's on the same processor.
    static var userHelper: [UInt8] {
        #if arch(arm64)
            let text = UserHelperText.aarch64
        #else
            let text = UserHelperText.x86_64
        #endif
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// The script of a solution.
    static let solutionScript = "solve.sh"

    /// The `execute` script of the oracle agent, which runs the task's own solution.
    static func oracleExecute(_ paths: TrialPaths, _ family: TaskSchema) -> String {
        let script = RunnerProgram.quoted("\(paths.oracle)/\(solutionScript)")
        // bash by its own path: the task's PATH may be any.
        return family.runsScriptsAsFiles ? "exec \(script)\n" : "exec \"$BASH\" \(script)\n"
    }
}
