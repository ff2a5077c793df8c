import Base
import EvalModel
import HTTPServing
import Testing

@testable import TrialRuntime

@Suite("The networks of a trial's phases")
struct PhaseNetworkTests {
    private static let network = TrialNetwork(
        install: TaskNetwork(.public), execute: TaskNetwork(.allowlist, allowedHosts: ["model.example"]), verify: TaskNetwork(.public))

    private func rig(
        _ tokens: [TrialPhase: String], of network: TrialNetwork = Self.network, proxy: String = "http://127.0.0.1:1", execute: String = ""
    ) throws -> TrialRig {
        let dump = "env | grep -i -E 'proxy' | sort > $ASSAY_ROOT/logs/agent/"
        let rig = try TrialRig(
            install: "\(dump)install.txt; ls $ASSAY_ROOT/assay/gate > $ASSAY_ROOT/logs/agent/gate.txt", execute: "\(dump)execute.txt; \(execute)",
            test: "\(dump)verify.txt; \(TrialRunTests.reward)", program: { $0.network = network })
        let access = EgressAccess(proxy: proxy, tokens: tokens)
        let volumes = DeliveryVolumes(paths: rig.paths)
        try volumes.writeProxyVariables(access, rig.program)
        let verify: [UInt8] = access.variables(of: .verify).flatMap { Array($0.utf8) + [0] }
        try volumes.writeCollectorPart(rig.program, verifierVariables: [verify], token: nil, egress: access)
        return rig
    }

    private static func expected(_ token: String, proxy: String = "127.0.0.1:1") -> String {
        let url = "http://assay:\(token)@\(proxy)"
        return [
            "HTTPS_PROXY=\(url)", "HTTP_PROXY=\(url)", "NODE_USE_ENV_PROXY=1", "NO_PROXY=localhost,127.0.0.1,::1", "http_proxy=\(url)",
            "https_proxy=\(url)", "no_proxy=localhost,127.0.0.1,::1",
        ].sorted().joined(separator: "\n")
    }

    @Test("each phase has its own token, finds no other one's, and none of them reaches the outputs")
    func phases() async throws {
        let rig = try rig([.install: "token-of-install", .execute: "token-of-execute", .verify: "token-of-verify"])
        let ended = try await rig.run()
        #expect(ended.report.reward == 1, "\(String(describing: ended.report.error))")
        for phase in ["install", "execute", "verify"] {
            let text = FileReading.text("\(rig.paths.logs)/agent/\(phase).txt")?.trimmed ?? ""
            #expect(text.split(separator: "\n").sorted().joined(separator: "\n") == Self.expected("token-of-\(phase)"), "\(phase): \(text)")
        }
        let gate = FileReading.text("\(rig.paths.logs)/agent/gate.txt") ?? ""
        #expect(!gate.contains("env"), "the files are gone before install runs: \(gate)")
        for name in ["ASSAY_EGRESS (install)", "ASSAY_EGRESS (execute)", "ASSAY_EGRESS (verify)"] {
            #expect((ended.report.redacted[name] ?? 0) >= 4, "\(name): \(ended.report.redacted)")
        }
    }

    @Test("a phase that may reach nothing has no proxy variables")
    func none() async throws {
        let closed = TrialNetwork(install: TaskNetwork(.public), execute: TaskNetwork(.none), verify: TaskNetwork(.none))
        let rig = try rig([.install: "token-of-install"], of: closed)
        let ended = try await rig.run()
        #expect(ended.report.reward == 1)
        #expect(FileReading.text("\(rig.paths.logs)/agent/execute.txt") == "" && FileReading.text("\(rig.paths.logs)/agent/verify.txt") == "")
    }

    @Test("what the proxy denied stands in the logs and in the error of the agent that failed")
    func denials() async throws {
        let asked = Locked<[String]>([])
        let report: JSONValue = [
            "run": "r", "proxyStartTime": "2026-01-01T00:00:00.000Z", "omitted": 0,
            "denials": [["phase": "execute", "host": "pypi.org", "port": 443, "reason": "not_allowed", "message": "denied", "count": 2]],
        ]
        let server = HTTPServer { request in
            asked.withLock { $0.append("\(request.rawPath) \(request.header("proxy-authorization") ?? "-")") }
            return ServerResponse(status: 200, contentType: "application/json", parts: [report.serialized()])
        }
        let port = try server.start(port: 0)
        defer { server.stop() }
        let rig = try rig([.install: "token-of-install", .execute: "token-of-execute"], proxy: "http://127.0.0.1:\(port)", execute: "exit 3")
        let ended = try await rig.run()
        #expect(asked.withLock { $0 } == ["/.assay/denials Bearer token-of-execute"])
        #expect(ended.report.error?.type == .agentExecutionFailed)
        #expect(ended.report.error?.message.contains("does not allow pypi.org:443") == true, "\(String(describing: ended.report.error))")
    }

    @Test("a proxy that does not answer is told in the logs, and costs no verdict")
    func noProxy() async throws {
        let denials = await Denials.read(EgressAccess(proxy: "http://127.0.0.1:1", tokens: [.execute: "t"]), seconds: 2)
        #expect(denials?.report["error"]?.string?.contains("could not be asked") == true)
        #expect(await Denials.read(EgressAccess(proxy: "http://127.0.0.1:1", tokens: [:]), seconds: 2) == nil)
        let ended = try await rig([.execute: "token-of-execute"]).run()
        #expect(ended.report.reward == 1 && ended.report.error == nil)
        #expect(ended.text("logs/network/denials.json")?.contains("could not be asked") == true)
    }

    @Test("an agent that fails while its proxy is away, or after it was started again, is infrastructure; one without a proxy is not")
    func lostProxy() async throws {
        let away = try await rig([.execute: "token-of-execute"], execute: "exit 3").run()
        #expect(away.report.error?.type == .environmentNetworkFailed)
        #expect(away.report.error?.message.contains("cannot be reached") == true, "\(String(describing: away.report.error))")
        #expect(away.report.error?.message.contains("agent_execution_failed") == true && away.report.error?.message.contains("token-of") == false)
        let closed = TrialNetwork(install: TaskNetwork(.public), execute: TaskNetwork(.none), verify: TaskNetwork(.none))
        let offline = try await rig([.install: "token-of-install"], of: closed, execute: "exit 3").run()
        #expect(offline.report.error?.type == .agentExecutionFailed)

        let start = Locked(Timestamp(seconds: 0))
        let server = HTTPServer { _ in
            let report: JSONValue = [
                "run": "r", "proxyStartTime": .string(start.withLock { $0 }.rfc3339Millis), "omitted": 0, "denials": [],
            ]
            return ServerResponse(status: 200, contentType: "application/json", parts: [report.serialized()])
        }
        let port = try server.start(port: 0)
        defer { server.stop() }
        for (moment, type) in [
            (Timestamp(seconds: 1000), TrialErrorType.agentExecutionFailed), (SystemTime().now().adding(seconds: 3600), .environmentNetworkFailed),
        ] {
            start.withLock { $0 = moment }
            let ended = try await rig([.execute: "token-of-execute"], proxy: "http://127.0.0.1:\(port)", execute: "exit 3").run()
            #expect(ended.report.error?.type == type, "\(String(describing: ended.report.error))")
            #expect(ended.text("logs/network/denials.json") == nil, "nothing was denied")
        }
    }
}
