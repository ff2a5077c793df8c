/// A transcript as a list of steps, within the limits of a page.
struct TranscriptView {
    private(set) var html = HTML.empty
    /// Whether something did not fit.
    private(set) var isCut = false
    private var left = RunLimits.transcript

    init(_ transcript: Transcript) {
        var items: [HTML] = []
        var number = 0
        for entry in transcript.entries {
            guard left > 0 else {
                isCut = true
                break
            }
            number += 1
            switch entry {
            case .step(let step): items.append(item(step, number))
            case .raw(let line): items.append(tag("li", .classes("step", "line")) { tag("pre", text: take(line)) })
            }
        }
        html = .element("ol", [.classes("transcript")], items)
    }

    private mutating func item(_ step: Transcript.Step, _ number: Int) -> HTML {
        let parts = step.parts.map { part($0) }
        let role = Self.look(step.role)
        return tag("li", .classes("step", role)) {
            tag("p", .classes("who")) {
                tag("b", text: String(step.role.name.prefix(40)))
                tag("span", .classes("remark"), text: "\(number)" + (step.time.map { " · " + String($0.prefix(40)) } ?? ""))
            }
            parts
        }
    }

    private static func look(_ role: Transcript.Role) -> CSSClass {
        switch role {
        case .system: "system"
        case .user: "user"
        case .assistant: "assistant"
        case .tool: "tool"
        case .other: "line"
        }
    }

    private mutating func part(_ part: Transcript.Part) -> HTML {
        switch part {
        case .text(let text): return tag("pre", .classes("said"), text: take(text))
        case .reasoning(let text):
            let text = take(text)
            return tag("details", .classes("thought")) {
                tag("summary", text: "reasoning")
                tag("pre", text: text)
            }
        case .call(let name, let input):
            let input = take(input)
            return tag("div", .classes("call")) {
                tag("p") {
                    tag("span", .classes("remark"), text: "calls ")
                    tag("b", .classes("code"), text: String(name.prefix(200)))
                }
                if !input.isEmpty { tag("pre", text: input) }
            }
        case .result(let text, let isError):
            let text = take(text)
            return tag("div", .classes("result")) {
                tag("p", .classes("remark"), text: isError ? "result: an error" : "result")
                tag("pre", text: text.isEmpty ? "(nothing)" : text)
            }
        }
    }

    private mutating func take(_ text: String) -> String {
        let limit = min(RunLimits.part, left)
        left -= min(text.utf8.count, limit)
        guard text.utf8.count > limit else { return text }
        isCut = true
        let kept = InertText.prefix(Array(text.utf8)[...], limit)
        return String(decoding: kept, as: UTF8.self) + "\n\u{2026} \(Figures.bytes(text.utf8.count - kept.count)) more"
    }
}

extension Transcript {
    var hasSteps: Bool { entries.contains { if case .step = $0 { true } else { false } } }
}
