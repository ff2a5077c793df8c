import Base
import EvalFormats
import Rollout
import YAML

/// `assay convert`: prints the resources that `assay run` uses for a job file.
enum ConvertCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "convert", summary: "Print a job file of Rollout, or agentv's configuration, as resources.",
        details: """
            Prints what `assay run FILE` uses, as YAML for `assay run` or kubectl. Values of environment variables are not printed: the Secret
            names the variables, and `assay run` takes the values from the environment. With environment.type k8s the resources are for a
            cluster: folders become the addresses of their remotes. Of agentv's .agentv/config.yaml each target becomes an EvalTarget,
            and source and artifacts become an EvalJob. Comments say what is left to do.
            """, positionals: [.init(name: "FILE", help: "A job file of Rollout, .agentv/config.yaml, or an EvalJob; - reads standard input.")])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let file = arguments.positionals[0]
        let directory = Path.workingDirectory
        let bytes = try JobInput.read(file)
        if let config = try agentV(bytes, file: file) {
            let resources = AgentVResources(config)
            Output.write(resources.notes.map { "# \($0.replacingControls)\n" }.joined() + YAML.emit(documents: resources.documents))
            return ExitStatus.success
        }
        switch try JobInput(bytes, file: file) {
        case .resources(var documents):
            try await documents.resolvePaths(relativeTo: directory)
            Output.write(YAML.emit(documents: documents.others.map(\.object) + [documents.job]))
        case .rollout(let rollout, let digest):
            let state = StateDirectory(workingDirectory: directory)
            let start = RolloutStart(file: rollout, digest: digest, directory: directory, state: state)
            let job = try await start.job()
            let place: RolloutJob.Place = rollout.environment.type == .k8s ? .cluster : .machine
            var comments = ["\(job.name), converted by assay convert"] + job.notes(for: place)
            if !rollout.variables.isEmpty {
                comments.append(
                    "the Secret \(job.secretName) has no values here: `assay run` takes them from the environment "
                        + "(\(rollout.variables.joined(separator: ", "))); on a cluster create them with kubectl create secret, keys as in its annotation"
                )
            }
            Output.write(comments.map { "# \($0.replacingControls)\n" }.joined() + YAML.emit(documents: job.resources(for: place)))
        }
        return ExitStatus.success
    }

    /// The configuration of agentv in a file; nil for any other file.
    private static func agentV(_ bytes: [UInt8], file: String) throws -> AgentVConfig? {
        guard let document = try? YAML.documents(bytes), document.count == 1, AgentVConfig.isConfig(document[0]) else { return nil }
        do throws(FileFormatError) { return try AgentVConfig(document[0], file: file) } catch { throw UsageError(error.description) }
    }
}
