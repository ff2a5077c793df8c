import AssayAPI
import AssayTesting
import Base
import Dependencies
import Foundation
import KubeCore
import Planning
import Testing

@Suite("Programs that targets need")
struct TargetProgramsTests {
    /// A directory with the programs of this name, which print a version.
    private static func directory(_ names: [String], version: String = "9.9.9") throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "programs-\(UUID().uuidString)").path
        try Directory.make(path)
        for name in names { try FileWriting.write("#!/bin/sh\necho \(name) \(version)\n".utf8, to: "\(path)/\(name)", mode: 0o755) }
        return path
    }

    @Test(
        "each type has its programs; ssh and openssl are for the jobs that use them",
        arguments: [
            (EvalTargetSpec.Kind.cluster, ["git"]), (.local, ["git", "podman", "runc"]), (.ci, ["git", "podman", "runc"]),
            (.vm, ["git", "ssh", "podman", "runc"]),
        ])
    func table(kind: EvalTargetSpec.Kind, always: [String]) {
        let target = EvalTargetSpec(type: kind)
        #expect(TargetPrograms.needed(by: target, for: []).map(\.name) == always)
        let all = Set(TargetPrograms.needed(by: target, for: Set(TargetPrograms.Use.allCases)).map(\.name))
        #expect(all == Set(always + ["ssh", "openssl"]))
        // On a cluster the operator's machine is no node.
        #expect(TargetPrograms.needed(by: target, for: [], runsPods: false).map(\.name) == ["git"])
    }

    @Test("addresses of source, results and tasks tell whether ssh is needed")
    func uses() {
        #expect(TargetPrograms.uses(EvalJobSpec(source: SourceSpec(repo: "https://h/r"))) == [])
        #expect(TargetPrograms.uses(EvalJobSpec(source: SourceSpec(repo: "git@h:r"))) == [.sshAddress])
        var spec = EvalJobSpec(source: SourceSpec(repo: "owner/name"))
        spec.datasets = [DatasetSpec(tasks: [TaskSpec(name: "t", repo: "ssh://git@h/r")])]
        #expect(TargetPrograms.uses(spec) == [.sshAddress])
    }

    @Test("every program that is missing is named with how to install it, in one message")
    func problems() async throws {
        let empty = try Self.directory([])
        defer { Directory.removeTree(empty) }
        let needed = TargetPrograms.needed(by: EvalTargetSpec(type: .local), for: Set(TargetPrograms.Use.allCases)).map { program in
            var program = program
            program.furtherDirectories = []
            return program
        }
        let problem = try #require(TargetPrograms.problem(of: await ProgramCheck(path: empty).look(for: needed)))
        for words in ["apt install git,", "apt install openssh-client,", "apt install podman,", "apt install runc,", "apt install openssl,"] {
            #expect(problem.contains(words), "\(problem)")
        }
        #expect(problem.contains("runc (nor crun, "))
        let full = try Self.directory(["git", "ssh", "podman", "crun", "openssl"])
        defer { Directory.removeTree(full) }
        #expect(TargetPrograms.problem(of: await ProgramCheck(path: full).look(for: needed)) == nil)
    }

    @Test("a job waits for a program that is missing, before any pod; the target says so, and lists what there is")
    func missing() async throws {
        let programs = try Self.directory([])
        defer { Directory.removeTree(programs) }
        try await World.run { world in
            let object: JSONValue = [
                "apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": "default", "namespace": "default"], "spec": [:],
            ]
            _ = try await world.client.create(.evalTargets, object)
            let running = try world.startOperator(programs: ProgramCheck(path: programs))
            try await world.createJob()
            let job = try await world.wait {
                $0.status?.conditions.contains { $0.type == "TargetReady" && $0.reason == "DependencyMissing" } == true
            }
            let message = job.status?.conditions.first { $0.type == "TargetReady" }?.message ?? ""
            #expect(message.contains("git is not installed; it is needed to read benchmarks"), "\(message)")
            #expect(message.contains("apt install git"))
            #expect(job.status?.startTime == nil && world.node.settledCount == 0)
            @Sendable func status() async throws -> EvalTargetStatus? {
                try EvalTarget(json: try await world.client.get(.evalTargets, ObjectKey(namespace: "default", name: "default"))).status
            }
            let isSaid = try await eventually {
                try await status()?.conditions.contains { $0.type == "Preflight" && $0.status == "False" && $0.reason == "DependencyMissing" } == true
            }
            #expect(isSaid)
            #expect(try await status()?.dependencies == [.init(name: "git", found: false)])
            try FileWriting.write("#!/bin/sh\necho git version 2.45.0\n".utf8, to: "\(programs)/git", mode: 0o755)
            await running.stop()
            // A new operator looks again at once.
            let next = try world.startOperator(programs: ProgramCheck(path: programs))
            try await world.waitForEnd()
            let isFound = try await eventually {
                try await status()?.dependencies == [.init(name: "git", version: "2.45.0", path: "\(programs)/git", found: true)]
            }
            #expect(isFound)
            await next.stop()
        }
    }

    @Test("a Secret of a GitHub App needs openssl, which is said before any pod")
    func openssl() async throws {
        let programs = try Self.directory(["git"])
        defer { Directory.removeTree(programs) }
        try await World.run { world in
            let secret: JSONValue = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "app", "namespace": "default"],
                "stringData": ["githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": "k"],
            ]
            _ = try await world.client.create(.secrets, secret)
            let running = try world.startOperator(cache: world.sourceCache(), programs: ProgramCheck(path: programs))
            try await world.createJob(
                with: ["source": ["repo": .string("file://\(world.source)"), "ref": "main", "secretRef": ["name": "app"]]])
            let job = try await world.wait { job in
                job.status?.conditions.contains { $0.reason == "DependencyMissing" && $0.message?.contains("apt install openssl") == true } == true
            }
            #expect(job.status?.startTime == nil)
            await running.stop()
        }
    }
}
