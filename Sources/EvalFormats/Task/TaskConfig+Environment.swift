import EvalModel
import TOML

/// `[environment]` and `[verifier.environment]`.
extension TaskConfigParser {
    mutating func environment(_ reader: inout TableReader) throws(FormatProblem) -> TaskEnvironment {
        var result = TaskEnvironment()
        result.dockerImage = try reader.nonEmptyString("docker_image")
        if let seconds = try reader.positive("build_timeout_sec") { result.buildTimeoutSec = seconds }
        if let system = try reader.string("os") {
            guard let known = TaskEnvironment.System(rawValue: system.lowercased()) else {
                throw reader.problem("os", "must be \"linux\" or \"windows\", not \"\(system)\"")
            }
            result.system = known
        }
        if let cpus = try reader.positive("cpus", atMost: Self.largestCPUs) { result.cpus = cpus }
        result.memoryMB = try size(&reader, "memory_mb", old: "memory") ?? result.memoryMB
        result.storageMB = try size(&reader, "storage_mb", old: "storage") ?? result.storageMB
        if let gpus = try reader.integer("gpus", atLeast: 0) { result.gpus = gpus }
        result.gpuTypes = try reader.strings("gpu_types")
        result.tpu = try tpu(&reader)
        for key in Self.hardware {
            if let node = reader.node(key), Self.asks(node.value) { result.otherHardware.append(key) }
        }
        if let workdir = try reader.nonEmptyString("workdir") {
            guard workdir.hasPrefix("/") else { throw reader.problem("workdir", "must be an absolute path, not \"\(workdir)\"") }
            result.workdir = workdir
        }
        result.env = try reader.stringTable("env") ?? [:]
        result.network = try network(&reader)
        result.skillsDir = try reader.nonEmptyString("skills_dir")
        for var server in try reader.tables("mcp_servers") { result.mcpServers.append(try mcpServer(&server)) }
        result.healthcheck = try healthcheck(&reader)
        warn(reader)
        return result
    }

    // MARK: Hardware

    private mutating func tpu(_ parent: inout TableReader) throws(FormatProblem) -> TaskEnvironment.TPU? {
        guard var reader = try parent.table("tpu") else { return nil }
        let type = try reader.requiredString("type")
        guard !type.isEmpty else { throw reader.problem("type", "must not be empty") }
        let given = try reader.requiredString("topology")
        let topology = given.trimmed
        let axes = topology.split(separator: "x", omittingEmptySubsequences: false)
        guard axes.count > 1, axes.allSatisfy({ !$0.hasPrefix("0") && !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            throw reader.problem("topology", "must be sizes such as \"2x4\" or \"2x2x1\", not \"\(given)\"")
        }
        warn(reader)
        return .init(type: type, topology: topology)
    }

    /// Keys that ask for hardware and that Harbor does not know. Other unknown keys are ignored with a warning; running without the hardware
    /// would measure something else.
    private static let hardware = ["tpus", "gpu", "npu", "npus", "fpga", "fpgas", "accelerator", "accelerators"]

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

    // MARK: Sizes

    /// The same limits as the EvalJob's fields have. A larger value is a mistake, and not a valid Kubernetes quantity.
    private static let largestCPUs = 1024.0
    private static let largestMegabytes = 16 << 20

    /// A size in MiB, also from the older key with a text such as "2G".
    private mutating func size(_ reader: inout TableReader, _ key: String, old: String) throws(FormatProblem) -> Int? {
        let size = try reader.integer(key, atLeast: 1, atMost: Self.largestMegabytes)
        guard let text = try reader.string(old) else { return size }
        guard let oldSize = Self.megabytes(text, family) else {
            throw reader.problem(old, "must be a size such as \"2G\" or \"512M\", not \"\(text)\"")
        }
        guard oldSize <= Self.largestMegabytes else { throw reader.problem(old, "must be at most 16T, not \"\(text)\"") }
        if size != nil {
            let line = reader.line(old).map { "line \($0): " } ?? ""
            warn("\(line)\(reader.place(old)) is ignored, because \(reader.place(key)) is given")
        }
        return size ?? oldSize
    }

    /// "2G", "512M", "1.5g" in MiB, rounded down, but at least 1; nil when the text is not a size. Rollout has more units: "1T", "2GB", "2Gi".
    static func megabytes(_ text: String, _ family: TaskSchema) -> Int? {
        var rest = text.trimmed.uppercased()
        if family == .rollout {
            if rest.hasSuffix("B") { rest.removeLast() }
            if rest.hasSuffix("I") { rest.removeLast() }
        }
        var factors: [Character: Double] = ["K": 1.0 / 1024, "M": 1, "G": 1024]
        if family == .rollout { factors["T"] = 1024 * 1024 }
        guard let unit = rest.popLast(), let factor = factors[unit], let number = LaxValue.number(.string(rest)), number > 0, number * factor < 1e12
        else { return nil }
        return max(1, Int(number * factor))
    }
}
