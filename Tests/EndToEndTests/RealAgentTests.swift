import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// A real agent from PyPI in a real trial; only the model behind it is scripted.
    @Suite struct RealAgentTests {
        private static let key = "sk-test-5c1f0e7d94b24a6f8e3a"

        /// examples/mini-swe-agent.yaml, with this bench's repositories and the scripted model in place of the real ones.
        private static func job(model: ScriptedModel) throws -> String {
            var job = try String(contentsOfFile: "\(Workbench.root)/examples/mini-swe-agent.yaml", encoding: .utf8)
            for (theirs, ours) in [
                ("repo: https://github.com/acme/benchmark", "repo: benchmark"), ("- path: tasks", "- path: test-dataset\n    include: [hello-world]"),
                ("value: openai/gpt-5-mini", "value: openai/scripted-1"),
                (
                    "    env:\n",
                    "    env:\n    - {name: OPENAI_BASE_URL, value: \"http://\(model.address)/v1\"}\n    - {name: MSWEA_COST_TRACKING, value: ignore_errors}\n"
                ),
                ("  environment:\n", "  environment:\n    image: rootfs:/\n"),
                ("remote: https://github.com/acme/eval-results", "remote: results.git"),
            ] {
                try #require(job.contains(theirs), "the example has no \(theirs)")
                job = job.replacing(theirs, with: ours)
            }
            return JobFiles.secret("llm", ["api-key": key]) + job
        }

        @Test func miniSWEAgentInstalledFromPyPISolvesATaskAndItsKeyIsInNoResult() async throws {
            try await Workbench.with("mini-swe-agent") { bench in
                try await bench.useTestDataset()
                let model = try await ScriptedModel(
                    key: Self.key, log: "\(bench.directory)/requests.jsonl",
                    commands: [
                        #"printf 'Hello, world!\n' > hello.txt; env | grep -c OPENAI_API_KEY; echo "my key is $OPENAI_API_KEY""#,
                        "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
                    ])
                try bench.write("job.yaml", try Self.job(model: model))
                let began = SystemTime().monotonic()
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                let run = try #require(branch.runs(agent: "mini-swe-agent").first)
                if branch.errorType(task: "hello-world")?.hasPrefix("agent_install") == true {
                    Issue.record(
                        "mini-swe-agent could not be installed: this test needs PyPI (pypi.org and files.pythonhosted.org) to be reachable from containers: \(branch.errorMessage(task: "hello-world"))"
                    )
                    return
                }
                #expect(run["reward"]?.double == 1 && run["error"] == nil, "\(run.text)")
                let seconds = { (phase: String) in (run.at("timings", phase, "seconds")?.double ?? 0).rounded(to: 1) }
                print(
                    "mini-swe-agent: \((SystemTime().monotonic() - began).rounded(to: 1)) s; install \(seconds("install")) s, execute \(seconds("execute")) s"
                )

                // The model saw the task, with the right key, and the output of the agent's command.
                let requests = try bench.read("requests.jsonl").split(separator: "\n").map { try JSONValue(parsing: String($0)) }
                #expect(requests.count == 2 && requests.allSatisfy { $0["allowed"] == true && $0["model"] == "scripted-1" })
                #expect(requests.first?.text.contains("Create a file called `hello.txt`") == true)
                #expect(requests.last?.text.contains("my key is \(Self.key)") == true, "the agent had the key")

                // Every object of the results' repository, of the local store and of the operator's own state, packed or not.
                let objects = try await bench.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)", in: bench.results)
                let names = objects.split(separator: "\n").filter { !$0.hasSuffix("tree") }.compactMap {
                    $0.split(separator: " ").first.map(String.init)
                }
                try #require(names.count > 5)
                for name in names {
                    #expect(try await !bench.git("cat-file", "-p", name, in: bench.results).contains(Self.key), "object \(name)")
                }
                let trajectory = try await bench.output(ofAgent: "mini-swe-agent", "logs/agent/mini.traj.json")
                #expect(trajectory.contains("my key is [redacted]"), "what the agent printed is kept, without the key")
                #expect(run.at("outputs", "redacted", "OPENAI_API_KEY")?.int ?? 0 > 0)
                #expect(!run.text.contains(Self.key))
            }
        }
    }
}

/// A server that speaks OpenAI's chat API and answers with the given commands, one after the other, as calls of the tool `bash`. It
/// listens on an address of this machine that containers reach.
private final class ScriptedModel: Sendable {
    private let process: RunningCommand
    /// Host and port.
    let address: String

    init(key: String, log: String, commands: [String]) async throws {
        let output = Locked("")
        process = try RunningCommand.start(
            Command("python3", ["-c", Self.server, key, log, JSONValue.array(commands.map { .string($0) }).text]),
            onStdout: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } },
            onStderr: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
        try await eventually("the scripted model's address") { output.withLock { $0.contains("\n") } }
        address = output.withLock { $0.trimmed }
        try #require(address.wholeMatch(of: /[0-9.]+:[0-9]+/) != nil, "\(address)")
    }

    deinit { process.signal(SIGKILL) }

    private static let server = #"""
        import http.server, json, socket, sys
        key, log, commands = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_): pass

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                allowed = self.headers.get("Authorization") == "Bearer " + key
                with open(log, "a") as file:
                    file.write(json.dumps({"path": self.path, "allowed": allowed, "model": request["model"], "messages": request["messages"]}) + "\n")
                if not allowed:
                    return self.answer(401, {"error": {"message": "the key is wrong"}})
                step = sum(message["role"] == "assistant" for message in request["messages"])
                arguments = json.dumps({"command": commands[min(step, len(commands) - 1)]})
                call = {"id": f"call_{step}", "type": "function", "function": {"name": "bash", "arguments": arguments}}
                message = {"role": "assistant", "content": f"Step {step + 1}.", "tool_calls": [call]}
                self.answer(200, {"id": f"c{step}", "object": "chat.completion", "created": 0, "model": request["model"],
                                  "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
                                  "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}})

            def answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        # This machine's address on the way out: containers reach it as they reach any other.
        way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        way.connect(("192.0.2.1", 9))
        server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        print(f"{way.getsockname()[0]}:{server.server_port}", flush=True)
        server.serve_forever()
        """#
}
