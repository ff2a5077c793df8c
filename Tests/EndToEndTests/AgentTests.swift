import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    @Suite struct AgentTests {
        private static let secretText = "correct-horse-battery-staple"

        @Test("catalogue 58: an agent's secret reaches the agent, and no file on the branch")
        func anAgentIsInstalledRunWithItsEnvironmentAndItsSecretsAreRedacted() async throws {
            try await Workbench.with("agent") { bench in
                try bench.task("ask", instruction: "Say the word, for $5 and \"no\" more.\n")
                try await bench.commitBenchmark()
                let install = "echo installing; echo \"$API_KEY\" >&2; touch /tmp/installed"
                let execute = """
                    set -e
                    test -e /tmp/installed
                    echo "greeting=$GREETING price=$PRICE"
                    echo "length=${#API_KEY}"
                    echo "key=$API_KEY"
                    echo "instruction=$ASSAY_TASK_INSTRUCTION"
                    cmp "$ROLLOUT_TASK_INSTRUCTION" <(printf '%s\\n' "$ASSAY_TASK_INSTRUCTION") && echo "same as $ASSAY_INSTRUCTION_PATH"
                    printf 'before %s after' "$API_KEY" > "/logs/agent/session.txt"
                    mkdir -p /logs/artifacts && echo "$API_KEY$API_KEY" > /logs/artifacts/twice.txt
                    echo '{"role":"user","text":"'"$API_KEY"'"}' > /logs/agent/transcript.jsonl
                    """
                let env: [JSONValue] = [
                    ["name": "GREETING", "value": "hello there"], ["name": "PRICE", "value": "$(GREETING) $$5 $HOME"],
                    ["name": "API_KEY", "valueFrom": ["secretKeyRef": ["name": "llm", "key": "api-key"]]],
                    ["name": "PIN", "valueFrom": ["secretKeyRef": ["name": "llm", "key": "pin"]]],
                ]
                try bench.write(
                    "job.yaml",
                    JobFiles.secret("llm", ["api-key": Self.secretText, "pin": "1234"])
                        + JobFiles.job("agent", agents: JobFiles.agent("caller", install: install, execute: execute, env: env)))
                try await bench.assay("run", "job.yaml", expecting: 0)

                let output = try await bench.output(ofAgent: "caller")
                #expect(output.contains("greeting=hello there price=$(GREETING) $$5 $HOME"), "values arrive unchanged: \(output)")
                #expect(output.contains("length=\(Self.secretText.count)"), "the agent has the value")
                #expect(output.contains("instruction=Say the word, for $5 and \"no\" more."))
                #expect(output.contains("same"))
                let branch = try await bench.branch()
                for name in ["logs/setup/stderr.txt", "logs/agent/session.txt", "logs/artifacts/twice.txt"] {
                    #expect(branch.files.contains { $0.hasSuffix(name) }, "\(name) is on the branch")
                }
                // Every file of every commit, and every message.
                let everything = try await bench.git("log", "-p", "--text", "--format=%B", "assay/runs/v1", in: bench.results)
                #expect(!everything.contains(Self.secretText))
                #expect(try await bench.output(ofAgent: "caller", "logs/agent/session.txt").hasPrefix("before "))

                let run = try #require(branch.runs(agent: "caller").first)
                #expect(run.at("config", "environment") == ["GREETING", "PRICE", "API_KEY", "PIN"], "names, no values")
                #expect(!run.text.contains("hello there"))
                #expect(run.at("outputs", "redactions")?.int ?? 0 >= 5)
                #expect(run.at("outputs", "unredacted") == ["PIN"], "too short to search for, and reported")
            }
        }

        @Test func tokensAndCostAndTheSessionComeFromTheAgentsTrajectory() async throws {
            try await Workbench.with("trajectory") { bench in
                try bench.task("ask")
                try await bench.commitBenchmark()
                let execute = #"""
                    echo said
                    cat > /logs/agent/trajectory.json <<'END'
                    {"schema_version":"ATIF-v1.4","session_id":"s","agent":{"name":"coder","version":"1","model_name":"m-1"},"steps":[
                    {"step_id":1,"source":"user","message":"Do it."},{"step_id":2,"source":"agent","message":"Done.","metrics":{"prompt_tokens":1000,"completion_tokens":200}}],
                    "final_metrics":{"total_cost_usd":0.25}}
                    END
                    """#
                let target = """
                    apiVersion: assay.dev/v1alpha1
                    kind: EvalTarget
                    metadata: {name: default}
                    spec: {type: local, sync: oneshot, cost: {cpuHour: 3600, memoryGiBHour: 0}}
                    ---

                    """
                try bench.write(
                    "job.yaml", target + JobFiles.job("trajectory", agents: JobFiles.agent("coder", execute: execute), environment: "overrideCPUs: 2")
                )
                try await bench.assay("run", "job.yaml", expecting: 0)
                let branch = try await bench.branch()
                let run = try #require(branch.runs(agent: "coder").first)
                #expect(run["tokens"] == ["prompt": 1000, "completion": 200, "cached": 0])
                #expect(run.at("costs", "model")?.double == 0.25)
                // Two CPUs at one dollar per second, for the duration of the phases.
                let seconds = (run["timings"]?.object ?? [:]).values.reduce(0) { $0 + ($1["seconds"]?.double ?? 0) }
                #expect(abs((run.at("costs", "compute")?.double ?? 0) - 2 * seconds) < 0.001, "\(run.text)")
                #expect(run["cost"]?.double == (run.at("costs", "model")?.double ?? 0) + (run.at("costs", "compute")?.double ?? 0))
                let total = try #require(branch.jobs.first)
                #expect(total.at("totals", "tokens") == run["tokens"] && total.at("totals", "cost") == run["cost"])
                #expect(run.at("outputs", "transcript") == "trajectory")
                let transcript = try await bench.output(ofAgent: "coder", "transcript.jsonl").split(separator: "\n").map {
                    try JSONValue(parsing: String($0))
                }
                #expect(transcript.map { $0["type"] } == ["session", "message", "message", "usage"])
                #expect(transcript[2]["role"] == "assistant" && transcript[2]["text"] == "Done.")
                let trailers = try await bench.commits().first { $0.subject.hasPrefix("Run: ") }?.trailers
                #expect(trailers?["Assay-Tokens"] == "1200" && Double(trailers?["Assay-Cost"] ?? "") == run["cost"]?.double)
            }
        }

        @Test func anInstallThatFailsIsItsOwnError() async throws {
            try await Workbench.with("install") { bench in
                try bench.task("any")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    JobFiles.job("install", agents: JobFiles.agent("broken", install: "echo no such package >&2; exit 7", execute: "echo never")))
                try await bench.assay("run", "job.yaml", expecting: 1)
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "any") == "agent_install_failed")
                #expect(branch.runs(task: "any").first?.at("exitCodes", "install")?.int == 7)
                #expect(try await bench.output(ofAgent: "broken", "logs/setup/stderr.txt").contains("no such package"))
                #expect(!branch.files.contains { $0.hasSuffix("command/stdout.txt") }, "nothing was executed")
            }
        }
    }
}
