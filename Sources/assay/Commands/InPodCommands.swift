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
