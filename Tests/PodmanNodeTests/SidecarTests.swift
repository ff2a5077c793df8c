import AssayTesting
import Base
import KubeCore
import Testing

@testable import PodmanNode

/// Native sidecars with real containers.
@Suite(.node) struct SidecarTests {
    private var harness: NodeHarness { get throws { try #require(NodeHarness.current) } }

    private static let shared: [String: JSONValue] = ["volumeMounts": [["name": "v", "mountPath": "/v"]]]
    private static let volume: [String: JSONValue] = ["volumes": [["name": "v", "emptyDir": [:]]]]

    private func sidecar(_ name: String, _ script: String, probe: JSONValue? = nil) -> JSONValue {
        var more = Self.shared
        more["restartPolicy"] = "Always"
        if let probe { more["startupProbe"] = probe }
        return shell(name, script, more)
    }

    private func log(_ pod: String, _ container: String) async throws -> String {
        String(decoding: try await harness.log(pod, container), as: UTF8.self)
    }

    /// A server that begins to listen when a file appears, and says at its end that it ended.
    private func server(_ name: String, port: Int) -> String {
        """
        trap 'echo \(name) >> /v/order; exit 0' TERM
        until [ -e /v/\(name)-may-start ]; do sleep 0.1; done
        mkdir -p /tmp/\(name) && cd /tmp/\(name) && echo ok > health
        python3 -m http.server --bind 127.0.0.1 \(port) & wait
        """
    }

    @Test("sidecars start one after the other when their probes succeed, are reached by name, and end in reverse after the trial")
    func order() async throws {
        let harness = try harness
        let http: JSONValue = ["httpGet": ["port": 8091, "path": "/health"], "periodSeconds": 1, "failureThreshold": 600]
        let tcp: JSONValue = ["tcpSocket": ["port": 8092], "periodSeconds": 1, "failureThreshold": 600]
        let exec: JSONValue = [
            "exec": ["command": ["/bin/bash", "-c", "test \"$1\" = $(WORD) && test -e /tmp/third/health", "x", "a b"]], "periodSeconds": 1,
            "failureThreshold": 600,
            "timeoutSeconds": 5,
        ]
        var third = try #require(sidecar("third", server("third", port: 8093), probe: exec).object)
        third["env"] = [["name": "WORD", "value": "\"a b\""]]
        let allow = { (name: String) in shell("allow-\(name)", "touch /v/\(name)-may-start", Self.shared) }
        let trial = shell(
            "trial", "for p in first:8091 second:8092 third:8093; do (exec 3<>/dev/tcp/${p/:/\\/}) && echo $p; done; echo trial >> /v/order",
            Self.shared)
        let spec = podSpec(
            [trial],
            initContainers: [
                allow("first"), sidecar("first", server("first", port: 8091), probe: http), allow("second"),
                sidecar("second", server("second", port: 8092), probe: tcp), allow("third"), .object(third),
            ],
            Self.volume.merging([
                "hostAliases": [["ip": "127.0.0.1", "hostnames": ["first", "second", "third"]]], "terminationGracePeriodSeconds": 60,
            ]) { $1 })
        try await harness.create("sidecars", spec)
        let pod = try await harness.waitEnded("sidecars", within: 240)
        #expect(pod.at("status", "phase") == "Succeeded", "\(pod["status"]?.text ?? "")")
        #expect(try await log("sidecars", "trial") == "first:8091\nsecond:8092\nthird:8093\n")
        // Each was told to end when the one after it had ended.
        let ends = ["trial", "third", "second", "first"].map { pod.ended($0)?["finishedAt"]?.string ?? "" }
        #expect(ends == ends.sorted(), "\(ends)")
        #expect(["third", "second", "first"].allSatisfy { pod.container($0)?["restartCount"] == 0 && pod.ended($0)?["exitCode"] == 0 })
    }

    @Test("a sidecar whose startup probe fails is ended and started again, and nothing after it begins")
    func failingProbe() async throws {
        let harness = try harness
        let probe: JSONValue = [
            "exec": ["command": ["/bin/bash", "-c", "echo not yet; test -e /v/second-run"]], "periodSeconds": 1, "timeoutSeconds": 90,
            "failureThreshold": 2,
        ]
        let script = "trap 'touch /v/second-run; exit 7' TERM; while :; do sleep 0.1; done"
        let spec = podSpec([shell("trial", "true", Self.shared)], initContainers: [sidecar("slow", script, probe: probe)], Self.volume)
        let watching = harness.record("failing-probe") { ["Succeeded", "Failed"].contains($0.at("status", "phase")?.string ?? "") }
        try await harness.create("failing-probe", spec)
        let seen = try await watching.value
        let pod = try #require(seen.last)
        #expect(pod.at("status", "phase") == "Succeeded")
        #expect(pod.container("slow")?["restartCount"] == 1)
        #expect(pod.container("slow")?.at("lastState", "terminated", "exitCode") == 7)
        // While the first instance ran, the pod was pending and the trial waited.
        let early = seen.filter { $0.container("slow")?["restartCount"] == 0 && $0.isRunning("slow") }
        #expect(!early.isEmpty && early.allSatisfy { $0.at("status", "phase") == "Pending" && $0.waiting("trial") == "PodInitializing" })
        #expect(
            try await eventually {
                let reasons = try await harness.events(about: "failing-probe")
                return reasons.contains("Unhealthy") && reasons.contains("Killing")
            })
    }

    @Test("a sidecar that dies while the trial runs is started again, and its earlier log is kept")
    func dies() async throws {
        let harness = try harness
        let script =
            "if [ -e /v/died ]; then echo again; exec sleep infinity; fi; touch /v/died; echo first; until [ -e /v/go ]; do sleep 0.1; done; exit 3"
        let spec = podSpec([shell("trial", "touch /v/go; \(NodeHarness.hold)", Self.shared)], initContainers: [sidecar("db", script)], Self.volume)
        try await harness.create("dying-sidecar", spec)
        let pod = try await harness.wait("dying-sidecar") { $0.container("db")?["restartCount"] == 1 && $0.isRunning("db") }
        #expect(pod.at("status", "phase") == "Running" && pod.isRunning("trial"))
        #expect(pod.container("db")?.at("lastState", "terminated", "exitCode") == 3)
        #expect(try await eventually { try await log("dying-sidecar", "db") == "again\n" })
        var previous = LogOptions()
        previous.previous = true
        #expect(try await harness.log("dying-sidecar", "db", options: previous) == Array("first\n".utf8))
        try await harness.release("dying-sidecar", "trial")
        let ended = try await harness.waitEnded("dying-sidecar")
        #expect(ended.at("status", "phase") == "Succeeded")
    }
}
