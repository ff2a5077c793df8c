import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import Testing

extension EndToEnd {
    /// Tasks with a Dockerfile on a cluster: pods build with Debian's buildah, a real registry with a login keeps the images.
    @Suite struct ClusterBuildTests {
        @Test("catalogue 71: images are built by pods, pushed, found again, and a build that fails, hangs or fills the disk has its own error")
        func builds() async throws {
            try await BuildCluster.with("cluster-builds") { cluster in
                let bench = cluster.bench
                let check =
                    "[ \"$(cat /app/answer)\" = solved ] && [ \"$(cat /word)\" = \"made of \\$PARTS\" ] && [ -e seed.txt ] && [ ! -e hidden.key ] && "
                let dockerfile = """
                    FROM base:1 AS maker
                    ARG WORD=unset
                    SHELL ["/bin/bash", "-o", "pipefail", "-c"]
                    RUN echo "$WORD" > /word
                    FROM docker.io/library/base:1
                    COPY --from=maker /word /word
                    WORKDIR /app
                    COPY . .
                    RUN chown worker /app
                    USER worker
                    RUN [ "$(id -u)" = 1234 ] && touch made
                    HEALTHCHECK CMD false
                    ENTRYPOINT ["/bin/false"]
                    """
                for name in ["one", "twin"] {
                    try cluster.task(
                        name, dockerfile, test: check + "[ \"$PWD\" = /app ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/seed.txt", "seed\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/hidden.key", "key\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/.dockerignore", "*.key\n")
                }
                // The push Secret holds the registry's password: neither files nor environments of the pod have it.
                try cluster.task(
                    "nosy",
                    "FROM base:1\nRUN printf 'push-%s\\n' only > /pattern; found=$(cat /proc/*/environ /proc/*/cmdline /proc/1/root/assay/push/* "
                        + "/assay/push/* 2>/dev/null | grep -c -a -f /pattern || true); echo \"found=$found\"; [ \"$found\" = 0 ]\n")
                try cluster.task("broken", "FROM base:1\nRUN echo the reason >&2; exit 3\n")
                // Another run of the tests on this machine has another number.
                let mark = Int.random(in: 1_000_000...9_999_999)
                try cluster.task("slow", toml: "[environment]\nbuild_timeout_sec = 15\n", "FROM base:1\nRUN trap '' TERM; sleep \(mark)\n")
                try cluster.task("big", "FROM base:1\nRUN dd if=/dev/zero of=/big bs=1M count=1500; sleep 60\n")
                try await bench.commitBenchmark()

                try await cluster.createJob("first", environment: ["buildArguments": ["WORD": "made of $PARTS"]])
                let job = try await cluster.waitForEnd("first")
                #expect(job.at("status", "images") == ["total": 5, "ready": 2, "failed": 3], "\(job["status"]?.text ?? "")")
                let branch = try await bench.branch()
                var digests: Set<String> = []
                for task in ["one", "twin", "nosy"] {
                    for run in branch.runs(task: task) {
                        #expect(run["reward"]?.double == 1, "\(run.text)")
                        let digest = run.at("config", "imageDigest")?.string ?? ""
                        #expect(run.at("config", "image")?.string == "\(cluster.registry.address):\(cluster.registry.port)/assay/tasks@\(digest)")
                        if task != "nosy" { digests.insert(digest) }
                    }
                }
                #expect(digests.count == 1, "one image for one content")
                #expect(try await cluster.log(of: "twin").contains("STEP 1/4: FROM base:1 AS maker"))
                #expect(try await cluster.log(of: "nosy").contains("found=0"))

                #expect(branch.errorType(task: "broken") == "environment_build_failed")
                #expect(branch.errorMessage(task: "broken").contains("tasks/broken/environment/Dockerfile"))
                let broken = try await cluster.log(of: "broken")
                #expect(broken.hasPrefix("failed: STEP 2/2: RUN echo the reason") && broken.contains("\nthe reason\n"), "\(broken)")
                #expect(branch.errorType(task: "slow") == "environment_build_timeout")
                #expect(branch.errorMessage(task: "slow").contains("within 15.0 s (environment.build_timeout_sec) at STEP "))
                #expect(branch.errorType(task: "big") == "environment_build_failed")
                #expect(branch.errorMessage(task: "big").contains("more to the disk than it may"), "\(branch.errorMessage(task: "big"))")
                try await eventually("no build is left") {
                    try await cluster.processes.pods().allSatisfy { $0.at("metadata", "labels", "assay.dev/build") == nil }
                }
                try await eventually("nothing of the build that hung is left") {
                    try await !Command("ps", ["-eo", "args"]).run().stdoutText.contains("sleep \(mark)")
                }

                // A second job builds nothing that is there, and its records have the log too.
                let stored = cluster.stored
                try await cluster.createJob(
                    "again", datasets: [["path": "tasks", "include": ["one"]]], environment: ["buildArguments": ["WORD": "made of $PARTS"]])
                _ = try await cluster.waitForEnd("again")
                #expect(cluster.stored == stored, "nothing is pushed")
                let again = try await bench.branch().runs(task: "one").first { $0["jobName"]?.string == "again" }
                #expect(again?["reward"]?.double == 1)
                #expect(again?.at("config", "imageDigest")?.string == digests.first)
                #expect(try await cluster.log(of: "one", job: "again").contains("AS maker"))

                let preflight = try await cluster.preflight()
                #expect(preflight["status"]?.string == "True", "\(preflight.text)")
            }
        }

