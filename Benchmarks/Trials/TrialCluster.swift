import AssayTesting
import Base
import KubeClient
import Subprocess

/// What the trials of a benchmark run on: an API server and a simulated node, which ends pods at once.
protocol TrialCluster: Sendable {
    /// For the benchmark itself, which looks on.
    var direct: KubeClient { get }
    /// A file, for the operator and those that it is compared with.
    var kubeconfig: String { get }
    var namespace: String { get }
    /// Seconds of CPU so far of the processes that play it.
    var cpu: Double { get }
    /// What was answered so far; nil when that is not known.
    func requests() -> [TLSFront.Request]?
    /// Removes what the benchmark has left there.
    func remove() async throws
}

/// Starts this program again with other arguments.
/// - Returns: the process, and the words of the first line that it printed.
func startHelper(_ arguments: [String]) async throws -> (RunningCommand, [String]) {
    let said = Locked("")
    let failed = Locked("")
    let process = try RunningCommand.start(
        Command("/proc/self/exe", arguments),
        onStdout: { chunk in said.withLock { $0 += String(decoding: chunk, as: UTF8.self) } },
        onStderr: { chunk in failed.withLock { $0 += String(decoding: chunk, as: UTF8.self) } })
    guard await eventually(within: 60, { said.withLock { $0.hasSuffix("\n") } }) else {
        process.signal(9)
        throw BenchmarkError("\(arguments.first ?? "") does not start: \(failed.withLock { $0 })")
    }
    return (process, said.withLock { $0 }.split(whereSeparator: \.isWhitespace).map(String.init))
}
