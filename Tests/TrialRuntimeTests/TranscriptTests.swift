import AssayTesting
import Base
import EvalModel
import Foundation
import Testing
import TrialRuntime

/// transcript.jsonl, whatever an agent leaves to make it of.
@Suite("Transcripts", .timeLimit(.minutes(10)))
struct TranscriptTests {
    private func run(
        _ execute: String, install: String? = nil, variables: [String: String] = [:], executeSec: Double = 20,
        _ change: (inout CollectorConfiguration) -> Void = { _ in }
    ) async throws -> TrialRig.Ended {
        let rig = try TrialRig(
            install: install, execute: "cd $ASSAY_ROOT/logs/agent || exit 1\n" + execute, test: "echo 1 > $ASSAY_ROOT/logs/verifier/reward.txt",
            variables: variables
        ) { $0.steps[0].limits.executeSec = executeSec }
        return try await rig.run(change)
    }

    private func lines(_ ended: TrialRig.Ended) throws -> [JSONValue] {
        let text = try #require(ended.text("transcript.jsonl"))
        #expect(text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    }

    /// Every line is one of those that the schema has, with no other field.
    private func expectOurs(_ lines: [JSONValue]) throws {
        let schema = try SchemaCheck("transcript.schema.json")
        for line in lines { #expect(schema.problems(line, as: line["type"]?.string ?? "none") == [], "\(line.text)") }
    }

    @Test("the agent's own transcript is kept byte for byte")
    func own() async throws {
        let ended = try await run(
            #"printf '{"role": "user",  "text":"hi"}\r\nnot json \377\n' > transcript.jsonl; echo '{"steps":[]}' > trajectory.json; echo out"#)
        #expect(ended.files["transcript.jsonl"] == Array("{\"role\": \"user\",  \"text\":\"hi\"}\r\nnot json ".utf8) + [0xFF, 0x0A])
        #expect(ended.files["transcript.jsonl"] == ended.files["logs/agent/transcript.jsonl"])
        #expect(ended.text("trajectory.json") == "{\"steps\":[]}\n", "the trajectory is kept beside it")
        #expect(ended.report.transcript == "agent" && ended.collected["transcript"] == "agent")
    }

    static let trajectory = #"""
        {"schema_version":"ATIF-v1.4","session_id":"s-1","agent":{"name":"coder","version":"2","model_name":"m-1"},"steps":[
        {"step_id":1,"source":"system","message":"Be brief."},
        {"step_id":2,"timestamp":"2026-01-01T00:00:00Z","source":"user","message":[{"type":"text","text":"Do"},{"type":"image","source":{}},{"type":"text","text":"it."}]},
        {"step_id":3,"source":"agent","message":"","model_name":"m-2","reasoning_content":"hm","tool_calls":[{"tool_call_id":"c1","function_name":"bash","arguments":{"command":"ls $TOKEN sup3r-secret-value"}}],
         "observation":{"results":[{"source_call_id":"c1","content":"a\nb"},{"content":null}]},"metrics":{"prompt_tokens":100,"completion_tokens":20,"cached_tokens":50,"cost_usd":0.01}},
        {"step_id":4,"source":"agent","message":"Done.","metrics":{"prompt_tokens":200,"completion_tokens":30,"cost_usd":0.02}}]FINAL}
        """#

    private func write(final: String) -> String {
        "cat > trajectory.json <<'END'\n\(Self.trajectory.replacingOccurrences(of: "FINAL", with: final))\nEND"
    }

    @Test("a trajectory becomes a transcript step by step, and its totals are reported")
    func trajectory() async throws {
        let totals =
            #","final_metrics":{"total_prompt_tokens":1000,"total_completion_tokens":200,"total_cached_tokens":300,"total_cost_usd":0.125,"total_steps":4}"#
        let ended = try await run(
            write(final: totals) + "\necho printed; : > transcript.jsonl",
            variables: ["ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN", "ASSAY_SECRET_0": "sup3r-secret-value"])
        #expect(ended.report.usage == AgentUsage(tokens: TokenUsage(prompt: 1000, completion: 200, cached: 300), costUSD: 0.125, steps: 4))
        #expect(ended.report.outcome.tokens == TokenUsage(prompt: 1000, completion: 200, cached: 300))
        #expect(ended.report.transcript == "trajectory", "an empty transcript is none")
        #expect(ended.files["trajectory.json"] == ended.files["logs/agent/trajectory.json"])
        let lines = try lines(ended)
        try expectOurs(lines)
        #expect(
            lines == [
                [
                    "type": "session", "schemaVersion": 1, "source": "trajectory", "format": "ATIF-v1.4", "sessionId": "s-1", "agent": "coder",
                    "agentVersion": "2", "model": "m-1",
                ],
                ["type": "message", "step": 1, "role": "system", "text": "Be brief."],
                ["type": "message", "step": 2, "timestamp": "2026-01-01T00:00:00Z", "role": "user", "text": "Do\n[image]\nit."],
                ["type": "message", "step": 3, "role": "assistant", "text": "", "reasoning": "hm", "model": "m-2"],
                ["type": "tool_call", "step": 3, "id": "c1", "name": "bash", "arguments": ["command": "ls $TOKEN [redacted]"]],
                ["type": "tool_result", "step": 3, "id": "c1", "text": "a\nb"],
                ["type": "tool_result", "step": 3, "text": ""],
                ["type": "message", "step": 4, "role": "assistant", "text": "Done."],
                ["type": "usage", "promptTokens": 1000, "completionTokens": 200, "cachedTokens": 300, "costUSD": 0.125, "steps": 4],
            ])
    }

    @Test(
        "without totals the steps' figures are added up; what is no figure is not believed",
        arguments: [
            ("", AgentUsage(tokens: TokenUsage(prompt: 300, completion: 50, cached: 50), costUSD: 0.03, steps: 4)),
            (
                #","final_metrics":{"total_prompt_tokens":7}"#,
                AgentUsage(tokens: TokenUsage(prompt: 7, completion: 50, cached: 50), costUSD: 0.03, steps: 4)
            ),
            (
                #","final_metrics":{"total_prompt_tokens":-1,"total_completion_tokens":"many","total_cached_tokens":1e300,"total_cost_usd":null}"#,
                AgentUsage(tokens: TokenUsage(prompt: 300, completion: 50, cached: 50), costUSD: 0.03, steps: 4)
            ),
        ] as [(String, AgentUsage)])
    func sums(final: String, usage: AgentUsage) async throws {
        let ended = try await run(write(final: final))
        #expect(ended.report.usage == usage)
    }

    @Test("without either, the transcript has the agent's output: JSON objects unchanged, other lines as text")
    func output() async throws {
        let ended = try await run(
            #"""
            echo one; echo two; echo ' {"type":"assistant",  "x":[1]} '; echo '{broken}'; echo '[1]'; printf 'bad \377 \033[31m end'
            echo careful >&2; echo '{"type":"warning"}' >&2
            """#)
        #expect(ended.report.transcript == "output")
        let text = try #require(ended.text("transcript.jsonl"))
        #expect(text.contains("\n{\"type\":\"assistant\",  \"x\":[1]}\n"), "byte for byte: \(text)")
        let lines = try lines(ended)
        try expectOurs(lines.filter { $0["type"] != "assistant" && $0["type"] != "warning" })
        #expect(
            lines == [
                ["type": "session", "schemaVersion": 1, "source": "output"],
                ["type": "output", "stream": "stdout", "text": "one\ntwo\n"],
                ["type": "assistant", "x": [1]],
                ["type": "output", "stream": "stdout", "text": "{broken}\n[1]\nbad \u{FFFD} \u{1B}[31m end"],
                ["type": "output", "stream": "stderr", "text": "careful\n"],
                ["type": "warning"],
            ])
        #expect(ended.collected["files"]?.int == ended.files.keys.count { $0.hasPrefix("logs/") }, "what was made of them is none of the outputs")
    }

    @Test("every run in which an agent ran has a transcript: silent, failed, too late; one without an agent has none")
    func always() async throws {
        for execute in ["true", "exit 3", "sleep 30"] {
            let ended = try await run(execute, executeSec: execute == "sleep 30" ? 0.3 : 20)
            #expect(try lines(ended) == [["type": "session", "schemaVersion": 1, "source": "output"]], "\(execute)")
        }
        let none = try await run("true", install: "exit 3")
        #expect(none.files["transcript.jsonl"] == nil && none.report.transcript == nil)
    }

    @Test(
        "an invalid trajectory is kept as a file, and the transcript has the output instead",
        arguments: ["{", "[]", #"{"steps":3}"#, #"{"steps":[{]}"#])
    func noTrajectory(text: String) async throws {
        let ended = try await run("printf '%s' '\(text)' > trajectory.json; echo said")
        #expect(ended.report.usage == nil && ended.report.transcript == "output")
        #expect(ended.text("trajectory.json") == text)
        #expect(try lines(ended).last == ["type": "output", "stream": "stdout", "text": "said\n"])
    }

    @Test("the readable parts of a malformed trajectory are in the transcript")
    func strange() async throws {
        let ended = try await run(
            #"echo '{"steps":[null,3,{},{"source":7,"message":{"a":1},"tool_calls":[{}],"observation":{"results":[{"content":[1,"x"]}]}}]}' > trajectory.json"#
        )
        let lines = try lines(ended)
        try expectOurs(lines)
        #expect(lines.count == 8, "\(lines.map(\.text))")
    }

    @Test("a trajectory whose transcript would be many times its length is cut, and the rest is counted")
    func endless() async throws {
        let ended = try await run(
            "{ printf '{\"steps\":[{\"source\":\"user\",\"message\":\"first\"}'; yes ',[]' | head -n 100000 | tr -d '\\n'; printf ']}'; } > trajectory.json"
        ) { $0.limits.trajectory = 400_000 }
        let lines = try lines(ended)
        try expectOurs(lines)
        #expect(ended.report.usage?.steps == 100_001)
        #expect(lines[1]["text"] == "first")
        #expect((ended.files["transcript.jsonl"]?.count ?? .max) < 810_000)
        let told = lines.count { $0["type"] == "message" } - 1
        #expect(lines.dropLast().last?["type"] == "cut" && lines.dropLast().last?["bytes"]?.int == 2 * (100_000 - told))
    }

    @Test("a long output is cut in the middle, between lines, and the transcript says so")
    func cut() async throws {
        let ended = try await run("for i in $(seq 20000); do echo \"line $i of many\"; done; head -c 100000 /dev/zero | tr '\\0' x >&2") {
            $0.limits.transcript = 10_000
        }
        let lines = try lines(ended)
        try expectOurs(lines)
        let cuts = lines.filter { $0["type"] == "cut" }
        #expect(cuts.map { $0["stream"] } == ["stdout", "stderr"])
        func texts(_ stream: String) -> [String] {
            lines.filter { $0["type"] == "output" && $0["stream"]?.string == stream }.compactMap { $0["text"]?.string }
        }
        let told = texts("stdout")
        #expect(told.first?.hasPrefix("line 1 of many\nline 2") == true && told.last?.hasSuffix("line 20000 of many\n") == true)
        #expect(told.joined().split(separator: "\n").allSatisfy { $0.wholeMatch(of: /line [0-9]+ of many/) != nil }, "whole lines only")
        let whole = ended.files["logs/command/stdout.txt"]?.count ?? 0
        #expect(told.joined().utf8.count + (cuts[0]["bytes"]?.int ?? 0) == whole)
        #expect(texts("stderr").joined().utf8.count + (cuts[1]["bytes"]?.int ?? 0) == 100_000, "one line longer than all that is told")
    }

    @Test("a line longer than a piece is split into several, and no character is split")
    func long() async throws {
        let ended = try await run("printf 'ü%.0s' $(seq 20000); echo; echo end")
        let told = try lines(ended).compactMap { $0["text"]?.string }
        #expect(told.count == 3 && told.joined() == String(repeating: "ü", count: 20_000) + "\nend\n")
        #expect(told.allSatisfy { $0.utf8.count <= 16 << 10 })
    }

    @Test("when the outputs are too large for the pack, transcripts lose whole lines, and what is left is JSON")
    func packed() async throws {
        for write in ["> transcript.jsonl", ""] {
            let ended = try await run(
                "for i in $(seq 4000); do echo '{\"n\":'$i',\"x\":\"'$RANDOM$RANDOM$RANDOM$RANDOM'\"}'; done \(write)"
            ) { $0.limits.pack = 40_000 }
            let lines = try lines(ended)
            #expect(lines.contains { $0["n"] == 1 } && lines.contains { $0["n"] == 4000 })
            #expect(lines.count { $0["type"] == "cut" } == 1)
            #expect(ended.report.truncatedFiles > 0)
            #expect((ended.report.pack?.bytes ?? .max) <= 40_000)
        }
    }

    @Test("a trajectory that was cut is not read as a document")
    func cutTrajectory() async throws {
        let ended = try await run(
            "{ echo '{\"steps\":[{\"message\":\"'; head -c 60000 /dev/urandom | base64 -w0; echo '\"}]}'; } > trajectory.json; echo said"
        ) {
            $0.limits.pack = 30_000
        }
        #expect(ended.files["trajectory.json"] == nil && ended.files["logs/agent/trajectory.json"] != nil)
        #expect(ended.report.truncatedFiles >= 1)
    }
}
