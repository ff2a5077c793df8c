import Base
import Dispatch
import Glibc
import Subprocess
import TrialRuntime

/// A subcommand that a container of Assay's pods runs: it is told everything by its environment.
protocol InPodSubcommand: Subcommand {
    static func run(environment: [String: String]) async -> Int32
}

extension InPodSubcommand {
    static var hidden: Bool { true }

    static func run(_ arguments: Arguments) async throws -> Int32 { await run(environment: currentEnvironment()) }

    /// Cancels the task on SIGTERM, which the kubelet sends: the collector then still reports what it has, and a trial on a host is ended there.
    fileprivate static func stoppable(_ body: @escaping @Sendable () async -> Int32) async -> Int32 {
        let task = Task { await body() }
        let interrupts = Interrupts { _ in task.cancel() }
        defer { withExtendedLifetime(interrupts) {} }
        return await task.value
    }
}

/// The init container of a trial pod.
enum DeliverSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(name: "repo-cache", summary: "Deliver a task into a trial pod (the pod's init container runs this).")

    static func run(environment: [String: String]) async -> Int32 { await DeliveryCommand.run(environment: environment) }
}

/// The first container of a build pod.
enum BuildContextSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(name: "build-context", summary: "Write the context of an image's build (a build pod runs this).")

    static func run(environment: [String: String]) async -> Int32 { await BuildContextCommand.run(environment: environment) }
}

/// The last container of a build pod.
enum PushImageSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(name: "push-image", summary: "Store a built image in its registry (a build pod runs this).")

    static func run(environment: [String: String]) async -> Int32 { await PushImageCommand.run(environment: environment) }
}

/// The container of a pod that checks the cluster's network.
enum CheckNetworkSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(
        name: "check-network", summary: "Check that a cluster enforces the NetworkPolicies of trials (a check pod runs this).")

    static func run(environment: [String: String]) async -> Int32 { await NetworkCheckCommand.run(environment: environment) }
}

/// The trial container of a pod whose trial runs on the host of a vm target.
enum RemoteTrialSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(name: "remote-trial", summary: "Run a trial on the host of a vm target (the pod's trial container runs this).")

    static func run(environment: [String: String]) async -> Int32 { await stoppable { await RemoteTrial.run(environment: environment) } }
}

/// The container of a pod that reads a claim.
enum ReadClaimSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(
        name: "read-claim", summary: "Send the files of a PersistentVolumeClaim to the operator (a pod of the operator runs this).")

    static func run(environment: [String: String]) async -> Int32 {
        ClaimCommand.prepareProcess(environment: environment)
        return await ClaimCommand.run(environment: environment)
    }
}

/// The collector of a trial pod.
enum CollectSubcommand: InPodSubcommand {
    static let syntax = CommandSyntax(name: "collect", summary: "Collect a trial's outcome (the pod's collector runs this).")

    static func run(environment: [String: String]) async -> Int32 { await stoppable { await Collector.run(environment: environment) } }
}
