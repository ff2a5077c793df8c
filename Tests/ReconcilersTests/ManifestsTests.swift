import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import KubeClient
import KubeCore
import Testing

/// The way down and the way up, with kubectl and the manifests. The operator runs in this process, where the Deployment's pod would.
@Suite("Installing, upgrading, uninstalling")
struct ManifestsTests {
    private var root: String { PermissionsTests.root }

    private func install(_ world: World) async throws {
        let applied = try await world.kubectl("apply", "-k", "\(root)/manifests")
        try #require(applied.ok, "\(applied.err)")
        #expect(try await world.kubectl("create", "namespace", "team").ok)
    }

    private func start(_ world: World, _ name: String = "job", with changes: [String: JSONValue] = ["parallelism": 2]) async throws {
        try await world.createJob(name, namespace: "team", with: changes)
        let runs = try await eventually { try await world.job(name, namespace: "team")?.status?.trials?.running == 2 }
        try #require(runs)
    }

    private func run(_ world: World, _ words: String) async throws -> (ok: Bool, out: String, err: String) {
        let arguments = words.split(separator: " ").map(String.init)
        return try await world.kubectl(arguments, seconds: 300)
    }

    /// A command of docs/operating.md, whose part after `kubectl ` it is.
    private func documented(_ words: String) throws -> String {
        let page = try String(contentsOfFile: "\(root)/docs/operating.md", encoding: .utf8)
        #expect(page.contains("kubectl \(words)"), "docs/operating.md has no \(words)")
        return words
    }

    private func isGone(_ world: World) async throws -> Bool {
        try await eventually { try await world.kubectl("get", "crds", "-o", "name").out.isEmpty }
    }

    private var finished: @Sendable (FakeNode.Pod) -> Fate { { $0.index == 0 ? .success(1) : .never } }

    @Test("the manifests can be applied by the client first, and by the server (as GitOps tools do) later, without a conflict")
    func appliedByBoth() async throws {
        try await World.run(tasks: ["a"]) { world in
            let client = try await world.kubectl("apply", "-k", "\(root)/manifests")
            try #require(client.ok, "\(client.err)")
            let server = try await world.kubectl("apply", "--server-side", "-k", "\(root)/manifests")
            #expect(server.ok, "\(server.err)")
        }
    }

