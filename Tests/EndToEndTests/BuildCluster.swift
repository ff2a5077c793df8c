import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess
import Testing

/// An API server with its podman node, an operator, a registry with a login, and a builder's image of Debian's buildah.
final class BuildCluster: Sendable {
    let bench: Workbench
    let registry: ImageRegistry
    let processes: ClusterProcesses
    private let running = Locked<RunningCommand?>(nil)

    private init(bench: Workbench, registry: ImageRegistry, processes: ClusterProcesses) {
        self.bench = bench
        self.registry = registry
        self.processes = processes
    }

    /// - Parameters:
    ///   - tls: the registry has a certificate of an authority of its own, which nodes, builder and target are told.
    ///   - seccomp: the file of the profile that the nodes' containers have; nil: podman's own.
    static func with(_ name: String, tls: Bool = false, seccomp: String? = nil, _ body: (BuildCluster) async throws -> Void) async throws {
        try await Workbench.with(name) { bench in
            let registry = try await ImageRegistry(directory: "\(bench.directory)/registry", .init(login: true, tls: tls))
            let host = "\(registry.address):\(registry.port)"
            let registries =
                "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"\(host)/library\"\ninsecure = \(!tls)\n"
                + "[[registry]]\nlocation = \"\(host)\"\ninsecure = \(!tls)\n"
            let authority = String(decoding: registry.authority, as: UTF8.self)
            try bench.write("authority.pem", authority)
            try bench.write("registries.conf", "unqualified-search-registries = [\"docker.io\"]\n" + registries)
            try bench.write("auth.json", registry.dockerConfig())
            var variables = [
                "CONTAINERS_REGISTRIES_CONF": "\(bench.directory)/registries.conf", "REGISTRY_AUTH_FILE": "\(bench.directory)/auth.json",
            ]
            if let seccomp {
                try bench.write("containers.conf", "[containers]\nseccomp_profile = \"\(seccomp)\"\n")
                variables["CONTAINERS_CONF"] = "\(bench.directory)/containers.conf"
            }
            if tls { variables["SSL_CERT_FILE"] = "\(bench.directory)/authority.pem" }
            let user = try UserPodman(bench, more: variables)
            try await user.makeImage("localhost/base:1")
            try await user.podman("push", "--tls-verify=\(tls)", "localhost/base:1", "\(host)/library/base:1")
            var files = [
                "etc/containers/policy.json": "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}",
                "etc/containers/registries.conf": "unqualified-search-registries = [\"docker.io\"]\n" + registries,
            ]
            if tls { files["etc/containers/certs.d/\(host)/ca.crt"] = authority }
            try await user.makeImage("localhost/builder:1", programs: ["buildah"], files: files)
            let processes = try await ClusterProcesses.start(in: bench, environment: user.environment)
            let cluster = BuildCluster(bench: bench, registry: registry, processes: processes)
            try await cluster.prepare()
            try await cluster.startOperator()
            do { try await body(cluster) } catch {
                print((try? bench.read("operator.log").suffix(3000)) ?? "")
                throw error
            }
            await cluster.stopOperator(SIGTERM)
            await processes.stop()
            await registry.stop()
        }
    }

    private func startOperator() async throws {
        let started = try await processes.startOperator()
        running.withLock { $0 = started }
    }

    private func stopOperator(_ signal: Int32) async {
        guard let running = running.withLock({ $0 }) else { return }
        running.signal(signal)
        _ = await running.wait()
    }

    /// Kills the operator and starts another.
    func killOperator() async throws {
        await stopOperator(SIGKILL)
        try await startOperator()
    }

