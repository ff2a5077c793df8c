import Base
import EvalModel

/// A task in the form in which Harbor prints its own, for comparison: without null, empty lists, empty tables, and the empty strings that
/// count as not given.
enum HarborValues {
    /// What Harbor's parser printed.
    static func normalized(_ value: JSONValue) -> JSONValue {
        var value = prune(value, key: "") ?? [:]
        // Harbor leaves resources unset. A pod needs values for scheduling and cost.
        fill(&value, ["environment"])
        if value.at("verifier", "environment") != nil { fill(&value, ["verifier", "environment"]) }
        if let steps = value["steps"]?.array {
            value["steps"] = .array(
                steps.map { step in
                    var step = step
                    if step.at("verifier", "environment") != nil { fill(&step, ["verifier", "environment"]) }
                    return step
                })
        }
        return value
    }

    private static func fill(_ value: inout JSONValue, _ path: [String]) {
        for (key, number) in [("cpus", 1.0), ("memory_mb", 2048), ("storage_mb", 10240)]
        where (path + [key]).reduce(JSONValue?.some(value), { $0?[$1] }) == nil {
            value.set(path + [key], to: .double(number))
        }
    }

    private static func prune(_ value: JSONValue, key: String) -> JSONValue? {
        switch value {
        case .null: return nil
        case .int(let number): return key == "user" ? .string(String(number)) : .double(Double(number))
        case .string(let source) where key == "artifacts": return ["source": .string(source)]
        case .string(""): return ["docker_image", "skills_dir", "workdir", "url"].contains(key) ? .none : .some(value)
        case .array(let elements): return elements.isEmpty ? nil : .array(elements.map { prune($0, key: key) ?? [:] })
        case .object(let members):
            var result: [String: JSONValue] = [:]
            for (name, member) in members { result[name] = prune(member, key: key == "env" || key == "headers" ? "" : name) }
            // What is not kept: texts for people, and a number of GPUs that is 0 in any case.
            for name in ["description", "authors", "keywords"] where key == "task" { result[name] = nil }
            if result["gpus"] == .double(0) { result["gpus"] = nil }
            return result.isEmpty ? nil : .object(result)
        default: return value
        }
    }

    static func of(_ task: EvalTask) -> JSONValue {
        let value: JSONValue = [
            "schema_version": .string(task.schemaVersion), "source": text(task.source),
            "task": task.packageName.map { ["name": .string($0), "version": text(task.packageVersion)] } ?? .null,
            "agent": .object(
                phase(task.agent.user, task.agent.network).merging(["timeout_sec": number(task.timeouts.agentSec)]) { $1 }),
            "verifier": verifier(task.verifier, task.timeouts.verifierSec), "environment": environment(task.environment),
            "solution": ["env": strings(task.solutionEnv)], "artifacts": .array(task.artifacts.map(artifact)),
            "multi_step_reward_strategy": text(task.multiStepRewardStrategy?.rawValue),
            "steps": .array(
                task.steps.map { step in
                    [
                        "name": .string(step.name),
                        "agent": .object(
                            phase(step.agent.user, step.agent.network).merging(["timeout_sec": number(step.agentTimeoutSec)]) { $1 }),
                        "verifier": verifier(step.verifier, step.verifierTimeoutSec), "min_reward": minimum(step.minimumReward),
                        "healthcheck": healthcheck(step.healthcheck), "artifacts": .array(step.artifacts.map(artifact)),
                    ]
                }),
        ]
        return prune(value, key: "") ?? [:]
    }

    private static func phase(_ user: String?, _ network: TaskNetwork?) -> [String: JSONValue] {
        [
            "user": text(user), "network_mode": text(network?.mode.rawValue),
            "allowed_hosts": .array((network?.allowedHosts ?? []).map(JSONValue.string)),
        ]
    }

    private static func verifier(_ verifier: TaskVerifier, _ seconds: Double) -> JSONValue {
        var value = phase(verifier.user, verifier.network)
        value["timeout_sec"] = .double(seconds)
        value["env"] = strings(verifier.env)
        value["environment_mode"] = text(verifier.givenMode?.rawValue)
        value["environment"] = verifier.environment.map(environment) ?? .null
        value["collect"] = .array(
            verifier.collect.map {
                ["command": .string($0.command), "service": .string($0.service), "timeout_sec": .double($0.timeoutSec), "user": text($0.user)]
            })
        return .object(value)
    }

    private static func environment(_ environment: TaskEnvironment) -> JSONValue {
        var value: [String: JSONValue] = [
            "network_mode": .string(environment.network.mode.rawValue),
            "allowed_hosts": .array(environment.network.allowedHosts.map(JSONValue.string)),
            "build_timeout_sec": .double(environment.buildTimeoutSec), "docker_image": text(environment.dockerImage),
            "os": .string(environment.system.rawValue), "cpus": .double(environment.cpus), "memory_mb": .double(Double(environment.memoryMB)),
            "storage_mb": .double(Double(environment.storageMB)), "gpu_types": .array((environment.gpuTypes ?? []).map(JSONValue.string)),
            "env": strings(environment.env), "skills_dir": text(environment.skillsDir), "workdir": text(environment.workdir),
            "healthcheck": healthcheck(environment.healthcheck),
        ]
        value["gpus"] = environment.gpus == 0 ? .null : .double(Double(environment.gpus))
        value["tpu"] = environment.tpu.map { ["type": .string($0.type), "topology": .string($0.topology)] } ?? .null
        value["mcp_servers"] = .array(
            environment.mcpServers.map {
                [
                    "name": .string($0.name), "transport": .string($0.transport.rawValue), "url": text($0.url), "command": text($0.command),
                    "args": .array($0.arguments.map(JSONValue.string)), "headers": strings($0.headers),
                ]
            })
        return .object(value)
    }

    private static func healthcheck(_ check: Healthcheck?) -> JSONValue {
        guard let check else { return .null }
        return [
            "command": .string(check.command), "interval_sec": .double(check.intervalSec), "timeout_sec": .double(check.timeoutSec),
            "start_period_sec": .double(check.startPeriodSec), "start_interval_sec": .double(check.startIntervalSec),
            "retries": .double(Double(check.retries)),
        ]
    }

    private static func artifact(_ artifact: TaskArtifact) -> JSONValue {
        [
            "source": .string(artifact.source), "destination": text(artifact.destination), "exclude": .array(artifact.exclude.map(JSONValue.string)),
            "service": text(artifact.service),
        ]
    }

    private static func minimum(_ reward: MinimumReward?) -> JSONValue {
        switch reward {
        case nil: .null
        case .reward(let number): .double(number)
        case .each(let numbers): .object(numbers.mapValues { .double($0) })
        }
    }

    private static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    private static func number(_ number: Double?) -> JSONValue { number.map { .double($0) } ?? .null }
    private static func strings(_ strings: [String: String]) -> JSONValue { .object(strings.mapValues { .string($0) }) }
}
