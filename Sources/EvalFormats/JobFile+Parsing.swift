import Base
import EvalModel

extension JobFile {
    /// - Parameters:
    ///   - value: the file.
    ///   - texts: the same with each scalar as it is written: Rollout takes any scalar where a string belongs.
    /// - Throws: `FileFormatError` with the path of the value that is wrong.
    init(_ value: JSONValue, texts: JSONValue, file: String) throws(FileFormatError) {
        var root = try ValueReader(value, texts: texts, file: file)
        self.init(name: try Self.name(&root))
        document = value
        if let directory = try root.string("jobs_dir"), !directory.isEmpty { jobsDir = directory }
        if let count = try root.integerUnlessZero("n_attempts") { attempts = count }
        if let count = try root.integerUnlessZero("n_concurrent_trials") { concurrentTrials = count }
        if let factor = try root.positiveUnlessZero("timeout_multiplier") { timeoutMultiplier = factor }
        try readLogLevel(&root)
        if let path = try root.string("instruction_path"), !path.isEmpty {
            guard path.hasPrefix("/") else { throw root.problem("instruction_path", "must be an absolute path, not \"\(path)\"") }
            instructionPath = path
        }
        if let reader = try root.object("retry") { try readRetry(reader) }
        if let reader = try root.object("environment") { try readEnvironment(reader) }
        if let reader = try root.object("verifier") { try readVerifier(reader) }
        for var metric in try root.objects("metrics") {
            guard let type = try metric.choice("type", MetricType.self) else { throw metric.problem("type", "is required") }
            metrics.append(type)
            warn(metric)
        }
        let agentReaders = try root.objects("agents")
        for reader in agentReaders { try readAgent(reader) }
        for reader in try root.objects("datasets") { try readDataset(reader) }
        guard !agents.isEmpty else {
            throw root.problem(
                "agents",
                agentReaders.isEmpty ? "must name at least one agent" : "none can run: give one of them an execute script, or add \"- name: oracle\"")
        }
        guard !datasets.isEmpty else { throw root.problem("datasets", "must name at least one dataset") }
        warn(root)
    }

