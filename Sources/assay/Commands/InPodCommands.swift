import Base
import Dispatch
import Glibc
import Subprocess
import TrialRuntime

/// The init container of a trial pod.
enum DeliverSubcommand: Subcommand {
    static let syntax = CommandSyntax(name: "repo-cache", summary: "Deliver a task into a trial pod (the pod's init container runs this).")
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        await DeliveryCommand.run(environment: currentEnvironment())
    }
}

/// The first container of a build pod.
enum BuildContextSubcommand: Subcommand {
    static let syntax = CommandSyntax(name: "build-context", summary: "Write the context of an image's build (a build pod runs this).")
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        await BuildContextCommand.run(environment: currentEnvironment())
    }
}

/// The last container of a build pod.
enum PushImageSubcommand: Subcommand {
    static let syntax = CommandSyntax(name: "push-image", summary: "Store a built image in its registry (a build pod runs this).")
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        await PushImageCommand.run(environment: currentEnvironment())
    }
}

/// The container of a pod that checks the cluster's network.
enum CheckNetworkSubcommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "check-network", summary: "Check that a cluster enforces the NetworkPolicies of trials (a check pod runs this).")
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        await NetworkCheckCommand.run(environment: currentEnvironment())
    }
}

/// The collector of a trial pod.
enum CollectSubcommand: Subcommand {
    static let syntax = CommandSyntax(name: "collect", summary: "Collect a trial's outcome (the pod's collector runs this).")
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let task = Task { await Collector.run(environment: currentEnvironment()) }
        // The kubelet sends SIGTERM: the collector then still reports what it has.
        let interrupts = Interrupts { _ in task.cancel() }
        defer { withExtendedLifetime(interrupts) {} }
        return await task.value
    }
}
