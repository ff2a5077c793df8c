import AssayAPI
import AssayTesting
import Base
import EvalModel
import Git
import KubeClient
import KubeCore
import KubeRuntime
import SourceSync
import Testing
import TrialRuntime

@testable import Reconcilers

@Suite("Overlays")
struct OverlayTests {
    /// A repository of an overlay, as a bare remote would be.
    private struct Repository {
        let world: World
        let path: String
        var url: String { "file://\(path)" }

        init(_ world: World, _ name: String, _ files: [String: String]) async throws {
            self.world = world
            path = "\(world.path)/\(name)"
            try await world.git(world.path, "init", "-q", "-b", "main", path)
            try await commit(files)
        }

        @discardableResult
        func commit(_ files: [String: String]) async throws -> String {
            for (file, text) in files {
                try Directory.make(Path.parent(of: "\(path)/\(file)"))
                try FileWriting.replace("\(path)/\(file)", with: Array(text.utf8))
            }
            try await world.git(path, "add", "-A")
            try await world.git(path, "commit", "-q", "-m", "more")
            return try await world.git(path, "rev-parse", "HEAD")
        }
    }

    private func create(_ world: World, _ name: String, _ repository: Repository, _ spec: JSONValue = [:]) async throws {
        var spec = spec
        spec["repo"] = .string(repository.url)
        spec["interval"] = spec["interval"] ?? "1s"
        _ = try await world.client.create(.overlaySources, Build.object(.overlaySources, name, spec: spec), namespace: "default")
    }

    private func overlay(_ world: World, _ name: String) async throws -> OverlaySource {
        try OverlaySource(json: try await world.client.get(.overlaySources, ObjectKey(namespace: "default", name: name)))
    }

    @discardableResult
    private func wait(
        _ world: World, _ name: String, _ what: String, location: SourceLocation = #_sourceLocation,
        until condition: @escaping @Sendable (OverlaySourceStatus, Condition) -> Bool
    ) async throws -> OverlaySource {
        let held = try await eventually {
            guard let status = try await overlay(world, name).status, let ready = status.conditions.first(where: { $0.type == "Ready" }) else {
                return false
            }
            return condition(status, ready)
        }
        let found = try await overlay(world, name)
        try #require(held, "\(what): \(found.status as Any)", sourceLocation: location)
        return found
    }

    private func withWorld(fate: @escaping @Sendable (FakeNode.Pod) -> Fate = { _ in .success(1) }, _ body: (World, SourceCache) async throws -> Void)
        async throws
    {
        try await World.run(tasks: ["a"], fate: fate) { world in
            try await body(world, world.sourceCache())
        }
    }

    private func withOperator(_ world: World, _ cache: SourceCache, state: String = "operator", _ body: () async throws -> Void) async throws {
        try await world.withOperator(state: state, cache: cache) { _ in try await body() }
    }

    private func createJob(_ world: World, _ name: String, _ overlays: [String]? = nil, _ changes: [String: JSONValue] = [:]) async throws {
        var spec = world.spec(changes)
        spec["overlays"] = overlays.map { .array($0.map { ["name": .string($0)] }) }
        _ = try await world.client.create(.evalJobs, Build.object(.evalJobs, name, spec: spec), namespace: "default")
    }

