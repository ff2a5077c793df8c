import Base
import EvalModel
import YAML

/// A Rollout `job.yaml`, as written by the user. It is not a Kubernetes resource.
public struct JobFile: Sendable, Hashable {
    public enum EnvironmentType: String, Sendable, Hashable, CaseIterable {
        case docker
        case k8s
    }

    public enum PreserveEnvironment: String, Sendable, Hashable, CaseIterable {
        case never
        case always
        case onFailure = "on_failure"
    }

    public enum LogLevel: String, Sendable, Hashable, CaseIterable {
        case debug
        case info
        case warn
        case warning
        case error
    }

    /// `environment.provider_config`, as the Kubernetes provider reads it.
    public struct ProviderConfig: Sendable, Hashable {
        public var namespace: String?
        public var serviceAccount: String?
        public var nodeSelector: [String: String] = [:]

        public init() {}
    }

    public struct Environment: Sendable, Hashable {
        public var type = EnvironmentType.docker
        public var forceBuild = false
        public var preserve = PreserveEnvironment.never
        public var providerConfig = ProviderConfig()
        public var overrideCPUs: Double?
        public var overrideMemoryMB: Int?
        public var overrideStorageMB: Int?

        public init() {}
    }

    public struct Verifier: Sendable, Hashable {
        public var overrideTimeoutSec: Double?
        public var maxTimeoutSec: Double?
        public var disable = false

        public init() {}
    }

    public struct AgentEntry: Sendable, Hashable {
        public var name: String
        public var description: String?
        public var install: String?
        public var execute: String?
        /// Values, which may refer to variables of the caller's environment.
        public var env: [String: VariableTemplate]

        public init(
            name: String, description: String? = nil, install: String? = nil, execute: String? = nil,
            env: [String: VariableTemplate] = [:]
        ) {
            self.name = name
            self.description = description
            self.install = install
            self.execute = execute
            self.env = env
        }
    }

    public enum RegistryLocation: Sendable, Hashable {
        case path(String)
        case url(String)
    }

    public enum DatasetEntry: Sendable, Hashable {
        case folder(path: String)
        case registry(RegistryLocation, name: String, version: String?)
    }

    /// nil: the time of the run, as `2026-01-02__03-04-05`.
    public var name: String?
    /// The directory of the outputs, relative to the working directory.
    public var jobsDir = JobFile.defaultJobsDir
    /// The file as written, for `config.json`: `${VAR}` stays as it is.
    public var document: JSONValue = .null
    public var attempts = 1
    public var concurrentTrials = 4
    public var timeoutMultiplier = 1.0
    public var logLevel: LogLevel?
    public var instructionPath = "/tmp/instruction.md"
    public var retry = RetryPolicy()
    public var environment = Environment()
    public var verifier = Verifier()
    public var metrics: [MetricType] = []
    public var agents: [AgentEntry] = []
    public var datasets: [DatasetEntry] = []
    /// One sentence for each ignored key and each agent that is skipped.
    public var warnings: [String] = []

    public static let defaultJobsDir = "jobs"

    public init(name: String? = nil) {
        self.name = name
    }

    /// The variables that the agents' values refer to, sorted, without duplicates.
    public var variables: [String] {
        Set(agents.flatMap { $0.env.values.flatMap(\.variables) }).sorted()
    }

    /// The agents' environments with all variables replaced: by agent, then by name.
    ///
    /// - Parameter environment: the caller's environment.
    /// - Throws: `FileFormatError` that names every missing variable and the agents that use it.
    public func resolvedEnvironments(
        _ environment: [String: String], file: String = "job.yaml"
    ) throws(FileFormatError) -> [String: [String: String]] {
        var result: [String: [String: String]] = [:]
        var missing: [String] = []
        for agent in agents {
            for (name, template) in agent.env.sorted(by: { $0.key < $1.key }) {
                missing += template.missing(in: environment).map { "${\($0)} (agent \"\(agent.name)\", env \(name))" }
                result[agent.name, default: [:]][name] = template.resolved(in: environment)
            }
        }
        guard missing.isEmpty else {
            throw FileFormatError(
                file: file, place: "agents",
                message: "the environment has no value for \(missing.joined(separator: ", ")): export it before the run")
        }
        return result
    }

    /// The file with the defaults for what it leaves out, as Rollout writes it to `config.json`.
    public var configuration: JSONValue {
        var result = document
        func fill(_ path: String..., with value: JSONValue) {
            let present = path.reduce(document as JSONValue?) { $0?[$1] }
            if present == nil || present?.isNull == true || present == "" || present?.double == 0 { result.set(path, to: value) }
        }
        fill("jobs_dir", with: .string(jobsDir))
        fill("n_attempts", with: JSONValue(attempts))
        fill("n_concurrent_trials", with: JSONValue(concurrentTrials))
        fill("timeout_multiplier", with: .double(timeoutMultiplier))
        fill("instruction_path", with: .string(instructionPath))
        fill("retry", "max_attempts", with: JSONValue(retry.maxAttempts))
        fill("retry", "initial_delay_ms", with: JSONValue(retry.initialDelayMs))
        fill("retry", "max_delay_ms", with: JSONValue(retry.maxDelayMs))
        fill("retry", "multiplier", with: .double(retry.multiplier))
        fill("environment", "type", with: .string(environment.type.rawValue))
        fill("environment", "force_build", with: .bool(environment.forceBuild))
        fill("environment", "preserve_env", with: .string(environment.preserve.rawValue))
        fill("verifier", "disable", with: .bool(verifier.disable))
        return result
    }

    /// Whether a document is a Rollout job: it has agents or datasets, but no `apiVersion` and `kind`.
    public static func isJobFile(_ document: JSONValue) -> Bool {
        guard case .object(let members) = document, members["apiVersion"] == nil, members["kind"] == nil else { return false }
        return members["agents"] != nil || members["datasets"] != nil
    }

    /// - Throws: `FileFormatError` with the path, or the line and column, of the mistake.
    public static func parse(_ bytes: [UInt8], file: String = "job.yaml") throws(FileFormatError) -> JobFile {
        let value: JSONValue
        let texts: JSONValue
        do {
            value = try YAML.parseSingle(bytes)
            texts = try YAML.parseSingleAsTexts(bytes)
        } catch {
            throw FileFormatError(file: file, place: "line \(error.line), column \(error.column)", message: error.message)
        }
        return try JobFile(value, texts: texts, file: file)
    }
}
