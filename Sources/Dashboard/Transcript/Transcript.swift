import Base

/// An agent's session as steps, read from JSON lines in the formats of several agents, or from an ATIF trajectory.
///
/// No line is an error: a line in an unknown format is kept as text.
struct Transcript: Sendable {
    enum Role: Sendable, Hashable {
        case system, user, assistant, tool
        case other(String)

        var name: String {
            switch self {
            case .system: "system"
            case .user: "user"
            case .assistant: "assistant"
            case .tool: "tool"
            case .other(let name): name
            }
        }

        init(_ name: String) {
            switch name.lowercased() {
            case "system", "developer": self = .system
            case "user", "human": self = .user
            case "assistant", "agent", "model", "ai": self = .assistant
            case "tool", "function", "tool_result", "observation": self = .tool
            default: self = .other(name)
            }
        }
    }

    enum Part: Sendable, Hashable {
        case text(String)
        case reasoning(String)
        case call(name: String, input: String)
        case result(String, isError: Bool)
    }

    struct Step: Sendable, Hashable {
        var role: Role
        var time: String?
        var parts: [Part]
    }

    enum Entry: Sendable, Hashable {
        case step(Step)
        /// A line that is not a step in a known format.
        case raw(String)
    }

    var entries: [Entry]
    /// The number of entries left out at the end.
    var omitted: Int

    /// - Parameter limit: the most entries to keep.
    init(jsonLines bytes: ArraySlice<UInt8>, limit: Int) {
        entries = []
        omitted = 0
        for line in bytes.split(separator: 10) {
            guard line.contains(where: { $0 > 0x20 }) else { continue }
            guard entries.count < limit else {
                omitted += 1
                continue
            }
            let step = (try? JSONValue(parsing: line)).flatMap { Step($0) }
            entries.append(step.map { .step($0) } ?? .raw(String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)))
        }
    }

    /// - Returns: nil when the bytes are not a trajectory.
    init?(trajectory bytes: [UInt8], limit: Int) {
        guard let steps = (try? JSONValue(parsing: bytes))?["steps"]?.array else { return nil }
        entries = steps.prefix(limit).map { value in Step(value).map { .step($0) } ?? .raw(value.text) }
        omitted = max(0, steps.count - limit)
    }
}

extension Transcript.Step {
    /// A line of a session. Known formats: `{role, content, tool_calls}` of chat APIs, `{type, message}` of Claude Code,
    /// `{type: item.completed, item}` of Codex, `{source, message, tool_calls, observation}` of ATIF, and `{type, text}`.
    init?(_ value: JSONValue) {
        guard value.object != nil else { return nil }
        if let inner = value["message"], inner.object != nil, inner["content"] != nil || inner["role"] != nil {
            self.init(role: inner["role"]?.string ?? value["type"]?.string, inner)
        } else if let item = value["item"], item.object != nil {
            self.init(item: item)
        } else if let line = Self.own(value) {
            self = line
        } else if let source = value["source"]?.string, value["message"] != nil || value["tool_calls"] != nil || value["observation"] != nil {
            self.init(role: source, value)
        } else if let role = value["role"]?.string ?? Self.author(value) {
            self.init(role: role, value)
        } else {
            return nil
        }
        time = (value["timestamp"] ?? value["time"] ?? value["ts"])?.string
        guard !parts.isEmpty else { return nil }
    }

    /// A line of a transcript that the collector wrote (docs/results.md).
    private static func own(_ value: JSONValue) -> Transcript.Step? {
        guard let type = value["type"]?.string else { return nil }
        switch type {
        case "tool_call":
            guard let name = value["name"]?.string else { return nil }
            return Transcript.Step(role: .assistant, time: nil, parts: [.call(name: name, input: input(value["arguments"] ?? .null))])
        case "output":
            guard let text = value["text"]?.string else { return nil }
            return Transcript.Step(role: .other(value["stream"]?.string ?? type), time: nil, parts: [.result(text, isError: false)])
        case "session", "usage":
            let rest = (value.object ?? [:]).filter { !["type", "schemaVersion"].contains($0.key) }.sorted { $0.key < $1.key }
            return Transcript.Step(
                role: .other(type), time: nil, parts: [.text(rest.map { "\($0.key): \(plain($0.value))" }.joined(separator: "\n"))])
        default: return nil
        }
    }

