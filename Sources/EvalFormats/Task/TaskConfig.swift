import EvalModel
import TOML

/// The content of a `task.toml`. Pure: parsed from bytes. `TaskReader` adds what only the folder shows.
public struct TaskConfig: Sendable, Hashable {
    /// The task as this file describes it.
    public var task: EvalTask
    /// One sentence for each ignored key, with its line.
    public var warnings: [String]

    /// Accepts what Harbor 0.26 accepts, and gives it the same values (`harbor/models/task/config.py`). The differences are in
    /// docs/formats.md.
    ///
    /// - Parameters:
    ///   - name: the task's name, for the result and for messages.
    ///   - format: the family that the dataset gives (docs/formats.md).
    ///   - defaultFormat: the family of a task without a `schema_version`, when the dataset gives none.
    /// - Throws: `task_invalid` that names the key, its line, and what was expected.
    public static func parse(
        _ bytes: [UInt8], name: String, format: TaskSchema? = nil, defaultFormat: TaskSchema = .harbor
    ) throws(TrialError) -> TaskConfig {
        let table: TOMLTable
        do {
            table = try TOML.parse(bytes)
        } catch {
            throw invalid(name, FormatProblem(line: error.position.line, message: "column \(error.position.column): \(error.message)"))
        }
        do throws(FormatProblem) {
            var parser = TaskConfigParser(
                name: name, family: format ?? (table.entries.contains { $0.key == "schema_version" } ? .harbor : defaultFormat))
            return try parser.parse(table)
        } catch {
            throw invalid(name, error)
        }
    }

    private static func invalid(_ name: String, _ problem: FormatProblem) -> TrialError {
        let place = problem.line.map { "task.toml line \($0)" } ?? "task.toml"
        return TrialError(.taskInvalid, "task \"\(name)\": \(place): \(problem.message)")
    }
}

/// Reads the tables of a `task.toml`.
struct TaskConfigParser {
    private let name: String
    let family: TaskSchema
    private(set) var warnings: [String] = []

    init(name: String, family: TaskSchema) {
        self.name = name
        self.family = family
    }

    mutating func parse(_ table: TOMLTable) throws(FormatProblem) -> TaskConfig {
        var root = TableReader(table)
        var task = EvalTask(name: name, schema: family, schemaVersion: try version(&root))
        task.source = try root.string("source")
        // A free-form table that describes the task for people.
        _ = try root.subtable("metadata")
        try package(&root, into: &task)

        task.timeouts = TaskTimeouts(agentSec: family == .rollout ? 600 : nil)
        if var reader = try root.table("agent") {
            if let seconds = try reader.positive("timeout_sec") { task.timeouts.agentSec = seconds }
            if let seconds = try reader.positive("install_timeout_sec") { task.timeouts.installSec = seconds }
            task.agent = try agent(&reader)
        }
        if var reader = try root.table("verifier") {
            if let seconds = try reader.positive("timeout_sec") { task.timeouts.verifierSec = seconds }
            task.verifier = try verifier(&reader)
        }
        if var reader = try root.table("environment") { task.environment = try environment(&reader) }
        task.artifacts = try artifacts(&root)
        task.steps = try steps(&root)
        task.multiStepRewardStrategy = try root.choice("multi_step_reward_strategy", MultiStepRewardStrategy.self)
        if var reader = try root.table("solution") {
            task.solutionEnv = try reader.stringTable("env") ?? [:]
            warn(reader)
        }
        warn(root)
        return TaskConfig(task: task, warnings: warnings)
    }

    // MARK: The root

    /// The version of the file. A file may omit both version keys; `version` does not count beside `schema_version`.
    private func version(_ root: inout TableReader) throws(FormatProblem) -> String {
        let key = root.has("schema_version") ? "schema_version" : "version"
        _ = root.has("version")
        guard let value = try root.string(key) else { return family == .rollout ? "1.0" : "1.4" }
        guard value == "1" || value.hasPrefix("1.") else { throw root.problem(key, "\"\(value)\" is not known: 1.x is") }
        return value
    }

