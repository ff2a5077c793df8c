import EvalModel

/// A task whose folder was read and is complete.
public struct LoadedTask: Sendable, Hashable {
    public var task: EvalTask
    /// Sentences for the user about things that do not keep the task from running.
    public var warnings: [String]

    public init(task: EvalTask, warnings: [String]) {
        self.task = task
        self.warnings = warnings
    }
}

/// Reads a task's folder and checks that it is complete.
public enum TaskReader {
    /// Reads the task in a folder.
    ///
    /// - Parameters:
    ///   - needsSolution: whether the solution must exist, because the oracle agent will run it.
    ///   - format: the family that the dataset gives; nil for Harbor's.
    /// - Throws: `TrialError` of type `task_not_found` or `task_invalid` that says what is missing or wrong, and the
    ///   folder's own errors.
    public static func load(
        name: String, from folder: some TaskFolder, needsSolution: Bool = false, format: TaskSchema? = nil
    ) async throws -> LoadedTask {
        guard let bytes = try await folder.read("task.toml") else {
            if try await folder.exists("") { throw invalid(name, missing: ["task.toml"]) }
            throw TrialError(.taskNotFound, "task \"\(name)\": there is no such folder in the source")
        }
        let config = try TaskConfig.parse(bytes, name: name, format: format)
        var task = config.task
        let hasStepsFolder = try await folder.exists("steps")
        let hasSteps = config.hasSteps || hasStepsFolder

        var missing: [String] = []
        task.hasInstruction = try await folder.exists("instruction.md")
        if !task.hasInstruction, !hasSteps { missing.append("instruction.md") }
        if try await !folder.exists("environment"), task.environment.dockerImage == nil {
            missing.append("environment/ (or environment.docker_image in task.toml)")
        }
        if try await !folder.exists("tests/test.sh"), !hasSteps { missing.append("tests/test.sh") }
        if needsSolution, try await !folder.exists("solution/solve.sh"), !hasSteps {
            missing.append("solution/solve.sh, which the oracle agent runs")
        }
        guard missing.isEmpty else { throw invalid(name, missing: missing) }

        if hasStepsFolder, !config.hasSteps {
            task.unsupported.append(UnsupportedFeature(.steps, "steps/ is not supported yet"))
        }
        for path in try await folder.submodules() {
            task.unsupported.append(
                UnsupportedFeature(.submodule, "\(path) is a git submodule, which is not fetched yet: add its files to the repository"))
        }
        try await addEnvironmentFiles(of: folder, to: &task)
        return LoadedTask(task: task, warnings: config.warnings)
    }

    private static func addEnvironmentFiles(of folder: some TaskFolder, to task: inout EvalTask) async throws {
        task.environment.hasDockerfile = try await folder.exists("environment/Dockerfile")
        // Only this name makes a Harbor task with several services; docker-compose.yml is an ordinary file.
        if try await folder.exists("environment/docker-compose.yaml") {
            task.unsupported.append(UnsupportedFeature(.compose, "environment/docker-compose.yaml is not supported yet"))
        }
        if task.environment.hasDockerfile, task.environment.dockerImage == nil {
            task.unsupported.append(
                UnsupportedFeature(
                    .imageBuild,
                    "its image would have to be built from environment/Dockerfile, which is not supported yet: set "
                        + "environment.docker_image in task.toml, or spec.environment.image in the EvalJob"))
        }
    }

    private static func invalid(_ name: String, missing: [String]) -> TrialError {
        TrialError(.taskInvalid, "task \"\(name)\" has no \(missing.joined(separator: ", no "))")
    }
}