        @Test("20 jobs at once that need one image: one build, also when the first of them is deleted and the operator killed meanwhile")
        func manyJobs() async throws {
            try await BuildCluster.with("cluster-many") { cluster in
                // Long enough that all jobs are seen while it lasts.
                try cluster.task("one", "FROM base:1\nRUN sleep 60\n")
                try await cluster.bench.commitBenchmark()
                for number in 0..<20 { try await cluster.createJob("job-\(number)") }
                try await eventually("a build pod belongs to all jobs") {
                    try await cluster.builds().contains { ($0.at("metadata", "ownerReferences")?.array ?? []).count == 20 }
                }
                let pod = try #require(try await cluster.builds().first)
                _ = try await cluster.processes.client.delete(EvalJob.resource, ObjectKey(namespace: "default", name: "job-0"))
                try await eventually("the first job is gone") {
                    try await cluster.processes.client.listAll(EvalJob.resource, namespace: "default").items.count == 19
                }
                try await cluster.killOperator()
                for number in 1..<20 {
                    let job = try await cluster.waitForEnd("job-\(number)")
                    #expect(job.at("status", "trials", "completed")?.int == 1, "\(job["status"]?.text ?? "")")
                }
                #expect(pod.at("metadata", "name")?.string?.hasPrefix("assay-build-") == true)
                #expect(cluster.stored.count == 1, "\(cluster.stored)")
            }
        }

