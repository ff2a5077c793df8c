import AssayTesting
import Base
import Foundation
import Glibc
import KubeCore
import Subprocess
import Testing

@testable import PodmanNode

/// Real builds with podman, from a base image of this machine's programs under a public name.
@Suite("Builds of images", .node, .serialized)
struct BuildTests {
    /// The first digits of sleeps, by which processes of these builds are told from those of another run of the tests on this machine.
    private static let mark = Int.random(in: 100_000...999_999)
    private let harness: NodeHarness
    private let node: PodmanNode

    init() async throws {
        harness = try #require(NodeHarness.current)
        node = try #require(harness.node)
        let archive = harness.directory + "/base.tar"
        guard try await node.podmanForTests?.imageID(Self.base) == nil else { return }
        try Directory.make(harness.directory + "/base")
        try await BaseImage.makeArchive(archive, in: harness.directory + "/base")
        let result = try await #require(node.podmanForTests).call(["import", archive, Self.base])
        try #require(result.succeeded, "\(result.stderrText)")
    }

    private static let base = "docker.io/library/base:1"

    private func context(_ files: [String: String]) throws -> String {
        let folder = "\(harness.directory)/context-\(UUID().uuidString.prefix(8))"
        for (name, text) in files {
            try Directory.make(Path.parent(of: "\(folder)/\(name)"))
            try FileWriting.write(Array(text.utf8), to: "\(folder)/\(name)", mode: name.hasSuffix(".sh") ? 0o755 : 0o644)
        }
        return folder
    }

    private func build(
        _ dockerfile: String, _ files: [String: String] = [:], name: String = "localhost/assay/task:\(UUID().uuidString.prefix(8).lowercased())",
        arguments: [String: String] = [:], limits: PodmanBuild.Limits = .init(seconds: 300)
    ) async throws -> PodmanBuild.End {
        let context = try context(files.merging(["Dockerfile": dockerfile]) { $1 })
        return await node.build(PodmanBuild(name: name, context: context, arguments: arguments, limits: limits))
    }

    /// Runs a script in a pod of the image and returns its output.
    private func output(_ name: String, of image: String, _ script: String) async throws -> String {
        let container: JSONValue = ["name": "c", "image": .string(image), "command": ["bash", "-c", .string(script)]]
        try await harness.create(name, podSpec([container]))
        _ = try await harness.waitEnded(name)
        return String(decoding: try await harness.log(name, "c"), as: UTF8.self)
    }

    /// Processes with this text in their command line.
    private func processes(_ text: String) -> [pid_t] { ProcessTree.processes { $0.contains(text) } }

    @Test("what Dockerfiles of tasks use; the pod's own command runs instead of ENTRYPOINT")
    func features() async throws {
        let end = try await build(
            """
            FROM base:1 AS one
            ARG WORD=default
            RUN mkdir /made && echo "$WORD" > /made/word

            FROM docker.io/library/base:1
            ARG OTHER=fallback
            ENV SET=by-image
            COPY --from=one /made/word /word
            WORKDIR /app
            COPY . .
            COPY tool.sh /usr/bin/tool
            RUN echo "$OTHER" > other && ls -A > listing && ln -s other link
            HEALTHCHECK CMD false
            SHELL ["/bin/bash", "-c"]
            RUN [[ -n $BASH_VERSION ]] && echo bash > shell
            USER worker
            ENTRYPOINT ["/bin/false"]
            """,
            [
                "tool.sh": "#!/bin/sh\necho tool\n", "kept.txt": "kept", "secret.key": "no", "sub/secret.key": "no",
                ".dockerignore": "**/*.key\nignored\n",
                "ignored/x": "no", "sub/y": "yes\n",
            ], arguments: ["WORD": "given"])
        guard case .built(let reference, let log) = end else { return #expect(Bool(false), "\(end)") }
        #expect(reference.contains("@sha256:") && log.contains("STEP"))
        let text = try await output(
            "features", of: reference,
            "cat /word other shell; echo $SET; pwd; id -un; /usr/bin/tool; readlink link; cat listing sub/y; ls sub; [ -w /app ] || echo not writable"
        )
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.prefix(8) == ["given", "fallback", "bash", "by-image", "/app", "worker", "tool", "other"], "\(text)")
        #expect(lines.contains("kept.txt") && lines.contains("yes") && lines.contains("not writable"))
        #expect(!text.contains("secret.key") && !text.contains("ignored\n"))
    }