    /// The job's name, which is also a directory below `jobs_dir`.
    private static func name(_ root: inout ValueReader) throws(FileFormatError) -> String? {
        guard let name = try root.string("name"), !name.isEmpty else { return nil }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }),
            !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else { throw root.problem("name", "\"\(name.replacingControls)\" cannot be the name of a directory") }
        return name
    }

    private mutating func readLogLevel(_ root: inout ValueReader) throws(FileFormatError) {
        guard let word = try root.string("log_level"), !word.isEmpty else { return }
        logLevel = LogLevel(rawValue: word.lowercased())
        if logLevel == nil {
            warnings.append(
                "log_level \"\(word.replacingControls)\" is ignored: it is one of \(LogLevel.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    private mutating func warn(_ reader: ValueReader) {
        warnings += reader.unknown.map { "unknown key \($0) is ignored" }
    }

    private mutating func readRetry(_ retryReader: ValueReader) throws(FileFormatError) {
        var reader = retryReader
        if let count = try reader.integerUnlessZero("max_attempts") { retry.maxAttempts = count }
        if let delay = try reader.integerUnlessZero("initial_delay_ms") { retry.initialDelayMs = delay }
        if let delay = try reader.integerUnlessZero("max_delay_ms") { retry.maxDelayMs = delay }
        if let factor = try reader.positiveUnlessZero("multiplier") {
            guard factor >= 1 else { throw reader.problem("multiplier", "must be at least 1, not \(factor)") }
            retry.multiplier = factor
        }
        warn(reader)
    }

    private mutating func readEnvironment(_ environmentReader: ValueReader) throws(FileFormatError) {
        var reader = environmentReader
        if let type = try reader.string("type"), !type.isEmpty {
            guard let known = EnvironmentType(rawValue: type) else {
                throw reader.problem(
                    "type",
                    "\"\(type.replacingControls)\" is not supported: trials run as pods, on this machine (docker) or on a cluster (k8s). "
                        + "Set environment.type to one of these")
            }
            environment.type = known
        }
        if let flag = try reader.boolean("force_build") { environment.forceBuild = flag }
        if let choice = try reader.string("preserve_env"), !choice.isEmpty {
            environment.preserve = try reader.choice("preserve_env", PreserveEnvironment.self) ?? .never
        }
        environment.overrideCPUs = try reader.positiveUnlessZero("override_cpus")
        environment.overrideMemoryMB = try size(&reader, "override_memory_mb", old: "override_memory")
        environment.overrideStorageMB = try size(&reader, "override_storage_mb", old: "override_storage")
        if var provider = try reader.object("provider_config") {
            // Other keys, and all keys for docker, have no counterpart here: they are reported as ignored.
            if environment.type == .k8s {
                environment.providerConfig.namespace = try provider.string("namespace")
                environment.providerConfig.serviceAccount = try provider.string("service_account")
                environment.providerConfig.nodeSelector = try provider.strings("node_selector") ?? [:]
            }
            warn(provider)
        }
        warn(reader)
    }

    /// A size in MiB, also from the older key with a text such as "2G".
    private mutating func size(_ reader: inout ValueReader, _ key: String, old: String) throws(FileFormatError) -> Int? {
        let size = try reader.integerUnlessZero(key)
        guard let text = try reader.string(old), !text.isEmpty, text != "0" else { return size }
        guard let megabytes = TaskConfigParser.megabytes(text, .rollout) else {
            throw reader.problem(old, "must be a size such as \"2G\" or \"512M\", not \"\(text)\"")
        }
        if size != nil { warnings.append("\(reader.place(old)) is ignored, because \(key) is given") }
        return size ?? megabytes
    }

    private mutating func readVerifier(_ verifierReader: ValueReader) throws(FileFormatError) {
        var reader = verifierReader
        verifier.overrideTimeoutSec = try reader.positiveUnlessZero("override_timeout_sec")
        verifier.maxTimeoutSec = try reader.positiveUnlessZero("max_timeout_sec")
        if let flag = try reader.boolean("disable") { verifier.disable = flag }
        warn(reader)
    }

    private mutating func readAgent(_ agentReader: ValueReader) throws(FileFormatError) {
        var reader = agentReader
        var agent = AgentEntry(
            name: try reader.requiredString("name"), description: try reader.string("description"),
            install: try reader.string("install"), execute: try reader.string("execute"), env: [:])
        agent.env = (try reader.strings("env") ?? [:]).mapValues(VariableTemplate.init)
        if agents.contains(where: { $0.name == agent.name }) { throw reader.problem("name", "\"\(agent.name)\" is given twice") }
        if agent.name == Agent.oracleName {
            if agent.install != nil || agent.execute != nil {
                warnings.append("\(reader.path): \"oracle\" runs the task's own solution; its install and execute are ignored")
                (agent.install, agent.execute) = (nil, nil)
            }
        } else if agent.execute?.isEmpty ?? true {
            warnings.append("\(reader.path): agent \"\(agent.name.replacingControls)\" has no execute script and is skipped")
            warn(reader)
            return
        }
        agents.append(agent)
        warn(reader)
    }

    private mutating func readDataset(_ datasetReader: ValueReader) throws(FileFormatError) {
        var reader = datasetReader
        let path = try Self.given(&reader, "path")
        if var registry = try reader.object("registry") {
            guard path == nil else { throw reader.problem("path", "cannot be combined with registry: give one of them") }
            let location: RegistryLocation
            switch (try Self.given(&registry, "path"), try Self.given(&registry, "url")) {
            case (.some(let path), nil): location = .path(path)
            case (nil, .some(let url)): location = .url(url)
            default: throw reader.problem("registry", "must have either path or url")
            }
            datasets.append(
                .registry(location, name: try reader.requiredString("name"), version: try Self.given(&reader, "version")))
            warn(registry)
        } else if let path {
            datasets.append(.folder(path: path))
        } else {
            throw reader.problem("path", "is required, or a registry")
        }
        warn(reader)
    }
    /// A string; nil when it is missing or empty.
    private static func given(_ reader: inout ValueReader, _ key: String) throws(FileFormatError) -> String? {
        try reader.string(key).flatMap { $0.isEmpty ? nil : $0 }
    }
}
