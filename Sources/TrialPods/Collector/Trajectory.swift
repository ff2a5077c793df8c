import Base
import EvalModel

/// An agent's trajectory in ATIF, Harbor's interchange format, read leniently: what is not as it should be is left out.
struct Trajectory: Sendable {
    static let name = "trajectory.json"

    private let root: JSONValue

    init?(_ root: JSONValue) {
        guard root["steps"]?.array != nil else { return nil }
        self.root = root
    }

    /// Reads a collected copy; nil when it is too large, was cut, or is no trajectory.
    init?(_ entry: OutputPack.Entry, limits: CollectorLimits) {
        guard entry.size > 0, entry.kept == entry.size, let bytes = FileReading.whole(entry.copy, limit: limits.trajectory),
            let root = try? JSONValue(parsing: bytes)
        else { return nil }
        self.init(root)
    }

    private var steps: [JSONValue] { root["steps"]?.array ?? [] }

    // MARK: Usage

    /// The totals that the trajectory names; where it names none, the sum over its steps.
    var usage: AgentUsage? {
        func count(_ total: String, _ each: String) -> Int? {
            if let value = Self.number(root.at("final_metrics", total)) { return Int(value) }
            let values = steps.compactMap { Self.number($0.at("metrics", each)) }
            return values.isEmpty ? nil : Int(min(values.reduce(0, +), Self.largest))
        }
        let prompt = count("total_prompt_tokens", "prompt_tokens")
        let completion = count("total_completion_tokens", "completion_tokens")
        let cached = count("total_cached_tokens", "cached_tokens")
        var usage = AgentUsage()
        if prompt != nil || completion != nil || cached != nil {
            usage.tokens = TokenUsage(prompt: prompt ?? 0, completion: completion ?? 0, cached: cached ?? 0)
        }
        let costs = steps.compactMap { Self.number($0.at("metrics", "cost_usd")) }
        usage.costUSD = Self.number(root.at("final_metrics", "total_cost_usd")) ?? (costs.isEmpty ? nil : costs.reduce(0, +))
        usage.steps = Self.number(root.at("final_metrics", "total_steps")).map { Int($0) } ?? steps.count
        return usage
    }

    /// Beyond this nobody's count is true, and sums over many trials must not overflow.
    private static let largest = 1e12

    private static func number(_ value: JSONValue?) -> Double? {
        guard let number = value?.double, number.isFinite, number >= 0, number <= largest else { return nil }
        return number
    }

    // MARK: As a transcript

    /// The lines of a transcript (docs/schemas/transcript.schema.json).
    var lines: [JSONValue] {
        var lines: [JSONValue] = []
        var head: JSONValue = ["type": "session", "schemaVersion": JSONValue(Transcript.schemaVersion), "source": "trajectory"]
        head["format"] = root["schema_version"]?.string.map { .string($0) }
        head["sessionId"] = root["session_id"]?.string.map { .string($0) }
        head["agent"] = root.at("agent", "name")?.string.map { .string($0) }
        head["agentVersion"] = root.at("agent", "version")?.string.map { .string($0) }
        head["model"] = root.at("agent", "model_name")?.string.map { .string($0) }
        lines.append(head)
        for (index, step) in steps.enumerated() { add(step, number: index + 1, to: &lines) }
        if let usage {
            var line: JSONValue = ["type": "usage"]
            line["promptTokens"] = usage.tokens.map { JSONValue($0.prompt) }
            line["completionTokens"] = usage.tokens.map { JSONValue($0.completion) }
            line["cachedTokens"] = usage.tokens.map { JSONValue($0.cached) }
            line["costUSD"] = usage.costUSD.map { .double($0) }
            line["steps"] = usage.steps.map { JSONValue($0) }
            lines.append(line)
        }
        return lines
    }

    private func add(_ step: JSONValue, number: Int, to lines: inout [JSONValue]) {
        let id = JSONValue(step["step_id"]?.int ?? number)
        func line(_ type: String) -> JSONValue {
            var line: JSONValue = ["type": .string(type), "step": id]
            line["timestamp"] = step["timestamp"]?.string.map { .string($0) }
            return line
        }
        var message = line("message")
        message["role"] = .string(Self.role(step["source"]?.string))
        message["text"] = .string(Self.text(step["message"]))
        message["reasoning"] = step["reasoning_content"]?.string.map { .string($0) }
        message["model"] = step["model_name"]?.string.map { .string($0) }
        lines.append(message)
        for call in step["tool_calls"]?.array ?? [] {
            var tool = line("tool_call")
            tool["id"] = call["tool_call_id"]?.string.map { .string($0) }
            tool["name"] = .string(call["function_name"]?.string ?? "")
            tool["arguments"] = call["arguments"]
            lines.append(tool)
        }
        for result in step.at("observation", "results")?.array ?? [] {
            var tool = line("tool_result")
            tool["id"] = result["source_call_id"]?.string.map { .string($0) }
            tool["text"] = .string(Self.text(result["content"]))
            lines.append(tool)
        }
    }

    private static func role(_ source: String?) -> String {
        switch source {
        case "system", "user": source ?? ""
        default: "assistant"
        }
    }

    /// A text, or the texts of a list of parts.
    private static func text(_ content: JSONValue?) -> String {
        switch content {
        case nil, .null: return ""
        case .string(let text): return text
        case .array(let parts):
            return parts.map { part in part["text"]?.string ?? part.string ?? "[\(part["type"]?.string ?? "part")]" }.joined(separator: "\n")
        case .some(let other): return other.text
        }
    }
}