    @Test("the same name is found again with the same reference, and another one is not")
    func found() async throws {
        let end = try await build("FROM base:1\nRUN echo x > /x\n", name: "localhost/assay/task:found")
        guard case .built(let reference, _) = end else { return #expect(Bool(false), "\(end)") }
        #expect(try await node.imageReference("localhost/assay/task:found") == reference)
        #expect(try await node.imageReference("localhost/assay/task:other") == nil)
    }

    @Test(
        "a build that fails says which step and why",
        arguments: [
            ("FROM base:1\nRUN echo before\nRUN echo words >&2; exit 7\n", "STEP 3/3: RUN echo words", "exit status 7", "words\n"),
            ("FROM base:1\nCOPY missing.txt /\n", "STEP 2/2: COPY missing.txt", "missing.txt", ""),
            ("FROM base:1 AS a\nRUN true\nFROM base:1\nRUN no-such-program\n", "STEP 2/2: RUN no-such-program", "exit status 127", ""),
            ("FROM base:1\nNONSENSE x\n", "", "NONSENSE", ""),
        ])
    func failures(dockerfile: String, step: String, reason: String, output: String) async throws {
        let end = try await build(dockerfile)
        guard case .failed(let why, let log) = end else { return #expect(Bool(false), "\(end)") }
        #expect(why.contains(reason), "\(why)")
        #expect(log.hasPrefix("failed: \(step)") && log.contains("\n\(output)"), "\(log)")
        #expect(!log.contains(harness.directory), "no path of this machine")
    }

    @Test("catalogue 71: a build that hangs is killed with everything it started")
    func hangs() async throws {
        // Long enough that the build reaches its second step on a busy machine.
        let end = try await build(
            "FROM base:1\nRUN setsid sleep \(Self.mark)1 & trap '' TERM INT HUP; sleep \(Self.mark)2; true\n", limits: .init(seconds: 12))
        guard case .timedOut(let step, let log) = end else { return #expect(Bool(false), "\(end)") }
        #expect(step?.hasPrefix("STEP 2/2: RUN setsid") == true && log.contains("not over after 12 s"))
        let gone = await eventually { processes("\(Self.mark)1").isEmpty && processes("\(Self.mark)2").isEmpty }
        #expect(gone)
        let left = try await harness.podman(["ps", "--all", "--external", "--quiet"])
        #expect(left.isEmpty, "working containers are removed: \(left)")
        // The next build works.
        let next = try await build("FROM base:1\nRUN true\n")
        if case .built = next {} else { Issue.record("\(next)") }
    }

    @Test("a cancelled build is killed with everything it started")
    func cancelled() async throws {
        let task = Task { try await build("FROM base:1\nRUN sleep \(Self.mark)3\n") }
        let runs = await eventually { !processes("\(Self.mark)3").isEmpty }
        #expect(runs)
        task.cancel()
        #expect(try await task.value == .cancelled)
        let gone = await eventually { processes("\(Self.mark)3").isEmpty }
        #expect(gone)
    }

    @Test("what a killed build left is removed while containers of pods are created, and none of these is touched")
    func removalBesideStarts() async throws {
        let podman = try #require(node.podmanForTests)
        var limits = PodmanBuild.Limits(seconds: 300)
        limits.seconds = 2
        _ = try await build("FROM base:1\nRUN sleep \(Self.mark)4\n", limits: limits)
        // Several at once, so that some look while podman creates a container.
        let removals = (0..<4).map { _ in
            Task {
                var count = 0
                while !Task.isCancelled {
                    await podman.removeBuildContainers()
                    count += 1
                }
                return count
            }
        }
        let names = (0..<8).map { "beside-\($0)" }
        for name in names { try await harness.create(name, podSpec([shell("c", "trap 'exit 9' TERM; sleep 1; echo whole")])) }
        for name in names {
            let pod = try await harness.waitEnded(name)
            #expect(pod.ended("c")?["exitCode"] == 0, "\(pod.at("status") ?? .null)")
        }
        for removal in removals { removal.cancel() }
        for removal in removals { #expect(await removal.value > 1) }
        #expect((Directory.names(in: "\(harness.directory)/state/builds") ?? []).isEmpty)
    }

    @Test("catalogue 71: a build that fills the disk ends")
    func disk() async throws {
        var limits = PodmanBuild.Limits(seconds: 300)
        limits.diskBytes = 200 << 20
        let end = try await build(
            "FROM base:1\nRUN for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/f$i bs=1M count=100; sleep 0.3; done; sleep \(Self.mark)4\n",
            limits: limits)
        guard case .failed(let reason, _) = end else { return #expect(Bool(false), "\(end)") }
        #expect(reason.contains("more than 200 MiB"), "\(reason)")
        limits.diskBytes = 64 << 30
        limits.freeBytes = .max
        let full = try await build("FROM base:1\nRUN sleep \(Self.mark)4\n", limits: limits)
        guard case .failed(let why, _) = full else { return #expect(Bool(false), "\(full)") }
        #expect(why.contains("are free on the disk"))
        let gone = await eventually { processes("\(Self.mark)4").isEmpty }
        #expect(gone)
    }

    @Test("catalogue 71: a build that forks without end ends")
    func forks() async throws {
        var limits = PodmanBuild.Limits(seconds: 300)
        limits.processes = 60
        let end = try await build("FROM base:1\nRUN for i in $(seq 200); do sleep \(Self.mark)5 & done; wait\n", limits: limits)
        guard case .failed(let reason, _) = end else { return #expect(Bool(false), "\(end)") }
        #expect(reason.contains("processes, more than 60"), "\(reason)")
        let gone = await eventually { processes("\(Self.mark)5").isEmpty }
        #expect(gone)
    }

    @Test("a build that a killed process left is ended by the next node")
    func stray() async throws {
        let podman = try #require(node.podmanForTests)
        let context = try context(["Dockerfile": "FROM base:1\nRUN sleep \(Self.mark)6\n"])
        let stray = try RunningCommand.start(podman.command(["build", "--tag", "localhost/assay/task:stray", context]))
        let runs = await eventually { !processes("\(Self.mark)6").isEmpty }
        #expect(runs)
        await node.endOrphanedBuilds(podman)
        _ = await stray.wait()
        let gone = await eventually { processes("\(Self.mark)6").isEmpty }
        #expect(gone)
    }
}
