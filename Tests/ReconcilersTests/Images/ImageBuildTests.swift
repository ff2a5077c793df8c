import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Testing

@Suite("Images that are built")
struct ImageBuildTests {
    @Test("an image is built once for its content: for all trials, tasks and jobs, and its reference, digest and log are in every record")
    func once() async throws {
        try await World.run(tasks: ["build-1-a", "build-1-b", "build-2", "plain"]) { world in
            let builder = FakeBuilder()
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob("first", with: ["attempts": 2])
                let first = try await world.waitForEnd("first")
                #expect(first.status?.trials?.completed == 8)
                #expect(first.status?.images == ImagesStatus(total: 2, ready: 2, failed: 0))
                #expect(builder.begun.count == 2)
                try await world.createJob("second")
                let second = try await world.waitForEnd("second")
                #expect(second.status?.trials?.completed == 4)
                #expect(builder.begun.count == 2, "the second job builds nothing")
            }
            // Another operator finds the images.
            try await world.withOperator(state: "fresh", builder: builder) { _ in
                try await world.createJob("third")
                _ = try await world.waitForEnd("third")
                #expect(builder.begun.count == 2)
            }
            #expect(builder.begun.contains { $0.contains("echo 1") } && builder.begun.contains { $0.contains("echo 2") })
            let runs = try await world.records().filter { $0["kind"]?.string == "run" }
            #expect(runs.count == 16)
            for run in runs {
                let task = try #require(run["task"]?.string)
                let (image, digest) = (run.at("config", "image")?.string ?? "", run.at("config", "imageDigest")?.string ?? "")
                let folder = try #require(run["runId"]?.string.map { "\($0.prefix(2))/\($0.dropFirst(2))" })
                let file = "\(folder)/image-build.log"
                if task == "plain" {
                    #expect(image == "x:1")
                    #expect(try await world.git(world.remote, "ls-tree", "-r", "--name-only", World.branch, file).isEmpty)
                } else {
                    let log = try await world.git(world.remote, "show", "\(World.branch):\(file)")
                    #expect(image == "localhost/assay/task@\(digest)" && digest.count == 71, "\(run.text)")
                    #expect(log.hasPrefix("built FROM base:1") && log.contains("echo \(task.split(separator: "-")[1])"))
                }
            }
        }
    }

    @Test("trials whose image is ready start before the last image is built, and the status counts the images")
    func early() async throws {
        try await World.run(tasks: ["build-one", "build-two", "build-three"]) { world in
            let builder = FakeBuilder(otherwise: nil)
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob()
                let building = try await world.wait { $0.status?.condition(.ready)?.reason == Reason.buildingImages.rawValue }
                #expect(building.status?.phase == .preparing)
                #expect(building.status?.condition(.ready)?.message == "building 3 of 3 images")
                #expect(world.node.seen.isEmpty)
                // Two builds run at a time, and any of the three may be the one that waits.
                let begun = await eventually { builder.begun.count == 2 }
                #expect(begun)
                let first = try #require(["one", "two", "three"].first { builder.begun[0].contains("echo \($0)") })
                builder.end(first)
                try await world.waitForPods(1)
                let running = try await world.wait { $0.status?.trials?.completed == 1 }
                #expect(running.status?.phase == .running)
                #expect(running.status?.condition(.ready)?.message == "building 2 of 3 images")
                #expect(running.status?.images == ImagesStatus(total: 3, ready: 1, failed: 0))
                #expect(world.node.seen.count == 1)
                for name in ["one", "two", "three"] { builder.end(name) }
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 3)
                #expect(builder.most == 2, "no more builds at a time than the builder allows")
            }
        }
    }

    @Test(
        "an image that cannot be built fails its trials, once and without another try, and no other trial",
        arguments: [TrialErrorType.environmentBuildFailed, .environmentBuildTimeout])
    func failed(type: TrialErrorType) async throws {
        try await World.run(tasks: ["build-bad-a", "build-bad-b", "build-good", "plain"]) { world in
            let builder = FakeBuilder()
            builder.end("bad", .failure(TrialError(type, "tasks/build-bad-a/environment/Dockerfile: exit status 1")))
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob(with: ["attempts": 3])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 6 && job.status?.trials?.failed == 6)
                #expect(job.status?.images == ImagesStatus(total: 2, ready: 1, failed: 1))
                #expect(builder.begun.count { $0.contains("bad") } == 1)
            }
            let records = try await world.records()
            #expect(records.allSatisfy { $0["kind"]?.string != "retry" })
            for run in records where run["task"]?.string?.hasPrefix("build-bad") == true {
                #expect(run.at("error", "type")?.string == type.rawValue && run["outcome"]?.string == "infrastructure")
                let id = try #require(run["runId"]?.string)
                let log = try await world.git(world.remote, "show", "\(World.branch):\(id.prefix(2))/\(id.dropFirst(2))/image-build.log")
                #expect(log.hasPrefix("failed: STEP 2/2"))
            }
            try await world.expectRuns(12)
        }
    }

    @Test("another job tries a failed image again, and the job that saw it fail does not")
    func laterJob() async throws {
        try await World.run(tasks: ["build-x"]) { world in
            let builder = FakeBuilder()
            builder.end("x", .failure(TrialError(.environmentBuildFailed, "no network")))
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob("first")
                let first = try await world.waitForEnd("first")
                #expect(first.status?.trials?.failed == 1)
                builder.end("x")
                try await world.createJob("second")
                let second = try await world.waitForEnd("second")
                #expect(second.status?.trials?.completed == 1)
                #expect(builder.begun.count == 2)
            }
        }
    }

    @Test(
        "catalogue 72: an image that is gone between build and run: typed, built again, and the trial tried again",
        arguments: ["build-x", "judged-x"])
    func imageGone(task: String) async throws {
        let builder = FakeBuilder()
        let fate: @Sendable (FakeNode.Pod) -> Fate = { pod in
            guard pod.retry == 0 else { return .success(1) }
            builder.removeImages()
            return .failure(.environmentImagePullFailed)
        }
        try await World.run(tasks: [task], fate: fate) { world in
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob(with: ["retry": ["maxAttempts": 3, "initialDelayMs": 10]])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1)
                #expect(builder.begun.count == 2, "it was built again")
            }
            let records = try await world.records()
            let retry = try #require(records.first { $0["kind"] == "retry" })
            #expect(retry.at("error", "type") == "environment_image_pull_failed")
            let run = try #require(records.first { $0["kind"] == "run" })
            let digest = task == "judged-x" ? run.at("config", "verifier", "imageDigest") : run.at("config", "imageDigest")
            #expect(run["reward"]?.double == 1 && digest?.string?.hasPrefix("sha256:") == true, "\(run.text)")
        }
    }

    @Test("20 jobs at once that need one image: one build, also when the first of them is deleted meanwhile")
    func manyJobs() async throws {
        try await World.run(tasks: ["build-x"]) { world in
            let builder = FakeBuilder(otherwise: nil)
            try await world.withOperator(builder: builder) { _ in
                for number in 0..<20 { try await world.createJob("job-\(number)") }
                for number in 0..<20 {
                    try await world.wait("job-\(number)") { $0.status?.images?.total == 1 }
                }
                let begun = await eventually { builder.begun.count == 1 }
                #expect(begun)
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job-0"))
                let gone = try await eventually { try await world.job("job-0") == nil }
                #expect(gone)
                builder.end("x")
                for number in 1..<20 {
                    let job = try await world.waitForEnd("job-\(number)")
                    #expect(job.status?.trials?.completed == 1)
                }
                #expect(builder.begun.count == 1 && builder.cancelled.isEmpty)
            }
        }
    }

    @Test("a build that no job wants any more ends", arguments: ["cancel", "delete", "interrupt"])
    func unwanted(how: String) async throws {
        try await World.run(tasks: ["build-x", "build-y"]) { world in
            let builder = FakeBuilder(width: 1, otherwise: nil)
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob()
                let begun = await eventually { builder.begun.count == 1 }
                #expect(begun)
                let key = ObjectKey(namespace: "default", name: "job")
                switch how {
                case "cancel": try await world.change(to: ["cancel": true])
                case "delete": _ = try await world.client.delete(.evalJobs, key)
                default:
                    _ = try await world.client.patch(
                        .evalJobs, key, .merge(["metadata": ["annotations": [AssayNames.interruptedAnnotation: "true"]]]))
                }
                let ended = await eventually { builder.cancelled.count == 1 }
                #expect(ended)
                #expect(builder.begun.count == 1, "what waited for its turn does not begin")
                guard how == "interrupt" else { return }
                _ = try await world.client.patch(
                    .evalJobs, key, .merge(["metadata": ["annotations": [AssayNames.interruptedAnnotation: JSONValue.null]]]))
                builder.end("x")
                builder.end("y")
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 2)
            }
        }
    }

    @Test("forceBuild builds although the task names an image, and buildArguments make another image")
    func forced() async throws {
        try await World.run(tasks: ["build-x"]) { world in
            let toml = "\(world.source)/tasks/build-x/task.toml"
            try FileWriting.replace(toml, with: Array("version = \"1.0\"\n[environment]\ndocker_image = \"own:1\"\n".utf8), mode: 0o644)
            try await world.git(world.source, "commit", "-q", "-a", "-m", "image")
            let builder = FakeBuilder()
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob("plain")
                _ = try await world.waitForEnd("plain")
                #expect(builder.begun.isEmpty)
                try await world.createJob("forced", with: ["environment": ["forceBuild": true]])
                _ = try await world.waitForEnd("forced")
                #expect(builder.begun.count == 1)
                try await world.createJob("argument", with: ["environment": ["forceBuild": true, "buildArguments": ["VERSION": "2"]]])
                _ = try await world.waitForEnd("argument")
                #expect(builder.begun.count == 2)
            }
            let images = try await world.records().filter { $0["kind"]?.string == "run" }.compactMap { $0.at("config", "image")?.string }
            #expect(Set(images).count == 3 && images.contains("own:1"))
        }
    }

    @Test("an operator that starts again knows the image of a trial that ran meanwhile")
    func restarted() async throws {
        try await World.run(tasks: ["build-x"], fate: { _ in .never }) { world in
            let builder = FakeBuilder()
            try await world.withOperator(builder: builder) { _ in
                try await world.createJob()
                try await world.waitForPods(1)
            }
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh", builder: builder) { _ in
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1)
            }
            #expect(builder.begun.count == 1)
            let run = try #require(try await world.records().first { $0["kind"]?.string == "run" })
            #expect(run.at("config", "image")?.string?.hasPrefix("localhost/assay/task@sha256:") == true)
            let id = try #require(run["runId"]?.string)
            #expect(
                try await world.git(world.remote, "show", "\(World.branch):\(id.prefix(2))/\(id.dropFirst(2))/image-build.log").hasPrefix("built"))
        }
    }

    @Test("where nothing builds images, a task with a Dockerfile is refused with what to do")
    func noBuilder() async throws {
        try await World.run(tasks: ["build-x", "plain"]) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && job.status?.trials?.failed == 1)
                #expect(job.status?.images == nil)
            }
            let run = try #require(try await world.records().first { $0["task"]?.string == "build-x" })
            #expect(run.at("error", "type")?.string == "task_invalid")
            #expect(run.at("error", "message")?.string?.contains("environment/Dockerfile") == true)
        }
    }
}

extension EvalJobStatus {
    func condition(_ type: ConditionType) -> Condition? { conditions.first { $0.type == type.rawValue } }
}
