import Base
import EvalModel

/// An agent's trajectory in ATIF, Harbor's interchange format. Reading is lenient: malformed parts are left out.
///
/// The trial wrote the file and may have made it to exhaust its reader's memory. So at most one step at a time is held as a tree, and a step
/// that is larger than any real one is not parsed.
struct Trajectory: Sendable {
    static let name = "trajectory.json"

    /// Bytes of the largest step that is parsed.
    private static let longestStep = 4 << 20
    /// Bytes of the largest other part that is parsed.
    private static let longestPart = 64 << 10

    /// The totals that the trajectory states; where it states none, the sum over its steps.
    let usage: AgentUsage
    /// The first line of the transcript.
    private let head: JSONValue
    private let bytes: [UInt8]

    /// Reads a collected copy; nil when the file is too large, was cut, or is not a trajectory.
    init?(_ entry: OutputPack.Entry, limits: CollectorLimits) {
        guard entry.size > 0, entry.kept == entry.size, let bytes = FileReading.whole(entry.copy, limit: limits.trajectory) else { return nil }
        self.init(bytes)
    }

    init?(_ bytes: [UInt8]) {
        var root: JSONValue = [:]
        var totals = StepTotals()
        var lists = 0
        var reader = JSONReader(bytes)
        do {
            try reader.object { key, reader throws(JSONSyntaxError) in
                if key == "steps" {
                    lists += 1
                    try reader.array { reader throws(JSONSyntaxError) in
                        totals.add(try Self.step(try reader.rawValue()))
                    }
                } else {
                    let part = try reader.rawValue()
                    if part.count <= Self.longestPart { root[key] = try JSONValue(parsing: part) }
                }
            }
            try reader.end()
        } catch {
            return nil
        }
        guard lists == 1 else { return nil }
        self.bytes = bytes
        usage = totals.usage(final: root["final_metrics"])
        var head: JSONValue = ["type": "session", "schemaVersion": JSONValue(Transcript.schemaVersion), "source": "trajectory"]
        head["format"] = root["schema_version"]?.string.map { .string($0) }
        head["sessionId"] = root["session_id"]?.string.map { .string($0) }
        head["agent"] = root.at("agent", "name")?.string.map { .string($0) }
        head["agentVersion"] = root.at("agent", "version")?.string.map { .string($0) }
        head["model"] = root.at("agent", "model_name")?.string.map { .string($0) }
        self.head = head
    }

    /// Parses one step; nil for a step that is too large to be parsed.
    private static func step(_ raw: ArraySlice<UInt8>) throws(JSONSyntaxError) -> JSONValue? {
        raw.count <= longestStep ? try JSONValue(parsing: raw) : nil
    }

    // MARK: Usage

    /// The sum of the steps' tokens and cost.
    private struct StepTotals {
        private var steps = 0
        private var sums: [String: Double] = [:]

        mutating func add(_ step: JSONValue?) {
            steps += 1
            for name in ["prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd"] {
                if let value = Trajectory.number(step?.at("metrics", name)) { sums[name, default: 0] += value }
            }
        }

        func usage(final: JSONValue?) -> AgentUsage {
            func count(_ total: String, _ each: String) -> Int? {
                (Trajectory.number(final?[total]) ?? sums[each]).map { Int(min($0, Trajectory.largest)) }
            }
            let prompt = count("total_prompt_tokens", "prompt_tokens")
            let completion = count("total_completion_tokens", "completion_tokens")
            let cached = count("total_cached_tokens", "cached_tokens")
            var usage = AgentUsage()
            if prompt != nil || completion != nil || cached != nil {
                usage.tokens = TokenUsage(prompt: prompt ?? 0, completion: completion ?? 0, cached: cached ?? 0)
            }
            usage.costUSD = Trajectory.number(final?["total_cost_usd"]) ?? sums["cost_usd"]
            usage.steps = Trajectory.number(final?["total_steps"]).map { Int($0) } ?? steps
            return usage
        }
    }

    /// No true count is larger, and sums over many trials must not overflow.
    private static let largest = 1e12

    private static func number(_ value: JSONValue?) -> Double? {
        guard let number = value?.double, number.isFinite, number >= 0, number <= largest else { return nil }
        return number
    }

    // MARK: As a transcript

    /// Writes the trajectory as lines of a transcript (docs/schemas/transcript.schema.json); writes no further step once `limit` bytes are
    /// written.
    func writeTranscript(to file: inout LineFile, limit: Int) throws(PackStore.Failure) {
        try file.write(head)
        var failure: PackStore.Failure?
        var number = 0
        var left = 0
        var reader = JSONReader(bytes)
        // `init` has parsed the same bytes without an error.
        try? reader.object { key, reader throws(JSONSyntaxError) in
            guard key == "steps" else { return try reader.skip() }
            try reader.array { reader throws(JSONSyntaxError) in
                number += 1
                let raw = try reader.rawValue()
                guard failure == nil else { return }
                guard file.length < limit, let step = try Self.step(raw) else {
                    left += raw.count
                    return
                }
                do throws(PackStore.Failure) { try add(step, number: number, limit: limit, to: &file, left: &left) } catch { failure = error }
            }
        }
        if let failure { throw failure }
        if left > 0 {
            let text = "[assay: \(left) bytes of the trajectory are not told here; \(Self.name) has them]"
            try file.write(["type": "cut", "bytes": JSONValue(left), "text": .string(text)])
        }
        var line: JSONValue = ["type": "usage"]
        line["promptTokens"] = usage.tokens.map { JSONValue($0.prompt) }
        line["completionTokens"] = usage.tokens.map { JSONValue($0.completion) }
        line["cachedTokens"] = usage.tokens.map { JSONValue($0.cached) }
        line["costUSD"] = usage.costUSD.map { .double($0) }
        line["steps"] = usage.steps.map { JSONValue($0) }
        try file.write(line)
    }

    private func add(
        _ step: JSONValue, number: Int, limit: Int, to file: inout LineFile, left: inout Int
    ) throws(PackStore.Failure) {
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
        try file.write(message)
        for call in step["tool_calls"]?.array ?? [] {
            guard file.length < limit else {
                left += call.serialized().count
                continue
            }
            var tool = line("tool_call")
            tool["id"] = call["tool_call_id"]?.string.map { .string($0) }
            tool["name"] = .string(call["function_name"]?.string ?? "")
            tool["arguments"] = call["arguments"]
            try file.write(tool)
        }
        for result in step.at("observation", "results")?.array ?? [] {
            guard file.length < limit else {
                left += result.serialized().count
                continue
            }
            var tool = line("tool_result")
            tool["id"] = result["source_call_id"]?.string.map { .string($0) }
            tool["text"] = .string(Self.text(result["content"]))
            try file.write(tool)
        }
    }

    private static func role(_ source: String?) -> String {
        switch source {
        case "system", "user": source ?? ""
        default: "assistant"
        }
    }

    /// A text, or the texts of a list of parts, joined.
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
