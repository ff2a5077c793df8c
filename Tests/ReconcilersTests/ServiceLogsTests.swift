import AssayAPI
import AssayTesting
import Base
import KubeClient
import Testing

@testable import Reconcilers

@Suite("Logs of services")
struct ServiceLogsTests {
    /// The parts of an API server that are asked: a Secret and the logs of one container.
    private func logs(secret: ScriptedResponse, log: @escaping @Sendable (_ previous: Bool) -> ScriptedResponse) async throws -> [String: String] {
        let server = try ScriptedServer { request in
            if request.path == "/api/v1/namespaces/evals/secrets/keys" { return secret }
            if request.path == "/api/v1/namespaces/evals/pods/p" { return .json(Self.object) }
            guard request.path == "/api/v1/namespaces/evals/pods/p/log", request.query["container"] == "service-db" else {
                return .failure(404, reason: "NotFound")
            }
            return log(request.query["previous"] == "true")
        }
        let spec = EvalJobSpec(
            source: SourceSpec(repo: "r"), agents: [],
            environment: EnvironmentSpec(env: [EnvironmentVariable(name: "PW", valueFrom: .init(secretKeyRef: .init(name: "keys", key: "password")))])
        )
        let client = KubeClient(config: .direct(server: server.url, token: "t"))
        return try await ServiceLogs(client: client).read(pod(), spec).mapValues { String(decoding: $0, as: UTF8.self) }
    }

    private func pod() throws -> TrialPod { try #require(TrialPod(Self.object)) }

    private static let object: JSONValue = {
        let ended: JSONValue = ["terminated": ["exitCode": 7, "reason": "Error"]]
        return [
            "metadata": ["namespace": "evals", "name": "p", "uid": "u", "labels": ["assay.dev/job-uid": "j", "assay.dev/index": "0"]],
            "spec": [
                "initContainers": [
                    [
                        "name": "delivery", "image": "i",
                        "env": [
                            [
                                "name": "ASSAY_EGRESS",
                                "value": #"{"proxy":"http://127.0.0.1:3128","tokens":{"execute":"e1.token-of-execute"},"names":[]}"#,
                            ]
                        ],
                    ],
                    ["name": "service-db", "restartPolicy": "Always", "image": "i"],
                    ["name": "service-web", "restartPolicy": "Always", "image": "i"],
                ]
            ],
            "status": [
                "initContainerStatuses": [
                    ["name": "service-db", "state": ["running": [:]], "lastState": ended, "restartCount": 1],
                    ["name": "service-web", "state": ["waiting": ["reason": "PodInitializing"]]],
                ]
            ],
        ]
    }()

    private static let password: JSONValue = ["data": ["password": .string(Base64.encode(Array("a-secret-password".utf8)))]]

    @Test("both instances are read and redacted, and a service that never ran has none")
    func read() async throws {
        let found = try await logs(secret: .json(Self.password)) { previous in
            .text(previous ? "first a-secret-password\n" : "second\n")
        }
        #expect(found == ["db": "first [redacted]\n--- ended with 7 and was started again ---\nsecond\n"])
    }

    @Test("a token for the egress proxy that the agent sent to a service is redacted")
    func tokens() async throws {
        let found = try await logs(secret: .json(Self.password)) { _ in .text("proxy http://assay:e1.token-of-execute@127.0.0.1:3128\n") }
        #expect(found["db"]?.contains("assay:[redacted]@") == true && found["db"]?.contains("token-of-execute") == false, "\(found)")
    }

    @Test("without a Secret's value no log is kept; one that does not exist has no value")
    func secrets() async throws {
        let refused = try await logs(secret: .failure(403, reason: "Forbidden")) { _ in .text("a-secret-password") }
        #expect(refused.keys.sorted() == ["db", "web"] && refused["db"]?.hasPrefix("The log is not kept: ") == true, "\(refused)")
        #expect(refused["db"]?.contains("a-secret-password") == false)
        let missing = try await logs(secret: .failure(404, reason: "NotFound")) { _ in .text("x\n") }
        #expect(missing["db"]?.hasSuffix("x\n") == true)
    }

    @Test("what cannot be read is said, and what is too long is cut")
    func limits() async throws {
        let gone = try await logs(secret: .json(Self.password)) { previous in previous ? .text("before\n") : .failure(400, reason: "BadRequest") }
        #expect(gone["db"]?.contains("before\n") == true && gone["db"]?.contains("The log cannot be read: ") == true)
        let long = try await logs(secret: .json(Self.password)) { _ in .text(String(repeating: "x", count: 1 << 20)) }
        #expect((long["db"]?.utf8.count ?? 0) < (1 << 20) + 200 && long["db"]?.hasSuffix("--- cut after 524288 bytes ---\n") == true)
        // The cut is in the middle of the secret.
        let secret = "a-secret-password"
        let split = try await logs(secret: .json(Self.password)) { _ in .text(String(repeating: "x", count: (512 << 10) - 9) + secret) }
        #expect(split["db"]?.contains("a-secret") == false)
    }
}
