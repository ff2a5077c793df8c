import Base
import EvalModel
import Glibc

/// Implements the container of a check pod: whether the cluster enforces the policy of pods with a restricted network. It makes the same check as the
/// delivery of such a pod.
public struct NetworkCheckCommand: Sendable {
    /// `HOST:PORT` of the cache service.
    public static let allowed = "ASSAY_NETWORK_ALLOWED"
    /// `HOST:PORT` of the canary.
    public static let canary = "ASSAY_NETWORK_CANARY"

    let check: IsolationCheck

    init(time: any TimeSource = SystemTime(), connects: @escaping IsolationCheck.Connects = IsolationCheck.accepts) {
        check = IsolationCheck(time: time, connects: connects)
    }

    /// - Returns: the exit status: 0 when the policy is enforced. Otherwise the termination message says what is wrong.
    public static func run(environment: [String: String]) async -> Int32 {
        let failure: String?
        if let allowed = environment[allowed], let canary = environment[canary] {
            failure = await NetworkCheckCommand().failure(allowed: allowed, canary: canary)
        } else {
            failure = "\(allowed) and \(canary) are not both set"
        }
        let path = environment[TrialVariables.terminationLog] ?? TrialPaths().terminationLog
        if let failure {
            Log("network").error(failure)
            let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard fd >= 0 else { return 1 }
            defer { close(fd) }
            try? FileWriting.write(Array(failure.utf8), to: fd, path: path)
        }
        return failure == nil ? 0 : 1
    }

    /// What is wrong with the pod's network; nil when its policy is enforced.
    func failure(allowed: String, canary: String) async -> String? {
        do {
            try await check.wait(canary: canary, allowed: allowed)
            return nil
        } catch {
            return (error as? TrialError)?.message ?? "\(error)"
        }
    }
}
