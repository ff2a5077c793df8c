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
    /// The files that `load` may read, relative to the task's folder, so that those of many tasks can be read at once before.
    public static let files = ["task.toml", "environment/Dockerfile", ComposeFile.path]

    /// Reads the task in a folder.
    ///
    /// - Parameters:
    ///   - needsSolution: whether the solution must exist, because the oracle agent will run it.
    ///   - format: the family that the dataset gives.
    ///   - defaultFormat: the family of a task without a `schema_version`, when the dataset gives none.
    /// - Throws: `TrialError` of type `task_not_found` or `task_invalid` that says what is missing or wrong, and the
    ///   folder's own errors.
    public static func load(
        name: String, from folder: some TaskFolder, needsSolution: Bool = false, format: TaskSchema? = nil,
        defaultFormat: TaskSchema = .harbor
    ) async throws -> LoadedTask {
        guard let bytes = try await folder.read("task.toml") else {
            if try await folder.exists("") { throw invalid(name, missing: ["task.toml"]) }
            throw TrialError(.taskNotFound, "task \"\(name)\": there is no such folder in the source")
        }
        let config = try TaskConfig.parse(bytes, name: name, format: format, defaultFormat: defaultFormat)
        var task = config.task
        task.hasInstruction = try await folder.exists("instruction.md")
        task.environment.context = try await folder.treeID("environment")
        task.environment.hasDockerfile = try await folder.exists("environment/Dockerfile")
        // Only this name makes a Harbor task with several services; docker-compose.yml is an ordinary file.
        task.environment.hasCompose = try await folder.exists(ComposeFile.path)
        var warnings = config.warnings
        if task.environment.hasCompose { warnings += try await merge(into: &task, folder) }
        if task.environment.hasDockerfile, task.namesUsers, let bytes = try await folder.read("environment/Dockerfile") {
            task.environment.imageUser = DockerfileUser.user(in: String(decoding: bytes, as: UTF8.self))
        }
        task.verifier.context = try await folder.treeID("tests")
        task.verifier.hasDockerfile = try await folder.exists("tests/Dockerfile")
        task.verifier.hasCompose = try await folder.exists("tests/docker-compose.yaml")
        for (index, step) in task.steps.enumerated() {
            let place = "steps/\(step.name)/tests"
            task.steps[index].verifier.context = try await folder.treeID(place)
            task.steps[index].verifier.hasDockerfile = try await folder.exists("\(place)/Dockerfile")
            task.steps[index].verifier.hasCompose = try await folder.exists("\(place)/docker-compose.yaml")
        }
        task.submodules = try await folder.submodules()
        let missing = try await missing(of: task, in: folder, needsSolution: needsSolution)
        guard missing.isEmpty else { throw invalid(name, missing: missing) }
        return LoadedTask(task: task, warnings: warnings)
    }

    /// Merges the task with its Compose file, and returns what the file has without effect. What `task.toml` says comes first.
    private static func merge(into task: inout EvalTask, _ folder: some TaskFolder) async throws -> [String] {
        guard let bytes = try await folder.read(ComposeFile.path) else {
            throw TrialError(.taskInvalid, "task \"\(task.name)\": \(ComposeFile.path) is no file")
        }
        let document = try ComposeDocument(bytes, of: task)
        var files: [String: [UInt8]] = [:]
        for file in document.environmentFiles { files[file] = try await folder.read("environment/\(file)") }
        let compose = try ComposeFile.read(document, files: files)
        let main = compose.main
        task.environment.services = compose.services
        task.environment.composeImage = main.image
        task.environment.env.merge(main.environment.values) { own, _ in own }
        task.environment.passedEnv = main.environment.passed.filter { task.environment.env[$0] == nil }.sorted()
        task.environment.workdir = task.environment.workdir ?? main.workdir
        task.environment.healthcheck = task.environment.healthcheck ?? main.healthcheck
        task.agent.user = task.agent.user ?? main.user
        if task.verifier.mode != .separate { task.verifier.user = task.verifier.user ?? main.user }
        let builds = ([main.image.map { ServiceImage.own($0) }] + compose.services.services.map(\.image)).compactMap { $0?.build }
        for build in Set(builds) {
            let place = build.context.isEmpty ? "environment" : "environment/\(build.context)"
            guard try await folder.exists("\(place)/\(build.dockerfile)") else {
                throw TrialError(
                    .taskInvalid,
                    "task \"\(task.name)\": there is no file \(place)/\(build.dockerfile), from which \(ComposeFile.path) builds an image")
            }
            task.environment.contexts[build.context] = try await folder.treeID(place)
        }
        return compose.warnings
    }

    /// The files that a task must have and that are not there.
    private static func missing(of task: EvalTask, in folder: some TaskFolder, needsSolution: Bool) async throws -> [String] {
        var missing: [String] = []
        if task.steps.isEmpty, !task.hasInstruction { missing.append("instruction.md") }
        if try await !folder.exists("environment"), task.environment.dockerImage == nil {
            missing.append("environment/ (or environment.docker_image in task.toml)")
        }
        let hasTests = try await folder.exists("tests/test.sh")
        if task.steps.isEmpty, !hasTests, try await !bringsTests(task.verifier, default: .shared, "tests", folder) {
            missing.append("tests/test.sh")
        }
        for step in task.steps {
            let place = "steps/\(step.name)"
            if try await !folder.exists("\(place)/instruction.md") { missing.append("\(place)/instruction.md") }
            if hasTests { continue }
            if try await folder.exists("\(place)/tests/test.sh") { continue }
            let mode = task.verifier.mode ?? .shared
            if try await bringsTests(step.verifier, default: mode, "\(place)/tests", folder) { continue }
            if try await bringsTests(task.verifier, default: step.verifier.mode ?? mode, "tests", folder) { continue }
            missing.append("\(place)/tests/test.sh (or tests/test.sh)")
        }
        guard needsSolution else { return missing }
        guard try await !folder.exists("solution/solve.sh") else { return missing }
        if task.steps.isEmpty { missing.append("solution/solve.sh, which the oracle agent runs") }
        for step in task.steps where try await !folder.exists("steps/\(step.name)/solution/solve.sh") {
            missing.append("steps/\(step.name)/solution/solve.sh (or solution/solve.sh), which the oracle agent runs")
        }
        return missing
    }

    /// Whether a separate verifier's own image holds the tests, so that the folder needs none.
    private static func bringsTests(
        _ verifier: TaskVerifier, default mode: TaskVerifier.Mode, _ tests: String, _ folder: some TaskFolder
    ) async throws -> Bool {
        guard verifier.mode ?? mode == .separate else { return false }
        if verifier.environment?.dockerImage != nil { return true }
        if try await folder.exists("\(tests)/Dockerfile") { return true }
        return try await folder.exists("\(tests)/docker-compose.yaml")
    }

    private static func invalid(_ name: String, missing: [String]) -> TrialError {
        TrialError(.taskInvalid, "task \"\(name)\" has no \(missing.joined(separator: ", no "))")
    }
}