    /// `{type: assistant, text}` and `{type: tool_result, output}`.
    private static func author(_ value: JSONValue) -> String? {
        guard let type = value["type"]?.string,
            value["text"] != nil || value["content"] != nil || value["output"] != nil || value["result"] != nil || value["message"]?.string != nil
        else { return nil }
        return type
    }

    private init?(role: String?, _ value: JSONValue) {
        guard let role else { return nil }
        self.role = .init(role)
        parts = []
        for key in ["reasoning_content", "reasoning", "thinking"] {
            if let text = value[key]?.string, !text.isEmpty { parts.append(.reasoning(text)) }
        }
        for key in ["content", "message", "text", "output", "result"] { if let content = value[key] { add(content) } }
        for call in value["tool_calls"]?.array ?? [] { add(call: call) }
        if let call = value["function_call"] { add(call: call) }
        if let results = value.at("observation", "results")?.array {
            for result in results { parts.append(.result(Self.plain(result["content"] ?? result), isError: false)) }
        } else if let observation = value["observation"] {
            parts.append(.result(Self.plain(observation), isError: false))
        }
        // The output of a tool is a result, whatever the role of its message is.
        if self.role == .tool { parts = parts.map { if case .text(let text) = $0 { .result(text, isError: false) } else { $0 } } }
        if parts.contains(where: { if case .result = $0 { true } else { false } }), self.role == .user { self.role = .tool }
    }

    private init?(item: JSONValue) {
        let kind = item["type"]?.string ?? item["item_type"]?.string ?? ""
        parts = []
        switch kind {
        case "command_execution":
            role = .tool
            parts = [.call(name: "command", input: Self.plain(item["command"] ?? .null))]
            if let output = item["aggregated_output"]?.string { parts.append(.result(output, isError: item["exit_code"]?.int ?? 0 != 0)) }
        case "reasoning":
            role = .assistant
            parts = [.reasoning(Self.plain(item["text"] ?? item["summary"] ?? .null))]
        default:
            role = .init(item["role"]?.string ?? (kind.contains("user") ? "user" : "assistant"))
            guard let content = item["text"] ?? item["content"] else { return nil }
            add(content)
        }
    }

    private mutating func add(_ content: JSONValue) {
        if let text = content.string {
            if !text.isEmpty { parts.append(.text(text)) }
            return
        }
        guard let blocks = content.array else {
            if !content.isNull { parts.append(.text(Self.plain(content))) }
            return
        }
        for block in blocks {
            switch block["type"]?.string {
            case "text", "input_text", "output_text": parts.append(.text(block["text"]?.string ?? Self.plain(block)))
            case "thinking", "reasoning": parts.append(.reasoning((block["thinking"] ?? block["text"])?.string ?? Self.plain(block)))
            case "tool_use", "tool_call": add(call: block)
            case "tool_result": parts.append(.result(Self.plain(block["content"] ?? .null), isError: block["is_error"]?.bool ?? false))
            case "image", "image_url": parts.append(.text("[an image, left out]"))
            default: parts.append(.text(block.string ?? Self.plain(block)))
            }
        }
    }

    private mutating func add(call: JSONValue) {
        let function = call["function"] ?? call
        let name = (function["name"] ?? function["function_name"] ?? function["tool_name"])?.string ?? "tool"
        parts.append(.call(name: name, input: Self.input(function["arguments"] ?? function["input"] ?? function["args"] ?? .null)))
    }

    /// The input of a tool call. A single text, such as a shell command, is shown without JSON quoting.
    private static func input(_ value: JSONValue) -> String {
        let value = value.string.flatMap { try? JSONValue(parsing: $0) } ?? value
        if let object = value.object, object.count == 1, let only = object.values.first?.string { return only }
        return plain(value)
    }

    /// A string as it is, a list of text parts joined, everything else as JSON.
    private static func plain(_ value: JSONValue) -> String {
        if let text = value.string { return text }
        if value.isNull { return "" }
        if let items = value.array, !items.isEmpty {
            let texts = items.compactMap { $0.string ?? $0["text"]?.string }
            if texts.count == items.count { return texts.joined(separator: "\n") }
        }
        // One byte more than the limit, so that the caller sees that it was cut.
        return String(decoding: value.excerpt(RunLimits.part + 1), as: UTF8.self)
    }
}
