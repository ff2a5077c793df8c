import AssayAPI
import AssayTesting
import Base
import KubeClient
import KubeCore
import Reconcilers
import SourceSync
import Testing
import TrialPods
import TrialRuntime

/// Targets of type local on a cluster: the benchmark is in a PersistentVolumeClaim.
@Suite("Claims as sources")
struct ClaimTests {
    private func makeTarget(_ world: World, path: String? = nil) async throws {
        var claim: JSONValue = ["name": "data"]
        if let path { claim["path"] = .string(path) }
        let object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": "disk", "namespace": "default"],
            "spec": ["type": "local", "sync": "noop", "claim": claim],
        ]
        _ = try await world.client.create(.evalTargets, object, fieldValidation: "Strict")
    }

    private func makeClaim(_ world: World) async throws {
        let claim: JSONValue = [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "data", "namespace": "default"],
            "spec": ["accessModes": ["ReadOnlyMany"], "resources": ["requests": ["storage": "1Gi"]]],
        ]
        _ = try await world.client.create(.persistentVolumeClaims, claim)
    }

    private func cache(_ world: World) throws -> (SourceCache, port: UInt16) {
        let cache = world.sourceCache()
        return (cache, try #require(try cache.start(port: 0)))
    }

    /// Plays the kubelet for the pod that reads the claim: runs what its container runs, with the files of a directory where the claim is.
    private func runPod(_ world: World, port: UInt16, _ number: Int, files: (String) async throws -> Void) async throws -> JSONValue {
        let found = Locked<JSONValue?>(nil)
        let came = try await eventually {
            let pods = try await world.client.list(.pods, namespace: "default", options: ListOptions(labelSelector: "\(NetworkCheckPod.label)=claim"))
                .items
            guard let pod = pods.first, pod.at("status", "phase")?.string != "Succeeded", pod.at("status", "phase")?.string != "Failed" else {
                return false
            }
            found.withLock { $0 = pod }
            return true
        }
        try #require(came)
        let pod = try #require(found.withLock { $0 })
        let root = "\(world.path)/claim-pod-\(number)"
        for folder in [ClaimContract.claim(root), ClaimContract.work(root)] { try Directory.make(folder) }
        try await files(ClaimContract.claim(root))
        var environment: [String: String] = [:]
        for variable in pod.at("spec", "containers")?.array?.first?["env"]?.array ?? [] {
            environment[variable["name"]?.string ?? ""] = variable["value"]?.string
        }
        environment[TrialVariables.cacheAddress] = "http://127.0.0.1:\(port)"
        environment[TrialVariables.root] = root
        environment[TrialVariables.terminationLog] = "\(root)/message"
        let status = await ClaimCommand.run(environment: environment)
        let message = FileReading.text("\(root)/message") ?? ""
        let ended: JSONValue = [
            "phase": status == 0 ? "Succeeded" : "Failed",
            "containerStatuses": [["name": "claim", "state": ["terminated": ["exitCode": JSONValue(Int(status)), "message": .string(message)]]]],
        ]
        _ = try await world.client.patch(.pods, ObjectMeta(of: pod).key, .merge(["status": ended]), subresource: "status")
        return pod
    }

    @Test("a claim is read by a pod that mounts it read-only; its trials run, and their records have the commit and whether it is a snapshot")
    func reads() async throws {
        try await World.run { world in
            try await makeClaim(world)
            try await makeTarget(world, path: "evals")
            let (cache, port) = try cache(world)
            defer { cache.stop() }
            try await world.withOperator(policy: [], cache: cache) { _ in
                let remote: JSONValue = ["repo": "https://nowhere.invalid/org/repo", "ref": "main"]
                let results: JSONValue = ["backend": "git", "git": ["remote": "https://nowhere.invalid/org/results"]]
                try await world.createJob(with: ["targetRef": ["name": "disk"], "source": remote, "artifacts": results])
                let pod = try await runPod(world, port: port, 1) { claim in
                    try await world.git(world.path, "clone", "-q", world.source, "\(claim)/evals")
                }
                let volume = try #require(pod.at("spec", "volumes")?.array?.first { $0["name"] == "claim" })
                #expect(volume["persistentVolumeClaim"] == ["claimName": "data", "readOnly": true])
                let mount = pod.at("spec", "containers")?.array?.first?["volumeMounts"]?.array?.first
                #expect(mount?["readOnly"] == true && mount?["mountPath"]?.string == "/assay/claim")
                #expect(pod.at("metadata", "ownerReferences")?.array?.first?["kind"] == "EvalJob")
                let head = try await world.git(world.source, "rev-parse", "HEAD")
                let job = try await world.wait {
                    $0.status?.source?.commit != nil || $0.status?.conditions.contains { $0.reason == "RemoteUnreachable" } == true
                }
                // The results remote is out of reach, so the job does not begin; its source is known.
                #expect(job.status?.conditions.first { $0.type == "SourceReady" }?.status != "False", "\(String(describing: job.status))")
                let kept = SourceResolver(cacheDirectory: "\(world.path)/cache").snapshots.repository(of: "claim:default/data/evals")
                let isKept = await eventually { (try? await world.git(kept, "cat-file", "-t", head)) == "commit" }
                #expect(isKept)
            }
        }
    }

    @Test("changes that are not committed are in a snapshot; the job runs to its end, and its records say so")
    func dirty() async throws {
        try await World.run { world in
            try await makeClaim(world)
            try await makeTarget(world)
            let (cache, port) = try cache(world)
            defer { cache.stop() }
            try await world.withOperator(cache: cache) { _ in
                try await world.createJob(with: ["targetRef": ["name": "disk"]])
                let head = try await world.git(world.source, "rev-parse", "HEAD")
                _ = try await runPod(world, port: port, 1) { claim in
                    Directory.removeTree(claim)
                    try await world.git(world.path, "clone", "-q", world.source, claim)
                    // Larger than one piece of an upload, and not compressible.
                    let noise = (0..<(5 << 20)).map { _ in UInt8.random(in: 0...255) }
                    try FileWriting.replace("\(claim)/tasks/a/tests/noise", with: noise)
                }
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 2)
                let commit = try #require(job.status?.source?.commit)
                #expect(commit != head)
                let record = try #require(try await world.records().first { $0["kind"] == "run" })
                #expect(record["sourceCommit"]?.string == commit)
                #expect(record["sourceRepo"]?.string == "claim:default/data")
                #expect(record.at("sourceSnapshot", "head")?.string == head)
                let left = Directory.names(in: "\(world.path)/claims") ?? []
                #expect(left.isEmpty)
                let pods = try await world.client.list(
                    .pods, namespace: "default", options: ListOptions(labelSelector: "\(NetworkCheckPod.label)=claim")
                ).items
                #expect(pods.isEmpty)
            }
        }
    }

    @Test("a claim that is missing is named by the job's condition, and the job begins when it is there; a folder that is missing is named, too")
    func missing() async throws {
        try await World.run { world in
            try await makeTarget(world, path: "nowhere")
            let (cache, port) = try cache(world)
            defer { cache.stop() }
            try await world.withOperator(cache: cache) { _ in
                try await world.createJob(with: ["targetRef": ["name": "disk"]])
                func waitFor(_ words: String) async throws {
                    try await world.wait { job in
                        job.status?.conditions.contains { $0.type == "SourceReady" && $0.message?.contains(words) == true } == true
                    }
                }
                try await waitFor("spec.claim of the EvalTarget: there is no PersistentVolumeClaim \"data\" in namespace default; create it")
                try await makeClaim(world)
                _ = try await runPod(world, port: port, 1) { _ in }
                try await waitFor("the PersistentVolumeClaim \"data\" cannot be read: there is no directory ")
                #expect(try await world.job()?.status?.startTime == nil)
            }
        }
    }

    @Test("without a cache service a target with a claim is refused by name; nobody can name the operator's own repositories")
    func refused() async throws {
        try await World.run { world in
            try await makeClaim(world)
            try await makeTarget(world)
            try await world.withOperator(policy: []) { _ in
                try await world.createJob(
                    with: [
                        "targetRef": ["name": "disk"], "source": ["repo": "https://nowhere.invalid/org/repo"],
                        "artifacts": ["backend": "git", "git": ["remote": "https://nowhere.invalid/org/results"]],
                    ])
                try await world.wait { job in
                    job.status?.conditions.contains { $0.message?.contains("start it with --cache-service") == true } == true
                }
                let kept = SourceResolver(cacheDirectory: "\(world.path)/cache").snapshots.repository(of: "claim:default/data")
                try await world.createJob("thief", with: ["source": ["repo": .string("file://\(kept)")]])
                try await world.wait("thief") { job in
                    job.status?.conditions.contains { $0.message?.contains("file:// is not allowed here") == true } == true
                }
            }
        }
    }
}
