import Base
import Testing

@testable import Dashboard

/// Sessions in the formats of agents.
@Suite struct TranscriptTests {
    private func steps(_ lines: String) -> [Transcript.Entry] { Transcript(jsonLines: Array(lines.utf8)[...], limit: 100).entries }

    @Test("the formats of several agents are read as steps")
    func dialects() {
        #expect(steps(#"{"role":"user","content":"hello"}"#) == [.step(.init(role: .user, time: nil, parts: [.text("hello")]))])
        #expect(
            steps(#"{"role":"assistant","content":"on it","tool_calls":[{"function":{"name":"sh","arguments":"{\"command\":\"ls\\npwd\"}"}}]}"#)
                == [.step(.init(role: .assistant, time: nil, parts: [.text("on it"), .call(name: "sh", input: "ls\npwd")]))])
        #expect(steps(#"{"role":"tool","content":"ok"}"#) == [.step(.init(role: .tool, time: nil, parts: [.result("ok", isError: false)]))])
        // The format of Claude Code's stream.
        #expect(
            steps(
                #"{"type":"assistant","timestamp":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"hi"},{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}}"#
            )
                == [
                    .step(
                        .init(
                            role: .assistant, time: "2026-01-01T00:00:00Z", parts: [.reasoning("hm"), .text("hi"), .call(name: "Bash", input: "ls")]))
                ])
        #expect(
            steps(
                #"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"is_error":true}]}}"#
            )
                == [.step(.init(role: .tool, time: nil, parts: [.result("a\nb", isError: true)]))])
        // The format of Codex.
        #expect(
            steps(#"{"type":"item.completed","item":{"type":"command_execution","command":"ls","aggregated_output":"x","exit_code":1}}"#)
                == [.step(.init(role: .tool, time: nil, parts: [.call(name: "command", input: "ls"), .result("x", isError: true)]))])
        #expect(
            steps(#"{"type":"item.completed","item":{"type":"agent_message","text":"done"}}"#)
                == [.step(.init(role: .assistant, time: nil, parts: [.text("done")]))])
    }

    @Test("the lines that the collector writes")
    func collected() {
        let lines = #"""
            {"agent":"coder","model":"m-1","schemaVersion":1,"source":"output","type":"session"}
            {"role":"user","step":1,"text":"Fix it.","type":"message"}
            {"arguments":{"command":"make"},"id":"c1","name":"bash","step":2,"type":"tool_call"}
            {"id":"c1","step":2,"text":"Error 2","type":"tool_result"}
            {"stream":"stderr","text":"one\ntwo\n","type":"output"}
            {"bytes":190000,"stream":"stdout","text":"[left out]","type":"cut"}
            """#
        #expect(
            steps(lines) == [
                .step(.init(role: .other("session"), time: nil, parts: [.text("agent: coder\nmodel: m-1\nsource: output")])),
                .step(.init(role: .user, time: nil, parts: [.text("Fix it.")])),
                .step(.init(role: .assistant, time: nil, parts: [.call(name: "bash", input: "make")])),
                .step(.init(role: .tool, time: nil, parts: [.result("Error 2", isError: false)])),
                .step(.init(role: .other("stderr"), time: nil, parts: [.result("one\ntwo\n", isError: false)])),
                .step(.init(role: .other("cut"), time: nil, parts: [.text("[left out]")])),
            ])
    }

    @Test(
        "a line that is not a step is kept as text",
        arguments: [
            "no JSON at all", "{\"half\":", "[1,2]", "17", "{\"step\":1}", "{\"role\":\"user\"}", "{\"role\":7,\"content\":\"x\"}",
            "{\"type\":\"result\"}", "{\"message\":{\"content\":null}}",
        ])
    func raw(_ line: String) {
        #expect(steps(line + "\n\n") == [.raw(line)])
    }

    @Test("the steps of a trajectory, with calls and results")
    func trajectory() throws {
        let text = #"""
            {"schema_version":"ATIF-v1.4","session_id":"s","agent":{"name":"a"},"steps":[
              {"step_id":1,"timestamp":"2026-01-01T00:00:00Z","source":"user","message":"do it"},
              {"step_id":2,"source":"agent","message":"","reasoning_content":"so","tool_calls":[{"tool_call_id":"1","function_name":"bash","arguments":{"keystrokes":"ls"}}],
               "observation":{"results":[{"source_call_id":"1","content":"file"}]}},
              {"step_id":3}]}
            """#
        let read = try #require(Transcript(trajectory: Array(text.utf8), limit: 10))
        #expect(
            read.entries == [
                .step(.init(role: .user, time: "2026-01-01T00:00:00Z", parts: [.text("do it")])),
                .step(
                    .init(role: .assistant, time: nil, parts: [.reasoning("so"), .call(name: "bash", input: "ls"), .result("file", isError: false)])),
                .raw("{\"step_id\":3}"),
            ])
        #expect(Transcript(trajectory: Array("{}".utf8), limit: 10) == nil)
    }

    @Test("limits on entries and text, with a note when something is cut")
    func limits() {
        let many = Transcript(jsonLines: Array(String(repeating: "{\"role\":\"user\",\"content\":\"x\"}\n", count: 30).utf8)[...], limit: 10)
        #expect(many.entries.count == 10 && many.omitted == 20)
        let long = String(repeating: "x", count: RunLimits.part + 1000)
        #expect(TranscriptView(Transcript(jsonLines: Array("{\"role\":\"user\",\"content\":\"\(long)\"}".utf8)[...], limit: 10)).isCut)
        // Indented with a thousand blanks, each of these numbers would be on a separate line.
        let nested =
            "{\"role\":\"tool\",\"content\":" + String(repeating: "[", count: 500) + Array(repeating: "1", count: 300_000).joined(separator: ",")
            + String(repeating: "]", count: 500) + "}"
        let entries = Transcript(jsonLines: Array(nested.utf8)[...], limit: 10).entries
        #expect(entries.count == 1 && "\(entries)".utf8.count < 3 * RunLimits.part)
        let deep = String(repeating: "[", count: 100_000)
        #expect(Transcript(jsonLines: Array(deep.utf8)[...], limit: 10).entries == [.raw(deep)])
    }
}
