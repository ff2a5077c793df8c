import AssayAPI
import Base
import EvalModel
import SourceSync
import Testing
import TrialRuntime

@testable import TrialPods

@Suite("Pods that read their task from the cache service")
struct CacheAccessTests {
    static let endpoints: [CacheEndpoint] = [.service("http://assay-cache.assay-system:8081"), .socket(directory: "/home/u/.assay/cache/socket")]

    @Test("with a cache service no credential of a repository stands in the pod", arguments: endpoints)
    func noCredentials(endpoint: CacheEndpoint) throws {
        for own in [nil, "https://git.example/other"] {
            let request = TrialPodBuilderTests.request {
                $0.jobSpec.source.secretRef = LocalReference(name: "git-secret")
                if let own { $0.taskRepo = .init(repo: own, commit: String(repeating: "b", count: 40)) }
            }
            let pod = try TrialPodBuilderTests.builder.pod(for: request, cache: CacheAccess(endpoint: endpoint, token: "the-token"))
            #expect(!pod.text.contains("git-secret") && !pod.text.contains("credentials"))
            for volume in pod.at("spec", "volumes")?.array ?? [] { #expect(volume["secret"] == nil) }
            let delivery = try TrialPodBuilderTests.container(pod, "repo-cache")
            #expect(TrialPodBuilderTests.env(delivery)["ASSAY_CACHE_TOKEN"]?.string == "the-token")
            switch endpoint {
            case .service(let url):
                #expect(TrialPodBuilderTests.env(delivery)["ASSAY_CACHE"]?.string == url)
                #expect(!pod.text.contains("hostPath"))
            case .socket:
                #expect(TrialPodBuilderTests.env(delivery)["ASSAY_CACHE"]?.string == "unix:/assay/cache/cache.sock")
                #expect(TrialPodBuilderTests.mounts(delivery).contains("repo-cache=/assay/cache ro"))
            }
            // The agent's container, and the collector's, have neither the token nor a way to the service by the pod's spec.
            for name in ["trial", "collector"] {
                let text = try TrialPodBuilderTests.container(pod, name).text
                #expect(!text.contains("the-token") && !text.contains("ASSAY_CACHE") && !text.contains("repo-cache"))
            }
        }
    }

    @Test("a pod with a token is at most 6 KB, and the operator and delivery name the same tree")
    func token() throws {
        let request = TrialPodBuilderTests.request {
            $0.jobSpec.source.secretRef = LocalReference(name: String(repeating: "s", count: 63))
            $0.task.environment.env = ["A": String(repeating: "a", count: 1000)]
        }
        let tree = try TrialPodBuilderTests.builder.tree(of: request)
        let cache = TreeCache(store: TreeStore(directory: "/nowhere"), key: Array(repeating: 7, count: 32))
        let token = cache.token(
            for: [tree], pod: "\(String(repeating: "j", count: 40))-01234567-99999", credential: .init(namespace: "team", secret: "s"), seconds: 60)
        let pod = try TrialPodBuilderTests.builder.pod(for: request, cache: CacheAccess(endpoint: Self.endpoints[0], token: token))
        #expect(pod.serialized().count <= 6 << 10, "\(pod.serialized().count) bytes, \(token.utf8.count) of them the token's")
        #expect(try TreeReference(TrialPodBuilderTests.program(pod)) == tree)
    }
}
