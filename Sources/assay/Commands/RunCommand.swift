import Artifacts
import AssayAPI
import Base
import Glibc
import KubeClient
import KubeCore
import Reconcilers
import TrialPods

/// `assay run`: runs an EvalJob on this machine.
enum RunCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "run", summary: "Run an EvalJob on this machine, with podman and no cluster.",
        details: """
            FILE holds an EvalJob and what it needs (EvalTarget, OverlaySource, Secret, ConfigMap). State is kept in .assay/ of the working
            directory: running the same file again goes on where it stopped, and runs nothing that has a result.

            Exit status: 0 all trials completed; 1 some failed, or the pass rate is below --min-pass-rate; 2 bad input; 3 only
            infrastructure failed; 130 interrupted.
            """,
        positionals: [.init(name: "FILE", help: "An EvalJob in YAML.")],
        options: [
            .init(name: "min-pass-rate", value: "RATE", help: "Exit with 1 when the pass rate is below it (0 to 1)."),
            .init(name: "target", value: "NAME", help: "The EvalTarget of FILE to run on (spec.targetRef)."),
            .init(name: "push-interval", value: "SECONDS", help: "Between two pushes to the artifact branch (default: 10)."),
            OperatorCommand.imagePullTimeout,
            .init(name: "podman", value: "PATH", help: "The podman program (default: podman)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        try LogOptions.apply(arguments, standard: .error)
        signal(SIGPIPE, SIG_IGN)
        let minimum = try arguments.number("min-pass-rate", in: 0...1)
        let directory = Path.workingDirectory
        var documents = try JobDocuments(file: arguments.positionals[0])
        try await documents.resolvePaths(relativeTo: directory)
        if let target = arguments.value("target") { documents.job.set(["spec", "targetRef", "name"], to: .string(target)) }

        let state = StateDirectory(workingDirectory: directory)
        try state.create()
        let lock = try state.acquireLock()
        defer { withExtendedLifetime(lock) {} }

        let session = LaptopSession(
            documents: documents, state: state, podman: arguments.value("podman") ?? "podman",
            pushInterval: try arguments.number("push-interval", in: 0...3600) ?? 10, bounds: try OperatorCommand.bounds(arguments))
        return try await session.run(minimumPassRate: minimum)
    }
}
