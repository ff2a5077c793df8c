import Artifacts
import AssayAPI
import Base
import EvalFormats
import Glibc
import KubeClient
import KubeCore
import Planning
import Reconcilers
import Rollout
import Subprocess
import TrialPods

/// `assay run`: runs a job on this machine.
enum RunCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "run", summary: "Run a job on this machine, with podman and no cluster.",
        details: """
            FILE holds an EvalJob and what it needs (EvalTarget, OverlaySource, Secret, ConfigMap), or is a job file of Rollout. State is kept
            in .assay/ of the working directory: running the same file again goes on where it stopped, and runs nothing that has a result.

            Exit status: 0 all trials completed; 1 some failed, or the pass rate is below --min-pass-rate; 2 bad input; 3 only
            infrastructure failed; 4 all is well, but results are not on the remote that was asked for; 130 interrupted.
            """,
        positionals: [.init(name: "FILE", help: "An EvalJob in YAML, or a job file of Rollout; - reads standard input.")],
        options: [
            .init(name: "min-pass-rate", value: "RATE", help: "Exit with 1 when the pass rate is below it (0 to 1)."),
            .init(name: "target", value: "NAME", help: "The EvalTarget of FILE to run on (spec.targetRef)."),
            .init(
                name: "task-env", value: "NAME", help: "Give tasks that ask for ${NAME} this shell's NAME (repeatable).",
                repeats: true),
            .init(name: "anew", value: nil, help: "Start a job that exists again as a new one; its earlier results stay."),
            .init(name: "push-interval", value: "SECONDS", help: "Between two pushes to the artifact branch (default: 10)."),
            .init(name: "allow-unpushed", value: nil, help: "Exit with 0 instead of 4 when results wait here for their remote."),
            OperatorCommand.imagePullTimeout,
            .init(name: "podman", value: "PATH", help: "The podman program (default: podman)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let minimum = try arguments.number("min-pass-rate", in: 0...1)
        let directory = Path.workingDirectory
        let input = try JobInput(file: arguments.positionals[0])
        try LogOptions.apply(arguments, standard: input.logLevel ?? .error)
        // Missing variables are reported before anything is created.
        try input.checkVariables(currentEnvironment())

        let state = StateDirectory(workingDirectory: directory)
        var documents: JobDocuments
        var rollout: (outputs: JobOutputs, configuration: JSONValue)?
        var lock: StateLock?
        switch input {
        case .resources(let found):
            documents = found
            try await documents.resolvePaths(relativeTo: directory)
            try state.create()
            lock = try state.acquireLock()
        case .rollout(let file, let digest):
            try state.create()
            lock = try state.acquireLock()
            let start = RolloutStart(file: file, digest: digest, directory: directory, state: state)
            let job = try await start.job()
            for note in job.notes(for: .machine) { Assay.printError(note.replacingControls) }
            rollout = (try start.outputs(of: job, anew: arguments.flag("anew")), file.configuration)
            documents = try JobDocuments(job.resources(for: .machine), file: arguments.positionals[0])
            documents.title = job.name
        }
        defer { withExtendedLifetime(lock) {} }
        try documents.fillSecrets(from: currentEnvironment())
        try documents.giveTasks(arguments.all("task-env"), from: currentEnvironment())
        if let target = arguments.value("target") { documents.job.set(["spec", "targetRef", "name"], to: .string(target)) }
        try await checkPrograms(documents, podman: arguments.value("podman"))
        for place in try JobOutputs.completeInterrupted(OutputRegister(directory: state.outputs), results: state.results)
        where place != rollout?.outputs.directory {
            Assay.printError("the outputs of an interrupted run are complete now: \(place)")
        }

        var session = LaptopSession(
            documents: documents, state: state, podman: arguments.value("podman") ?? "podman",
            pushInterval: try arguments.number("push-interval", in: 0...3600) ?? 10, bounds: try OperatorCommand.bounds(arguments))
        (session.rollout, session.anew) = (rollout, arguments.flag("anew"))
        return try await session.run(minimumPassRate: minimum, allowUnpushed: arguments.flag("allow-unpushed"))
    }

    /// What is missing on this machine is said before anything starts.
    private static func checkPrograms(_ documents: JobDocuments, podman: String?) async throws {
        // What is wrong with the objects themselves is reported when they are applied.
        guard let spec = try? EvalJob(json: documents.job).spec, let target = try? documents.target(of: spec) else { return }
        let needed = TargetPrograms.needed(by: target, for: TargetPrograms.uses(spec)).map { program in
            var program = program
            if let podman, program == TargetPrograms.podman { program.name = podman }
            return program
        }
        let problems = await ProgramCheck().look(for: needed).compactMap(\.problem)
        guard problems.isEmpty else { throw UsageError(problems.joined(separator: "\n")) }
    }
}