    @Test("a status says what a revision offers and shadows; a check that finds nothing new writes nothing; a push is found")
    func controller() async throws {
        try await withWorld { world, cache in
            let base = try await Repository(world, "base", ["tools/search": "1", "tools/Lint": "1", ".agents/skills/review/SKILL.md": "1"])
            let team = try await Repository(world, "team", ["tools/search": "2", "tools/lint": "2"])
            try await create(world, "team", team, ["order": 2, "workflowsSubdir": ""])
            try await create(world, "base", base, ["order": 1])
            try await withOperator(world, cache) {
                let first = try await wait(world, "team", "it does not see base") { status, _ in status.shadows?.isEmpty == false }
                #expect(first.status?.tools == ["lint", "search"] && first.status?.skills == nil && first.status?.workflows == nil)
                #expect(first.status?.shadows == ["tool/search of base"])
                #expect(first.status?.similarNames == ["tool/lint and tool/Lint of base"])
                let ready = try #require(first.status?.conditions.first { $0.type == "Ready" })
                #expect(
                    ready.reason == "SourceResolved"
                        && ready.message?.hasSuffix(#"of refs/heads/main: 2 tools; there is no folder ".agents/skills""#) == true, "\(ready)")
                let other = try await overlay(world, "base")
                #expect(other.status?.shadows == nil && other.status?.skills == ["review"])
                // A push to one of them, and the other is checked meanwhile without a write.
                let quiet = other.metadata.resourceVersion
                let commit = try await team.commit(["tools/deploy": "1"])
                let moved = try await wait(world, "team", "the push is not found") { status, _ in status.revision == commit }
                #expect(moved.status?.tools == ["deploy", "lint", "search"])
                #expect(try await overlay(world, "base").metadata.resourceVersion == quiet)
                let told = try await eventuallyEvents(world, ["SourceResolved"])
                #expect(told)
            }
        }
    }

    @Test("a job pins all overlays of its namespace at start: in its status, its plan, its pods and its record; a ref that moves changes nothing")
    func pins() async throws {
        try await withWorld(fate: { $0.key.name.contains("first") ? .pending : .success(1) }) { world, cache in
            let base = try await Repository(world, "base", ["tools/search": "1", ".agents/skills/review/SKILL.md": "1"])
            let team = try await Repository(world, "team", ["tools/search": "2"])
            // The order is spec.order's, then the name's; suspended ones have no revision, so the job waits.
            try await create(world, "a-team", team, ["order": 5, "interval": "1h"])
            try await create(world, "z-base", base, ["interval": "1h"])
            try await withOperator(world, cache) {
                try await createJob(world, "first", nil, ["attempts": 1])
                let job = try await world.wait("first") { $0.status?.startTime != nil }
                let (one, two) = (try await world.git(base.path, "rev-parse", "HEAD"), try await world.git(team.path, "rev-parse", "HEAD"))
                #expect(job.status?.overlays == [.init(name: "z-base", revision: one), .init(name: "a-team", revision: two)])
                let condition = try #require(Self.overlaysReady(job))
                #expect(
                    condition.reason == "OverlaysPinned" && condition.message?.contains("a-team shadows tool/search of z-base") == true,
                    "\(condition)")
                // A push reaches the next job, however long the interval is, and not this one.
                let pushed = try await team.commit(["tools/search": "3"])
                try await createJob(world, "second")
                let next = try await world.waitForEnd("second")
                #expect(next.status?.overlays?.map(\.revision) == [one, pushed])
                try await world.waitForPods(2)
                let pod = try #require(world.node.present.first { ObjectMeta(of: $0).name.contains("first") })
                let program = try Self.program(of: pod)
                #expect(program.delivery.overlays.map(\.commit) == [one, two])
                #expect(program.delivery.overlays[0].paths.surfaces == [.tools, .skills])
                let record = try #require(
                    try await world.records().first { $0["kind"]?.string == "run" && $0["jobName"]?.string == "second" })
                let expected: JSONValue = [
                    ["name": "z-base", "repo": .string(base.path), "revision": .string(one)],
                    ["name": "a-team", "repo": .string(team.path), "revision": .string(pushed), "shadows": ["tool/search of z-base"]],
                ]
                #expect(record["overlays"] == expected, "\(record.text)")
            }
            // An operator that remembers nothing, with the overlays gone: the plan says what they were.
            for name in ["a-team", "z-base"] { _ = try await world.client.delete(.overlaySources, ObjectKey(namespace: "default", name: name)) }
            try await withOperator(world, cache, state: "fresh") {
                let pod = try #require(world.node.seen.first { $0.key.name.contains("first") })
                try await world.node.play(pod, .success(1))
                let done = try await world.waitForEnd("first")
                #expect(done.status?.overlays?.count == 2)
            }
        }
    }

    private static func overlaysReady(_ job: EvalJob) -> Condition? { job.status?.conditions.first { $0.type == "OverlaysReady" } }

    private static func program(of pod: JSONValue) throws -> PodProgram {
        let container = try #require(pod.at("spec", "initContainers")?.array?.first)
        let text = container["env"]?.array?.first { $0["name"]?.string == TrialVariables.program }?["value"]?.string
        return try PodProgram(json: try #require(text).replacing("$$", with: "$").utf8, from: "the pod")
    }

    @Test("a source that goes away keeps its last good revision and says so; a new job gets it, and one on another ref does not")
    func goesAway() async throws {
        try await withWorld { world, cache in
            let base = try await Repository(world, "base", ["tools/search": "1"])
            try await create(world, "base", base)
            try await withOperator(world, cache) {
                let good = try await wait(world, "base", "not ready") { _, ready in ready.isTrue }
                let revision = try #require(good.status?.revision)
                try await world.git(world.path, "clone", "-q", "--bare", base.path, "elsewhere")
                Directory.removeTree(base.path)
                let bad = try await wait(world, "base", "not noticed") { _, ready in ready.isFalse }
                #expect(bad.status?.revision == revision && bad.status?.tools == ["search"])
                let ready = try #require(bad.status?.conditions.first { $0.type == "Ready" })
                #expect(ready.message?.hasSuffix("; jobs get the last good revision \(revision.prefix(12))") == true, "\(ready)")
                try await createJob(world, "late")
                #expect(try await world.waitForEnd("late").status?.overlays?.first?.revision == revision)
                // Another ref was never resolved: the old revision is not what the user asks for.
                _ = try await world.client.patch(
                    .overlaySources, ObjectKey(namespace: "default", name: "base"), .merge(["spec": ["ref": "other"]]))
                try await createJob(world, "waits")
                let waits = try await world.wait("waits") { Self.overlaysReady($0)?.reason == "OverlayNotReady" }
                #expect(waits.status?.startTime == nil)
                let changed = try await wait(world, "base", "the revision stays") { status, ready in status.revision == nil && ready.isFalse }
                #expect(changed.status?.conditions.first { $0.type == "Ready" }?.message?.hasSuffix("there is no revision to use") == true)
                // It comes back, with that ref: the job goes on by itself.
                try await world.git(world.path, "clone", "-q", "elsewhere", base.path)
                try await world.git(base.path, "branch", "other")
                #expect(try await world.waitForEnd("waits").status?.phase == .succeeded)
            }
        }
    }

    @Test("what cannot be: a name that there is not, an address that is refused, and a suspended source")
    func refusals() async throws {
        try await withWorld { world, cache in
            let base = try await Repository(world, "base", ["tools/search": "1"])
            try await create(world, "paused", base, ["suspend": true])
            _ = try await world.client.create(
                .overlaySources, Build.object(.overlaySources, "http", spec: ["repo": "http://example.com/x"]), namespace: "default")
            try await withOperator(world, cache) {
                let refused = try await wait(world, "http", "not refused") { _, ready in ready.isFalse }
                #expect(refused.status?.conditions.first { $0.type == "Stalled" }?.reason == "SourceInvalid")
                try await createJob(world, "refused", ["http"])
                let reason = try #require(refused.status?.conditions.first { $0.type == "Stalled" }?.message)
                let waits = try await world.wait("refused") { Self.overlaysReady($0)?.reason == "OverlayNotReady" }
                #expect(Self.overlaysReady(waits)?.message == "OverlaySource \"http\": \(reason)", "the job says what the overlay says")
                try await createJob(world, "missing", ["nobody"])
                try await createJob(world, "suspended", ["paused"])
                for (name, reason, says) in [("missing", "OverlayNotFound", "\"nobody\""), ("suspended", "OverlayNotReady", "spec.suspend")] {
                    let job = try await world.wait(name) { Self.overlaysReady($0)?.reason == reason }
                    let condition = try #require(Self.overlaysReady(job))
                    #expect(condition.isFalse && condition.message?.contains(says) == true, "\(condition)")
                }
                // Suspended again after it was read: jobs get that revision, and later pushes are not looked for.
                _ = try await world.client.patch(
                    .overlaySources, ObjectKey(namespace: "default", name: "paused"), .merge(["spec": ["suspend": false]]))
                let job = try await world.waitForEnd("suspended")
                _ = try await world.client.patch(
                    .overlaySources, ObjectKey(namespace: "default", name: "paused"), .merge(["spec": ["suspend": true]]))
                // A look that is under way until then could still find the push.
                let paused = try await wait(world, "paused", "not suspended") { _, ready in ready.reason == "Suspended" }
                try await base.commit(["tools/later": "1"])
                try await createJob(world, "again", ["paused"])
                #expect(try await world.waitForEnd("again").status?.overlays == job.status?.overlays)
                #expect(paused.status?.conditions.first { $0.type == "Ready" }?.isTrue == true)
            }
        }
    }

    @Test("a job that waits for something else does not say that it waits for an overlay or a target that is there")
    func waitsForAnother() async throws {
        try await withWorld { world, cache in
            try await create(world, "base", try await Repository(world, "base", ["tools/search": "1"]))
            let other: JSONValue = ["name": "other"]
            let secret: JSONValue = [
                ["name": "a", "execute": "true", "env": [["name": "K", "valueFrom": ["secretKeyRef": ["name": "none", "key": "k"]]]]]
            ]
            try await withOperator(world, cache) {
                try await createJob(world, "overlay", ["later"], ["agents": secret])
                try await createJob(world, "target", ["base"], ["agents": secret, "targetRef": other])
                for (name, type) in [("overlay", "OverlaysReady"), ("target", "TargetReady")] {
                    let job = try await world.wait(name) { $0.status?.conditions.contains { $0.type == type && $0.isFalse } == true }
                    #expect(job.status?.startTime == nil)
                }
                try await create(world, "later", try await Repository(world, "later", ["tools/more": "1"]))
                _ = try await world.client.create(.evalTargets, Build.object(.evalTargets, "other", spec: ["type": "cluster"]), namespace: "default")
                for name in ["overlay", "target"] {
                    let job = try await world.wait(name) { $0.status?.conditions.contains { $0.reason == "SecretNotFound" } == true }
                    #expect(job.status?.conditions.map(\.type) == ["Ready"], "\(job.status?.conditions ?? [])")
                }
            }
        }
    }

    @Test("without a cache service jobs are refused, and each of their overlays says the same; with one again, all go on")
    func withoutCache() async throws {
        try await withWorld { world, cache in
            let base = try await Repository(world, "base", ["tools/search": "1"])
            try await create(world, "read", base)
            try await create(world, "paused", base, ["suspend": true])
            // An overlay that was ready under an operator with the service.
            try await withOperator(world, cache) { _ = try await wait(world, "read", "not ready") { _, ready in ready.isTrue } }
            try await create(world, "new", base)
            _ = try await world.client.create(
                .overlaySources, Build.object(.overlaySources, "http", spec: ["repo": "http://example.com/x"]), namespace: "default")
            try await world.withOperator(state: "without") { _ in
                try await createJob(world, "named", ["read"])
                try await createJob(world, "all")
                for name in ["named", "all"] {
                    let job = try await world.wait(name) { Self.overlaysReady($0)?.isFalse == true }
                    let stalled = try #require(job.status?.conditions.first { $0.type == "Stalled" })
                    #expect(stalled.reason == "UnsupportedField" && stalled.message?.contains(JobOverlays.withoutCache) == true, "\(stalled)")
                }
                let paused = try await wait(world, "paused", "paused does not say it") { _, ready in ready.reason == "Suspended" && ready.isFalse }
                for words in ["while spec.suspend is true", JobOverlays.withoutCache] {
                    #expect(paused.status?.conditions.first { $0.type == "Ready" }?.message?.contains(words) == true, "\(words)")
                }
                #expect(paused.status?.conditions.contains { $0.type == "Stalled" && $0.isTrue } == false)
                for name in ["read", "new", "http"] {
                    let overlay = try await wait(world, name, "\(name) does not say it") { _, ready in ready.reason == "UnsupportedField" }
                    for type in ["Ready", "Stalled"] {
                        let condition = try #require(overlay.status?.conditions.first { $0.type == type })
                        #expect(condition.message?.hasPrefix(JobOverlays.withoutCache) == true, "\(condition)")
                        #expect(condition.message?.contains("--cache-service") == true && condition.isTrue == (type == "Stalled"))
                    }
                }
            }
            try await withOperator(world, cache, state: "again") {
                for name in ["read", "new"] {
                    let ready = try await wait(world, name, "not ready again") { _, ready in ready.isTrue }
                    #expect(ready.status?.conditions.contains { $0.type == "Stalled" && $0.isTrue } == false)
                }
                try await createJob(world, "later", ["read"])
                #expect(try await world.waitForEnd("later").status?.phase == .succeeded)
            }
        }
    }

    @Test("a variable of a task that only Assay may set is refused by name")
    func reserved() async throws {
        try await withWorld { world, cache in
            for (name, table) in [("env", "environment.env"), ("verifier", "verifier.env")] {
                let folder = "\(world.source)/tasks/\(name)"
                try Directory.make("\(folder)/tests")
                let toml = "version = \"1.0\"\n[environment]\ndocker_image = \"x:1\"\n[\(table)]\nASSAY_TOOL_DIRS = \"/mine\"\n"
                for (file, text) in ["task.toml": toml, "instruction.md": "Do it.\n", "tests/test.sh": "#!/bin/bash\n"] {
                    try FileWriting.replace("\(folder)/\(file)", with: Array(text.utf8))
                }
            }
            try await world.git(world.source, "add", "-A")
            try await world.git(world.source, "commit", "-q", "-m", "more")
            try await withOperator(world, cache) {
                try await createJob(world, "job", [], ["datasets": [["path": "tasks", "include": ["env", "verifier"]]]])
                #expect(try await world.waitForEnd().status?.trials?.failed == 2)
                let messages = try await world.records().compactMap { $0.at("error", "message")?.string }.sorted()
                try #require(messages.count == 2, "\(messages)")
                for (message, table) in zip(messages, ["environment.env", "verifier.env"]) {
                    #expect(message.contains("[\(table)] ASSAY_TOOL_DIRS"), "\(message)")
                }
            }
        }
    }
}