        @Test("a registry that refuses the login, or is down, is named")
        func registryRefuses() async throws {
            try await BuildCluster.with("cluster-refused") { cluster in
                try cluster.task("one", "FROM base:1\nRUN true\n")
                try await cluster.bench.commitBenchmark()
                try await cluster.setPushLogin(cluster.registry.dockerConfig(password: "wrong"))
                try await cluster.createJob("refused")
                _ = try await cluster.waitForEnd("refused")
                let branch = try await cluster.bench.branch()
                #expect(branch.errorType(task: "one") == "environment_build_failed")
                #expect(branch.errorMessage(task: "one").contains("HTTP 401 (unauthorized)"), "\(branch.errorMessage(task: "one"))")
                // The target's own check says it too, without any job, and finds by itself that the password is right again.
                try await cluster.changeTarget()
                try await eventually("Preflight names the refused login", seconds: 300) {
                    try await cluster.preflight()["status"] == "False"
                }
                let preflight = try await cluster.preflight()
                #expect(preflight["reason"] == "BuildRefused", "\(preflight.text)")
                for words in ["\(cluster.registry.address):\(cluster.registry.port)", "HTTP 401 (unauthorized)"] {
                    #expect(preflight["message"]?.string?.contains(words) == true, "\(words): \(preflight.text)")
                }
                try await cluster.setPushLogin(cluster.registry.dockerConfig())
                try await eventually("Preflight succeeds with the right password", seconds: 300) {
                    try await cluster.preflight()["status"] == "True"
                }
                await cluster.registry.stop()
                try await cluster.createJob("down")
                _ = try await cluster.waitForEnd("down")
                let down = try await cluster.bench.branch().runs(task: "one").first { $0["jobName"]?.string == "down" }
                #expect(down?.at("error", "type")?.string == "environment_build_failed")
                #expect(
                    down?.at("error", "message")?.string?.contains(
                        "the registry \(cluster.registry.address):\(cluster.registry.port) cannot be reached") == true)
            }
        }

        @Test("a registry with a certificate of an authority of its own: known by caRef it is used, unknown it is named")
        func registryWithTLS() async throws {
            try await BuildCluster.with("cluster-tls", tls: true) { cluster in
                try cluster.task(
                    "one", "FROM base:1\nRUN echo made > /made\n", test: "mkdir -p /logs/verifier; [ -e /made ] && echo 1 > /logs/verifier/reward.txt"
                )
                try cluster.task("two", "FROM base:1\nRUN echo never > /made\n")
                try await cluster.bench.commitBenchmark()
                try await cluster.createJob("known", datasets: [["path": "tasks", "include": ["one"]]])
                _ = try await cluster.waitForEnd("known")
                let run = try #require(try await cluster.bench.branch().runs(task: "one").first)
                #expect(run["reward"]?.double == 1, "\(run.text)")
                let image = run.at("config", "image")?.string ?? ""
                #expect(image.hasPrefix("\(cluster.registry.address):\(cluster.registry.port)/assay/tasks@sha256:"), "\(image)")
                #expect(cluster.stored.count == 1, "\(cluster.stored)")

                try await cluster.forgetAuthority()
                try await cluster.createJob("unknown", datasets: [["path": "tasks", "include": ["two"]]])
                _ = try await cluster.waitForEnd("unknown")
                let branch = try await cluster.bench.branch()
                #expect(branch.errorType(task: "two") == "environment_build_failed")
                let message = branch.errorMessage(task: "two")
                #expect(message.contains("\(cluster.registry.address):\(cluster.registry.port)") && message.contains("certificate"), "\(message)")
                // The changed target is probed anew, which fails as well.
                try await eventually("the probe of the changed target has failed", seconds: 300) {
                    try await cluster.preflight()["status"] == "False"
                }
                try await eventually("no build is left", seconds: 300) {
                    try await cluster.processes.pods().allSatisfy { $0.at("metadata", "labels", "assay.dev/build") == nil }
                }
            }
        }
    }
}

/// An API server with its podman node, an operator, a registry with a login, and a builder's image of Debian's buildah.
private final class BuildCluster: Sendable {
    let bench: Workbench
    let registry: ImageRegistry
    let processes: ClusterProcesses
    private let running = Locked<RunningCommand?>(nil)

    private init(bench: Workbench, registry: ImageRegistry, processes: ClusterProcesses) {
        self.bench = bench
        self.registry = registry
        self.processes = processes
    }

    /// - Parameter tls: the registry has a certificate of an authority of its own, which nodes, builder and target are told.
    static func with(_ name: String, tls: Bool = false, _ body: (BuildCluster) async throws -> Void) async throws {
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
    func changeTarget() async throws {
        let change: JSONValue = ["spec": ["image": ["build": ["resources": ["requests": ["cpu": "11m"]]]]]]
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