    @Test("catalogue 65: the documented way down with a job running ends, and its results are kept")
    func uninstall() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: finished) { world in
            try await install(world)
            try await world.withOperator { _ in
                try await start(world)
                let jobs = try await run(world, documented("delete evaljobs --all --all-namespaces") + " --timeout=240s")
                #expect(jobs.ok, "\(jobs.err)")
                try await world.expectNoPods()
                try await world.expectRuns(3)
            }
            let rest = try await run(world, "delete -k \(root)/manifests --ignore-not-found --timeout=240s")
            #expect(rest.ok, "\(rest.err)")
            #expect(try await isGone(world))
        }
    }

    @Test("catalogue 65: with the results remote gone, uninstalling ends once the results are abandoned by annotation")
    func uninstallWithoutRemote() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: finished) { world in
            try await install(world)
            try await world.withOperator { _ in
                try await start(world)
                try world.moveRemote(away: true)
                let waits = try await run(world, "delete evaljobs --all --all-namespaces --timeout=3s")
                #expect(!waits.ok, "the results may still be kept")
                let given = try await run(world, documented("annotate evaljobs --all --all-namespaces assay.dev/abandon-results=true"))
                #expect(given.ok, "\(given.err)")
                let jobs = try await run(world, documented("delete evaljobs --all --all-namespaces") + " --timeout=240s")
                #expect(jobs.ok, "\(jobs.err)")
            }
            #expect(try await run(world, "delete -k \(root)/manifests --ignore-not-found --timeout=240s").ok)
            #expect(try await isGone(world))
        }
    }

    @Test(
        "catalogue 65: everything was deleted at once: the manifests applied again bring the operator back, and it lets the jobs go with their results"
    )
    func wrongOrder() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: finished) { world in
            try await install(world)
            let first = try world.startOperator()
            try await start(world)
            await first.stop()
            let down = try await run(world, "delete -k \(root)/manifests --ignore-not-found --wait=false")
            #expect(down.ok, "\(down.err)")
            let job = try await eventually { try await world.job(namespace: "team")?.metadata.isDeleting == true }
            #expect(job, "the definition is being deleted, and its finalizer holds the job")
            #expect(try await run(world, "wait --for=delete namespace/assay-system --timeout=240s").ok)
            let again = try await run(world, "apply -k \(root)/manifests")
            #expect(again.ok, "\(again.err)")
            try await world.withOperator(state: "fresh") { _ in
                #expect(try await run(world, "wait --for=delete crd/evaljobs.assay.dev --timeout=240s").ok)
                try await world.expectNoPods()
                try await world.expectRuns(3)
            }
            #expect(try await run(world, "delete -k \(root)/manifests --ignore-not-found --timeout=240s").ok)
            #expect(try await isGone(world))
        }
    }

    @Test("catalogue 65: without an operator, the last commands of the page remove everything, and the results are lost")
    func byHand() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: finished) { world in
            try await install(world)
            let first = try world.startOperator()
            try await start(world)
            await first.stop()
            #expect(try await run(world, "delete -k \(root)/manifests --ignore-not-found --wait=false").ok)
            let text = try String(contentsOfFile: "\(root)/docs/operating.md", encoding: .utf8)
            let block = try #require(text.split(separator: "<!-- by hand -->").dropFirst().first?.split(separator: "```").dropFirst().first)
            let script = block.split(separator: "\n").dropFirst().map { $0.hasPrefix("$ ") || $0.hasPrefix("> ") ? $0.dropFirst(2) : $0 }.joined(
                separator: "\n")
            let outcome = try await world.shell(script)
            #expect(outcome.ok, "\(script)\n\(outcome.err)")
            #expect(try await isGone(world))
            try await world.expectNoPods()
        }
    }

    @Test("an upgrade with a job running: the definitions are applied again, another operator goes on, each trial is counted once")
    func upgrade() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index < 2 ? .never : .success(1) }) { world in
            try await install(world)
            let first = try world.startOperator()
            try await start(world)
            let before = world.node.seen.map(\.uid)
            let applied = try await run(world, "apply -k \(root)/manifests")
            #expect(applied.ok, "\(applied.err)")
            await first.stop()
            for pod in world.node.seen { try await world.node.play(pod, .success(1)) }
            try await world.withOperator(state: "fresh") { _ in
                let waited = try await run(world, "wait --namespace team --for=condition=Finished evaljob/job --timeout=240s")
                #expect(waited.ok, "\(waited.err)")
                #expect(try await world.job(namespace: "team")?.status?.trials?.completed == 3)
                #expect(Set(before).isSubset(of: Set(world.node.seen.map(\.uid))) && world.node.seen.count == 3, "no trial ran twice")
                try await world.expectRuns(3)
            }
        }
    }

    @Test("the namespaced overlay: its one namespace is set in one place, and it grants nothing for the cluster")
    func overlay() async throws {
        try await World.run { world in
            let copy = "\(world.path)/manifests"
            try FileManager.default.copyItem(atPath: "\(root)/manifests", toPath: copy)
            let role = try String(contentsOfFile: "\(copy)/namespaced/role.yaml", encoding: .utf8)
            let first = try #require(role.firstRange(of: "namespace: evaluations"))
            try role.replacingCharacters(in: first, with: "namespace: my-jobs").write(
                toFile: "\(copy)/namespaced/role.yaml", atomically: true, encoding: .utf8)
            let built = try await world.kubectl("kustomize", "\(copy)/namespaced")
            #expect(built.ok && !built.out.contains("evaluations"), "\(built.err)")
            #expect(built.out.contains("- --namespace\n        - my-jobs") && !built.out.contains("ClusterRole"), "\(built.out)")
            #expect(try await world.kubectl("create", "namespace", "my-jobs").ok)
            let applied = try await world.kubectl("apply", "-k", "\(copy)/namespaced")
            #expect(applied.ok && applied.out.contains("rolebinding.rbac.authorization.k8s.io/assay-operator created"), "\(applied.err)")
        }
    }

    @Test("the job that docs/getting-started.md shows for a cluster is taken, with the Secrets of its commands, and does not stall")
    func page() async throws {
        try await World.run { world in
            let page = try String(contentsOfFile: "\(root)/docs/getting-started.md", encoding: .utf8)
            let section = try #require(page.split(separator: "### A job for a cluster").last)
            let blocks = section.split(separator: "```")
            let job = try #require(blocks.first { $0.hasPrefix("yaml") }).dropFirst(5)
            try String(job).write(toFile: "\(world.path)/job.yaml", atomically: true, encoding: .utf8)
            #expect(try await world.kubectl("create", "namespace", "evaluations").ok)
            let commands = try #require(blocks.first { $0.hasPrefix("console") }).split(separator: "\n").map(String.init)
            let secrets = commands.filter { $0.contains("create secret") }.map { $0.dropFirst(2).replacing("…", with: "12345678") }
            #expect(secrets.count == 2)
            let made = try await world.shell(secrets.joined(separator: "\n"))
            #expect(made.ok, "\(made.err)")
            try await world.withOperator(policy: .shorthand) { _ in
                let applied = try await world.kubectl("apply", "-f", "\(world.path)/job.yaml")
                #expect(applied.ok, "\(applied.err)")
                let looked = try await eventually {
                    let ready = try await world.job("first-on-the-cluster", namespace: "evaluations")?.condition("Ready")
                    return ready != nil && ready?.reason != "Progressing"
                }
                #expect(looked)
                let found = try await world.job("first-on-the-cluster", namespace: "evaluations")
                #expect(found?.condition("Stalled") == nil, "\(found?.condition("Stalled")?.message ?? "")")
            }
        }
    }

    @Test("the shipped examples do not stall for a field that is not supported", arguments: ["hello-world.yaml", "agents.yaml", "target.yaml"])
    func examples(_ file: String) async throws {
        try await World.run { world in
            for secret in ["llm", "results-git", "benchmark-deploy-key"] {
                let object: JSONValue = [
                    "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(secret)],
                    "stringData": ["token": "12345678", "api-key": "12345678", "ssh-privatekey": "12345678"],
                ]
                _ = try await world.client.create(.secrets, object, namespace: "default")
            }
            try await world.withOperator(policy: .shorthand) { _ in
                let applied = try await world.kubectl("apply", "-f", "\(root)/examples/\(file)")
                #expect(applied.ok, "\(applied.err)")
                let jobs = try await world.client.list(.evalJobs, namespace: "default").items.compactMap { ObjectKey(of: $0)?.name }
                #expect(jobs.count == 1)
                for name in jobs {
                    // The repositories of the examples do not exist: a job waits for them, and says so.
                    let job = try await world.wait(name) { $0.status?.phase != nil && $0.condition("Ready")?.reason != "Progressing" }
                    #expect(job.condition("Stalled") == nil, "\(job.condition("Stalled")?.message ?? "")")
                }
            }
        }
    }
}