    /// `[task]` names the task as a package. For Rollout it is a free-form table.
    private mutating func package(_ root: inout TableReader, into task: inout EvalTask) throws(FormatProblem) {
        guard family == .harbor else {
            _ = try root.subtable("task")
            return
        }
        guard var reader = try root.table("task") else { return }
        let name = try reader.requiredString("name")
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(Self.isPackageWord), !name.contains("..") else {
            throw reader.problem("name", "must be org/name, of letters, digits, \".\", \"_\" and \"-\", not \"\(name)\"")
        }
        task.packageName = name
        task.packageVersion = try reader.string("version")
        if task.packageVersion?.isEmpty == true { throw reader.problem("version", "must not be empty") }
        _ = try reader.string("description")
        _ = try reader.strings("keywords")
        for var author in try reader.tables("authors") {
            _ = try author.requiredString("name")
            _ = try author.string("email")
            warn(author)
        }
        warn(reader)
    }

    private static func isPackageWord(_ text: Substring) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter || first.isNumber else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || "._-".contains($0) }
    }

    private mutating func steps(_ root: inout TableReader) throws(FormatProblem) -> [TaskStep] {
        var steps: [TaskStep] = []
        var names: Set<String> = []
        for var reader in try root.tables("steps") {
            var step = TaskStep(name: try reader.requiredString("name"))
            if let problem = StepName.problem(with: step.name) { throw reader.problem("name", "\"\(step.name)\" \(problem)") }
            guard names.insert(StepName.key(step.name)).inserted else {
                throw reader.problem("name", "\"\(step.name)\" is given twice, where upper and lower case are the same")
            }
            if var table = try reader.table("agent") {
                step.agentTimeoutSec = try table.positive("timeout_sec")
                step.agent = try agent(&table)
            }
            if var table = try reader.table("verifier") {
                if let seconds = try table.positive("timeout_sec") { step.verifierTimeoutSec = seconds }
                step.verifier = try verifier(&table)
            }
            step.minimumReward = try minimumReward(&reader)
            step.healthcheck = try healthcheck(&reader)
            step.artifacts = try artifacts(&reader)
            warn(reader)
            steps.append(step)
        }
        return steps
    }

    private mutating func minimumReward(_ reader: inout TableReader) throws(FormatProblem) -> MinimumReward? {
        guard case .table? = reader.node("min_reward")?.value else { return try reader.finite("min_reward").map(MinimumReward.reward) }
        guard var table = try reader.table("min_reward") else { return nil }
        var each: [String: Double] = [:]
        for key in table.keys { each[key] = try table.finite(key) }
        return .each(each)
    }

    // MARK: What several tables have

    mutating func agent(_ reader: inout TableReader) throws(FormatProblem) -> TaskAgent {
        let agent = TaskAgent(user: try reader.user("user"), network: try phaseNetwork(&reader))
        warn(reader)
        return agent
    }

    mutating func verifier(_ reader: inout TableReader) throws(FormatProblem) -> TaskVerifier {
        var verifier = TaskVerifier(
            env: try reader.stringTable("env") ?? [:], user: try reader.user("user"), network: try phaseNetwork(&reader),
            givenMode: try reader.choice("environment_mode", TaskVerifier.Mode.self))
        if var table = try reader.table("environment") {
            guard verifier.givenMode != .shared else {
                throw reader.problem("environment_mode", "\"shared\" contradicts [\(reader.name).environment]: remove one of them")
            }
            verifier.environment = try environment(&table)
        }
        for var hook in try reader.tables("collect") {
            verifier.collect.append(
                .init(
                    command: try hook.requiredString("command"), service: try hook.service("service") ?? TaskArtifact.mainService,
                    timeoutSec: try hook.positive("timeout_sec") ?? 60, user: try hook.user("user")))
            warn(hook)
        }
        warn(reader)
        return verifier
    }

    mutating func healthcheck(_ parent: inout TableReader) throws(FormatProblem) -> Healthcheck? {
        guard var reader = try parent.table("healthcheck") else { return nil }
        var check = Healthcheck(command: try reader.requiredString("command"))
        if let seconds = try reader.notNegative("interval_sec") { check.intervalSec = seconds }
        if let seconds = try reader.positive("timeout_sec") { check.timeoutSec = seconds }
        if let seconds = try reader.notNegative("start_period_sec") { check.startPeriodSec = seconds }
        if let seconds = try reader.notNegative("start_interval_sec") { check.startIntervalSec = seconds }
        if let count = try reader.integer("retries", atLeast: 0) { check.retries = count }
        warn(reader)
        return check
    }

    mutating func warn(_ reader: TableReader) {
        for (key, line) in reader.unknown { warn("line \(line): unknown key \(key) is ignored") }
    }

    mutating func warn(_ text: String) { warnings.append("task.toml \(text)") }
}
