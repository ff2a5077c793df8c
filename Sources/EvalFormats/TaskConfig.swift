import EvalModel
import TOML

/// The content of a `task.toml`. Pure: parsed from bytes. `TaskReader` adds what only the folder shows.
public struct TaskConfig: Sendable, Hashable {
    /// The task as this file describes it. `TaskReader` adds unsupported features of the folder.
    public var task: EvalTask
    /// Whether the task has `[[steps]]`.
    public var hasSteps: Bool
    /// One sentence for each ignored key, with its line.
    public var warnings: [String]

    /// - Parameters:
    ///   - name: the task's name, for the result and for messages.
    ///   - format: the family that the dataset gives; nil for Harbor's (docs/formats.md).
    /// - Throws: `task_invalid` that names the key, its line, and what was expected.
    public static func parse(_ bytes: [UInt8], name: String, format: TaskSchema? = nil) throws(TrialError) -> TaskConfig {
        let table: TOMLTable
        do {
            table = try TOML.parse(bytes)
        } catch {
            throw invalid(name, FormatProblem(line: error.position.line, message: "column \(error.position.column): \(error.message)"))
        }
        do throws(FormatProblem) {
            var parser = TaskConfigParser(name: name, family: format ?? .harbor)
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
    private let family: TaskSchema
    private var warnings: [String] = []
    private var unsupported: [UnsupportedFeature] = []

    init(name: String, family: TaskSchema) {
        self.name = name
        self.family = family
    }

    mutating func parse(_ table: TOMLTable) throws(FormatProblem) -> TaskConfig {
        var root = TableReader(table)
        var task = EvalTask(name: name, schema: family, schemaVersion: try version(&root))
        task.source = try root.string("source")
        // Free-form tables that describe the task for people.
        _ = try root.subtable("metadata")
        _ = try root.subtable("task")

        task.timeouts = TaskTimeouts(agentSec: family == .rollout ? 600 : nil)
        try agent(root.subtable("agent"), into: &task)
        try verifier(root.subtable("verifier"), into: &task)
        try environment(root.subtable("environment"), into: &task)
        let hasSteps = try steps(&root)
        try artifacts(&root)
        if let solution = try root.subtable("solution") {
            var reader = TableReader(solution, name: "solution")
            if try reader.stringTable("env")?.isEmpty == false {
                refuse(.solutionVariables, "solution.env (variables for the solution) is not supported yet")
            }
            warn(reader)
        }
        warn(root)
        task.unsupported = unsupported
        return TaskConfig(task: task, hasSteps: hasSteps, warnings: warnings)
    }

    // MARK: The version

    /// The version of the file. A file may omit both version keys.
    private func version(_ root: inout TableReader) throws(FormatProblem) -> String {
        let version = try root.string("version")
        let schemaVersion = try root.string("schema_version")
        guard let value = schemaVersion ?? version else { return family == .rollout ? "1.0" : "1.4" }
        guard value == "1" || value.hasPrefix("1.") else {
            throw root.problem(schemaVersion == nil ? "version" : "schema_version", "\"\(value)\" is not known: 1.x is")
        }
        return value
    }

    // MARK: Tables

    private mutating func agent(_ table: TOMLTable?, into task: inout EvalTask) throws(FormatProblem) {
        guard let table else { return }
        var reader = TableReader(table, name: "agent")
        if let seconds = try reader.positive("timeout_sec") { task.timeouts.agentSec = seconds }
        if let seconds = try reader.positive("install_timeout_sec") { task.timeouts.installSec = seconds }
        try network(&reader, name: "agent")
        try user(&reader, name: "agent")
        warn(reader)
    }

    private mutating func verifier(_ table: TOMLTable?, into task: inout EvalTask) throws(FormatProblem) {
        guard let table else { return }
        var reader = TableReader(table, name: "verifier")
        if let seconds = try reader.positive("timeout_sec") { task.timeouts.verifierSec = seconds }
        task.verifierEnv = try variables(&reader, name: "verifier")
        try network(&reader, name: "verifier")
        try user(&reader, name: "verifier")
        let mode = try reader.string("environment_mode")
        guard mode == nil || mode == "shared" || mode == "separate" else {
            throw reader.problem("environment_mode", "must be \"shared\" or \"separate\", not \"\(mode ?? "")\"")
        }
        if try reader.subtable("environment") != nil {
            refuse(.separateVerifier, "[verifier.environment] (a separate verifier) is not supported yet")
        } else if mode == "separate" {
            refuse(.separateVerifier, "verifier.environment_mode = \"separate\" is not supported yet")
        }
        if try reader.array("collect")?.isEmpty == false {
            refuse(.verifierCollect, "[[verifier.collect]] is not supported yet")
        }
        warn(reader)
    }

    private mutating func environment(_ table: TOMLTable?, into task: inout EvalTask) throws(FormatProblem) {
        guard let table else { return }
        var reader = TableReader(table, name: "environment")
        var result = TaskEnvironment()
        if let image = try reader.string("docker_image"), !image.isEmpty { result.dockerImage = image }
        if let seconds = try reader.positive("build_timeout_sec") { result.buildTimeoutSec = seconds }
        if let cpus = try reader.positive("cpus", atMost: Self.largestCPUs) { result.cpus = cpus }
        result.memoryMB = try size(&reader, "memory_mb", old: "memory") ?? result.memoryMB
        result.storageMB = try size(&reader, "storage_mb", old: "storage") ?? result.storageMB
        if let gpus = try reader.integer("gpus", atLeast: 0) { result.gpus = gpus }
        _ = try reader.strings("gpu_types")
        if result.gpus > 0 { refuse(.gpus, "environment.gpus is not supported yet") }
        for key in Self.hardware {
            guard let node = reader.node(key), Self.asks(node.value) else { continue }
            refuse(.hardware, "environment.\(key) asks for hardware that is not supported yet")
        }
        if let workdir = try reader.string("workdir"), !workdir.isEmpty {
            guard workdir.hasPrefix("/") else { throw reader.problem("workdir", "must be an absolute path, not \"\(workdir)\"") }
            result.workdir = workdir
        }
        result.env = try variables(&reader, name: "environment")
        if let system = try reader.string("os"), system.lowercased() != "linux" {
            refuse(.operatingSystem, "environment.os = \"\(system)\" is not supported: linux is")
        }
        if let skills = try reader.string("skills_dir"), !skills.isEmpty {
            refuse(.skills, "environment.skills_dir is not supported yet")
        }
        if try reader.array("mcp_servers")?.isEmpty == false {
            refuse(.mcpServers, "[[environment.mcp_servers]] is not supported yet")
        }
        if try reader.subtable("healthcheck") != nil {
            refuse(.healthcheck, "[environment.healthcheck] is not supported yet")
        }
        // The older key counts only without the newer one, as for Harbor.
        if try reader.boolean("allow_internet") == false, !reader.has("network_mode") {
            refuse(.network, "environment.allow_internet = false is not supported yet")
        }
        try network(&reader, name: "environment")
        warn(reader)
        task.environment = result
    }

    private mutating func steps(_ root: inout TableReader) throws(FormatProblem) -> Bool {
        _ = try root.string("multi_step_reward_strategy")
        guard let steps = try root.array("steps"), !steps.isEmpty else { return false }
        refuse(.steps, "[[steps]] is not supported yet")
        return true
    }

    private mutating func artifacts(_ root: inout TableReader) throws(FormatProblem) {
        guard let artifacts = try root.array("artifacts") else { return }
        for artifact in artifacts {
            let source: String
            var isPlain = true
            switch artifact.value {
            case .string(let path): source = path
            case .table(let table):
                var reader = TableReader(table, name: "artifacts")
                guard let path = try reader.string("source") else {
                    throw FormatProblem(line: artifact.position.line, message: "artifacts: an entry has no source")
                }
                source = path
                isPlain = !["destination", "exclude", "service"].contains { reader.has($0) }
                warn(reader)
            default:
                throw FormatProblem(
                    line: artifact.position.line,
                    message: "artifacts must be an array of strings and tables, but has \(artifact.value.kindName) in it")
            }
            let parts = source.split(separator: "/").filter { $0 != "." }
            guard !parts.contains("..") else {
                throw FormatProblem(line: artifact.position.line, message: "artifacts: \"\(source)\" must not contain ..")
            }
            // Everything below /logs/artifacts is always collected.
            if isPlain, source.hasPrefix("/"), parts.starts(with: ["logs", "artifacts"]) { continue }
            refuse(.artifacts, "artifacts: \"\(source)\" is not supported yet; only paths below /logs/artifacts are")
            return
        }
    }

    // MARK: Keys that several tables have

    private mutating func network(_ reader: inout TableReader, name: String) throws(FormatProblem) {
        if let mode = try reader.string("network_mode") {
            guard ["public", "no-network", "allowlist"].contains(mode) else {
                throw reader.problem("network_mode", "must be \"public\", \"no-network\" or \"allowlist\", not \"\(mode)\"")
            }
            if mode != "public" { refuse(.network, "\(name).network_mode = \"\(mode)\" is not supported yet") }
        }
        if try reader.strings("allowed_hosts")?.isEmpty == false {
            refuse(.network, "\(name).allowed_hosts is not supported yet")
        }
    }

    private mutating func user(_ reader: inout TableReader, name: String) throws(FormatProblem) {
        guard let node = reader.node("user") else { return }
        switch node.value {
        case .string("root"), .string("0"), .integer(0): break
        case .string, .integer: refuse(.user, "\(name).user is not supported yet")
        default: throw reader.problem("user", "must be a string or an integer, not \(node.value.kindName)")
        }
    }

    private mutating func variables(_ reader: inout TableReader, name: String) throws(FormatProblem) -> [String: String] {
        let variables = try reader.stringTable("env") ?? [:]
        let templates = variables.filter { !VariableTemplate($0.value).variables.isEmpty }.keys.sorted()
        if !templates.isEmpty {
            refuse(
                .environmentVariables,
                "\(name).env takes the values of \(templates.joined(separator: ", ")) from ${...}, which is not supported yet")
        }
        return variables
    }

    /// Keys of [environment] that ask for hardware. Other unknown keys are ignored with a warning; running without the hardware
    /// would measure something else.
    private static let hardware = ["tpu", "tpus", "gpu", "npu", "npus", "fpga", "fpgas", "accelerator", "accelerators"]

    /// Whether the value of such a key asks for anything: `gpu = 0` does not.
    private static func asks(_ value: TOMLValue) -> Bool {
        switch value {
        case .integer(let number): number != 0
        case .float(let number): number != 0
        case .boolean(let flag): flag
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .dateTime, .table: true
        }
    }

    /// The same limits as the EvalJob's fields have. A larger value is a mistake, and not a valid Kubernetes quantity.
    private static let largestCPUs = 1024.0
    private static let largestMegabytes = 16 << 20

    /// A size in MiB, also from the older key with a text such as "2G".
    private mutating func size(_ reader: inout TableReader, _ key: String, old: String) throws(FormatProblem) -> Int? {
        let size = try reader.integer(key, atLeast: 1, atMost: Self.largestMegabytes)
        guard let text = try reader.string(old) else { return size }
        guard let oldSize = Self.megabytes(text) else {
            throw reader.problem(old, "must be a size such as \"2G\" or \"512M\", not \"\(text)\"")
        }
        guard oldSize <= Self.largestMegabytes else { throw reader.problem(old, "must be at most 16T, not \"\(text)\"") }
        if size != nil {
            let line = reader.line(old).map { "line \($0): " } ?? ""
            warnings.append("task.toml \(line)environment.\(old) is ignored, because environment.\(key) is given")
        }
        return size ?? oldSize
    }

    /// "2G", "512M", "1.5GB", "2Gi" in MiB, rounded up; nil when the text is not a size.
    static func megabytes(_ text: String) -> Int? {
        var rest = text.trimmingPrefix(while: { $0 == " " }).uppercased()
        while rest.last == " " { rest.removeLast() }
        if rest.hasSuffix("B") { rest.removeLast() }
        if rest.hasSuffix("I") { rest.removeLast() }
        let factors: [Character: Double] = ["K": 1.0 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024]
        guard let unit = rest.popLast(), let factor = factors[unit], !rest.isEmpty,
            rest.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }), let number = Double(rest),
            number > 0, number * factor < 1e12
        else { return nil }
        return Int((number * factor).rounded(.up))
    }

    private mutating func refuse(_ kind: UnsupportedFeature.Kind, _ message: String) {
        unsupported.append(UnsupportedFeature(kind, message))
    }

    private mutating func warn(_ reader: TableReader) {
        for (key, line) in reader.unknown {
            warnings.append("task.toml line \(line): unknown key \(key) is ignored")
        }
    }
}
