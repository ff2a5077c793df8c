import Base
import EvalModel

extension JobFile {
    /// - Throws: `FileFormatError` with the path of the value that is wrong.
    public init(_ value: JSONValue, file: String = "job.yaml") throws(FileFormatError) {
        var root = try ValueReader(value, file: file)
        self.init(name: try root.requiredString("name"))
        if let directory = try root.string("jobs_dir") { jobsDir = directory }
        if let count = try root.integer("n_attempts", atLeast: 1) { attempts = count }
        if let count = try root.integer("n_concurrent_trials", atLeast: 1) { concurrentTrials = count }
        if let factor = try root.positive("timeout_multiplier") { timeoutMultiplier = factor }
        logLevel = try root.string("log_level")
        if let path = try root.string("instruction_path") {
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
        for reader in try root.objects("agents") { try readAgent(reader) }
        for reader in try root.objects("datasets") { try readDataset(reader) }
        guard !agents.isEmpty else { throw root.problem("agents", "must name at least one agent") }
        guard !datasets.isEmpty else { throw root.problem("datasets", "must name at least one dataset") }
        warn(root)
    }

    private mutating func warn(_ reader: ValueReader) {
        warnings += reader.unknown.map { "unknown key \($0) is ignored" }
    }

    private mutating func readRetry(_ retryReader: ValueReader) throws(FileFormatError) {
        var reader = retryReader
        if let count = try reader.integer("max_attempts", atLeast: 1) { retry.maxAttempts = count }
        if let delay = try reader.integer("initial_delay_ms", atLeast: 0) { retry.initialDelayMs = delay }
        if let delay = try reader.integer("max_delay_ms", atLeast: 0) { retry.maxDelayMs = delay }
        if let factor = try reader.positive("multiplier") {
            guard factor >= 1 else { throw reader.problem("multiplier", "must be at least 1, not \(factor)") }
            retry.multiplier = factor
        }
        warn(reader)
    }

    private mutating func readEnvironment(_ environmentReader: ValueReader) throws(FileFormatError) {
        var reader = environmentReader
        if try reader.string("type") == "modal" {
            throw reader.problem("type", "\"modal\" is not supported: trials run as pods, on this machine (docker) or on a cluster (k8s)")
        }
        if let type = try reader.choice("type", EnvironmentType.self) { environment.type = type }
        if let flag = try reader.boolean("force_build") { environment.forceBuild = flag }
        if let choice = try reader.choice("preserve_env", PreserveEnvironment.self) { environment.preserve = choice }
        environment.overrideCPUs = try reader.positive("override_cpus")
        environment.overrideMemoryMB = try reader.integer("override_memory_mb", atLeast: 1)
        environment.overrideStorageMB = try reader.integer("override_storage_mb", atLeast: 1)
        if var provider = try reader.object("provider_config") {
            environment.providerConfig.namespace = try provider.string("namespace")
            environment.providerConfig.serviceAccount = try provider.string("service_account")
            environment.providerConfig.nodeSelector = try provider.strings("node_selector") ?? [:]
            warn(provider)
        }
        warn(reader)
    }

    private mutating func readVerifier(_ verifierReader: ValueReader) throws(FileFormatError) {
        var reader = verifierReader
        verifier.overrideTimeoutSec = try reader.positive("override_timeout_sec")
        verifier.maxTimeoutSec = try reader.positive("max_timeout_sec")
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
            guard agent.install == nil, agent.execute == nil else {
                throw reader.problem("name", "\"oracle\" runs the task's own solution and takes no install or execute")
            }
        } else if agent.execute?.isEmpty ?? true {
            throw reader.problem("execute", "is required for agent \"\(agent.name)\"")
        }
        agents.append(agent)
        warn(reader)
    }

    private mutating func readDataset(_ datasetReader: ValueReader) throws(FileFormatError) {
        var reader = datasetReader
        let path = try reader.string("path")
        if var registry = try reader.object("registry") {
            guard path == nil else { throw reader.problem("path", "cannot be combined with registry: give one of them") }
            let location: RegistryLocation
            switch (try registry.string("path"), try registry.string("url")) {
            case (.some(let path), nil): location = .path(path)
            case (nil, .some(let url)): location = .url(url)
            default: throw reader.problem("registry", "must have either path or url")
            }
            datasets.append(
                .registry(location, name: try reader.requiredString("name"), version: try reader.string("version")))
            warn(registry)
        } else if let path, !path.isEmpty {
            datasets.append(.folder(path: path))
        } else {
            throw reader.problem("path", "is required, or a registry")
        }
        warn(reader)
    }
}
