import AssayAPI
import Base
import Foundation
import KubeClient
import KubeRuntime
import Operations
import Reconcilers
import TrialPods

// An operator with its probes as a process of its own, for tests that let it hang and kill it:
//
//   operator-process SERVER DIRECTORY CACHE PORT BOUND
//
// It works as `assay operator` does without an election. SERVER is the URL of the API server, DIRECTORY is its state, CACHE its mirrors, and PORT that of
// its probes. Watches end after two or three seconds. A watch without an answer and a reconcile are stalled after BOUND seconds, and the API server is
// away after as many, instead of minutes.

let words = CommandLine.arguments
guard words.count == 6, let port = UInt16(words[4]), let bound = Double(words[5]) else {
    FileHandle.standardError.write(Data("usage: operator-process SERVER DIRECTORY CACHE PORT BOUND\n".utf8))
    exit(2)
}
signal(SIGPIPE, SIG_IGN)
let metrics = MetricsRegistry()
let liveness = Liveness(serverSeconds: bound)
var config = KubeConfig.direct(server: words[1])
config.rateLimit = nil
let client = KubeClient(config: config, metrics: RequestMetrics(metrics, onSuccess: { liveness.serverAnswered() }))
var configuration = OperatorConfiguration(
    setting: .cluster, stateDirectory: words[2], cacheDirectory: words[3], resultsDirectory: nil, pods: TrialPodSettings(assayImage: "assay:test"),
    defaultTarget: EvalTargetSpec(type: .cluster), pushInterval: 0.02, committer: try .init(name: "assay", email: "assay@localhost"),
    urlPolicy: .local)
configuration.watches.timeoutSeconds = 2...3
configuration.watches.staleSeconds = bound
configuration.reconcileBound = bound
let replica = OperatorReplica(
    client: client, configuration: configuration, instance: "process-\(getpid())", metrics: metrics, liveness: liveness)
let health = HealthServer(
    stalls: { liveness.stalled.map(\.description) }, unready: { replica.unready }, metrics: { metrics.prometheusText() })
_ = try health.start(port: port, everyAddress: false)
let work = Task { await replica.run(nil) }
let terminate = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
signal(SIGTERM, SIG_IGN)
terminate.setEventHandler { work.cancel() }
terminate.activate()
await work.value
withExtendedLifetime((health, terminate)) {}