    private func prepare() async throws {
        // The pull Secret is another one, and what is looked for in builds is only in the push Secret.
        let auths = String(registry.dockerConfig().dropLast()) + ", \"HttpHeaders\": {\"x-mark\": \"push-only\"}}"
        for (name, text) in [("push", auths), ("pull", registry.dockerConfig())] {
            let secret: JSONValue = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name), "namespace": "default"],
                "type": "kubernetes.io/dockerconfigjson", "stringData": [".dockerconfigjson": .string(text)],
            ]
            try await processes.client.create(.secrets, secret, namespace: "default")
        }
        var target: JSONValue = [
            "apiVersion": .string(EvalTarget.resource.apiVersion), "kind": "EvalTarget", "metadata": ["name": "default", "namespace": "default"],
            "spec": [
                "type": "local",
                "image": [
                    "build": [
                        "registry": .string(registry.repository("assay/tasks")), "builderImage": "localhost/builder:1",
                        "pushSecretRef": ["name": "push"], "pullSecretRef": ["name": "pull"],
                        "resources": [
                            "requests": ["cpu": "10m", "memory": "64Mi", "ephemeral-storage": "1Mi"],
                            "limits": ["memory": "1Gi", "ephemeral-storage": "800Mi"],
                        ],
                    ]
                ],
            ],
        ]
        if !registry.authority.isEmpty {
            let map: JSONValue = [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "authority", "namespace": "default"],
                "data": ["ca.crt": .string(String(decoding: registry.authority, as: UTF8.self))],
            ]
            try await processes.client.create(.configMaps, map, namespace: "default")
            target.set(["spec", "image", "build", "caRef"], to: ["name": "authority"])
        }
        try await processes.client.create(EvalTarget.resource, target, namespace: "default", fieldValidation: "Strict")
    }

    /// The target no longer names the authority of the registry's certificate.
    func forgetAuthority() async throws {
        let change: JSONValue = ["spec": ["image": ["build": ["caRef": .null]]]]
        _ = try await processes.client.patch(EvalTarget.resource, ObjectKey(namespace: "default", name: "default"), .merge(change))
    }

    /// Another generation of the target, which is checked anew.
    ///
    /// - Parameter securityContext: what the builder may do from now on; nil: as before.
    func changeTarget(securityContext: JSONValue? = nil) async throws {
        var change: JSONValue = ["spec": ["image": ["build": ["resources": ["requests": ["cpu": "11m"]]]]]]
        if let securityContext { change.set(["spec", "image", "build", "securityContext"], to: securityContext) }
        _ = try await processes.client.patch(EvalTarget.resource, ObjectKey(namespace: "default", name: "default"), .merge(change))
    }

    func setPushLogin(_ config: String) async throws {
        let change: JSONValue = ["stringData": [".dockerconfigjson": .string(config)]]
        _ = try await processes.client.patch(.secrets, ObjectKey(namespace: "default", name: "push"), .merge(change))
    }

    func task(_ name: String, toml: String = "", _ dockerfile: String, test: String = "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt")
        throws
    {
        try bench.task(name, toml: toml, solution: "mkdir -p /app; echo solved > /app/answer", test: test)
        try bench.write("\(bench.benchmark)/tasks/\(name)/environment/Dockerfile", dockerfile)
    }

    func createJob(_ name: String, datasets: JSONValue = [["path": "tasks"]], environment: JSONValue = [:]) async throws {
        let job: JSONValue = [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": "EvalJob", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "source": ["repo": .string("file://\(bench.benchmark)")], "datasets": datasets, "agents": [["name": "oracle"]], "overlays": [],
                "environment": environment, "artifacts": ["backend": "git", "git": ["remote": .string("file://\(bench.results)")]],
            ],
        ]
        try await processes.client.create(EvalJob.resource, job, namespace: "default", fieldValidation: "Strict")
    }

    func waitForEnd(_ name: String) async throws -> JSONValue {
        try await eventually("\(name) ends", seconds: 300) { try await processes.job(name).at("status", "completionTime") != nil }
        return try await processes.job(name)
    }

    func builds() async throws -> [JSONValue] {
        try await processes.pods().filter { $0.at("metadata", "name")?.string?.hasPrefix("assay-build-") == true }
    }

    func preflight() async throws -> JSONValue {
        let target = try await processes.client.get(EvalTarget.resource, ObjectKey(namespace: "default", name: "default"))
        // The answer for an older spec stays until the operator has seen the newer one.
        return target.at("status", "conditions")?.array?.first {
            $0["type"]?.string == "Preflight" && $0["observedGeneration"] == target.at("metadata", "generation")
        } ?? .null
    }

    func log(of task: String, job: String? = nil) async throws -> String {
        let branch = try await bench.branch()
        let run = branch.runs.first { $0.value["task"]?.string == task && (job == nil || $0.value["jobName"]?.string == job) }
        let folder = try #require(run?.key, "no run of \(task)")
        return try await bench.git("show", "assay/runs/v1:\(folder)/image-build.log", in: bench.results)
    }

    /// The manifests of tasks' images that were stored.
    var stored: [String] {
        registry.requests.filter {
            $0.contains("PUT") && $0.contains("assay/tasks/manifests/") && !$0.contains(".log") && !$0.contains("preflight")
                && $0.contains("response completed")
        }
    }
}
