import AssayTesting
import Base
import Egress
import EvalModel
import KubeCore
import SourceSync
import Testing
import TrialRuntime

@testable import Reconcilers

@Suite("Jobs with a restricted network")
struct TrialNetworksTests {
    private static let keyBytes = [UInt8](repeating: 5, count: 32)
    private static let job: [String: JSONValue] = [
        "agents": [["name": "scripted", "execute": "true", "allowedHosts": ["model.example:443"]]],
        "environment": ["network": ["mode": "no-network"]],
    ]

    private static func environment(_ pod: JSONValue) -> [String: String] {
        let list = pod.at("spec", "initContainers")?.array?.first?["env"]?.array ?? []
        return Dictionary(list.map { ($0["name"]?.string ?? "", $0["value"]?.string ?? "") }, uniquingKeysWith: { $1 })
    }

    @Test("each pod has tokens of its own, for its run and each phase, with what that phase may reach; the verifier has none")
    func tokens() async throws {
        try await World.run(fate: { _ in .pending }) { world in
            let key = try #require(SigningKey(Self.keyBytes))
            let cache = SourceCache(
                store: TreeStore(directory: "\(world.path)/trees"), key: Self.keyBytes, endpoint: .socket(directory: "\(world.path)/socket"),
                uploads: "\(world.path)/claims")
            let running = try world.startOperator(cache: cache, networks: TrialNetworks(.relay(port: 3128), key: key))
            try await world.createJob(with: Self.job)
            try await world.waitForPods(2)
            var runs: Set<String> = []
            for pod in world.node.present {
                #expect(pod.at("metadata", "labels", "assay.dev/network")?.string == "proxied")
                let text = try #require(Self.environment(pod)[TrialVariables.egress])
                let access = try #require(try? JSONValue(parsing: Array(text.utf8)))
                #expect(access["proxy"]?.string == "http://127.0.0.1:3128")
                let tokens = try #require(access["tokens"]?.object)
                #expect(Set(tokens.keys) == ["install", "execute"])
                for (phase, value) in tokens {
                    let token = try EgressToken(verifying: value.string ?? "", keys: [key])
                    let allowed = EgressGrant.only([try HostPattern("model.example:443")])
                    #expect(token.phase == phase && token.grant == allowed)
                    #expect(token.expires > SystemTime().now().adding(seconds: 3600))
                    #expect(pod.at("metadata", "annotations", "assay.dev/run")?.string == token.run)
                    runs.insert(token.run)
                }
            }
            #expect(runs.count == 2)
            await running.stop()
        }
    }

    @Test("an operator that cannot restrict networks stalls the job, and says why")
    func stalled() async throws {
        try await World.run { world in
            try await world.withOperator { _ in
                try await world.createJob(with: Self.job)
                let job = try await world.wait { $0.status?.conditions.contains { $0.type == "Stalled" && $0.status == "True" } == true }
                let message = job.status?.conditions.first { $0.type == "Stalled" }?.message ?? ""
                #expect(message.contains("spec.environment.network.mode") && message.contains("no egress proxy"), "\(message)")
            }
        }
    }
}
