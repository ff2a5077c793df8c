import Base
import Foundation
import KubeCore
import Subprocess
import Testing

@testable import assay

@Suite struct JobDocumentsTests {
    static let job = "apiVersion: assay.dev/v1alpha1\nkind: EvalJob\nmetadata: {name: j}\n"
    static let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"

    private func read(_ text: String) async throws -> JobDocuments {
        try await Checkout.withFolder { folder in
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/job.yaml"))
            return try JobDocuments(file: "\(folder)/job.yaml")
        }
    }

    @Test func oneJobAndWhatItNeedsInTheOrderOfTheFile() async throws {
        let target = "apiVersion: assay.dev/v1alpha1\nkind: EvalTarget\nmetadata: {name: t, namespace: default}\n"
        let documents = try await read("---\n\(Self.secret)---\n---\n\(Self.job)---\n\(target)")
        #expect(documents.jobName == "j")
        #expect(documents.others.map(\.type) == [.secrets, .evalTargets])
        for object in [documents.job] + documents.others.map(\.object) { #expect(object.at("metadata", "namespace") == "default") }
    }

    @Test(arguments: [
        ("", "there is no EvalJob in it"), (secret, "there is no EvalJob in it"),
        ("\(job)---\n\(job)", "there are 2 EvalJobs in it; run one at a time"),
        (
            "\(job)---\nkind: Secret\n",
            "document 2: apiVersion and kind are missing; a job file holds Kubernetes objects such as kind: EvalJob, or one job of Rollout (agents and datasets)"
        ),
        (
            "apiVersion: v1\nkind: Pod\n",
            "document 1: Pod (v1) does not belong in a job file; it may hold EvalJob, EvalTarget, OverlaySource, Secret and ConfigMap"
        ),
        (
            "\(job)---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: other}\n",
            "document 2: on a laptop there is only the namespace \"default\"; remove metadata.namespace"
        ),
        ("apiVersion: assay.dev/v1alpha1\nkind: EvalJob\nmetadata: {}\n", "the EvalJob has no metadata.name"),
    ])
    func whatIsWrongIsNamedWithItsDocument(text: String, message: String) async throws {
        let error = await #expect(throws: UsageError.self) { try await read(text) }
        let description = try #require(error?.description)
        #expect(description.hasSuffix(message), "\(description)")
        #expect(description.contains("/job.yaml"))
    }

    @Test func aFileThatIsNotThereOrNoYAMLIsNamed() async throws {
        try await Checkout.withFolder { folder in
            let missing = #expect(throws: UsageError.self) { try JobDocuments(file: "\(folder)/none.yaml") }
            #expect(missing?.description == "cannot read \(folder)/none.yaml: No such file or directory")
        }
        let broken = await #expect(throws: UsageError.self) { try await read("a: [\n") }
        #expect(broken?.description.contains("/job.yaml: ") == true)
    }

    /// Runs git in a folder, apart from the settings of whoever runs the tests.
    private func git(_ words: String..., in folder: String) async throws {
        let result = try await Command("git", ["-C", folder] + words).run()
        try #require(result.succeeded, "\(result.stderrText)")
    }

    private func resolved(_ spec: String, in folder: String) async throws -> JSONValue {
        try Data("\(Self.job)spec: \(spec)\n".utf8).write(to: URL(filePath: "\(folder)/job.yaml"))
        var documents = try JobDocuments(file: "\(folder)/job.yaml")
        try await documents.resolvePaths(relativeTo: folder)
        return documents.job
    }

    @Test func pathsBecomeURLs() async throws {
        try await Checkout.withFolder { folder in
            try await git("init", "--quiet", "repo", in: folder)
            try await git("init", "--quiet", "--bare", "results.git", in: folder)
            try FileManager.default.createDirectory(atPath: "\(folder)/repo/tasks", withIntermediateDirectories: true)
            let job = try await resolved("{source: {repo: repo/tasks}, artifacts: {git: {remote: results.git}}}", in: folder)
            #expect(job.at("spec", "source", "repo")?.string == "file://\(folder)/repo")
            #expect(job.at("spec", "artifacts", "git", "remote")?.string == "file://\(folder)/results.git")
        }
    }

    @Test func theNameOfARemoteBecomesItsURL() async throws {
        try await Checkout.withFolder { folder in
            try await git("init", "--quiet", ".", in: folder)
            try await git("remote", "add", "origin", "https://example.com/results", in: folder)
            try await git("remote", "add", "near", "../near.git", in: folder)
            let far = try await resolved("{artifacts: {git: {remote: origin}}}", in: folder)
            #expect(far.at("spec", "artifacts", "git", "remote") == "https://example.com/results")
            let near = try await resolved("{artifacts: {git: {remote: near}}}", in: folder)
            let parent = URL(filePath: folder).deletingLastPathComponent().path
            #expect(near.at("spec", "artifacts", "git", "remote")?.string == "file://\(parent)/near.git")
            let error = await #expect(throws: UsageError.self) { try await resolved("{artifacts: {git: {remote: nowhere}}}", in: folder) }
            #expect(error?.description.hasPrefix("spec.artifacts.git.remote: \"nowhere\" is neither a URL, nor a path here, nor a remote") == true)
        }
    }

    @Test(arguments: ["https://example.com/a", "git@example.com:a/b", "owner/name"])
    func whatIsNoPathStays(repo: String) async throws {
        try await Checkout.withFolder { folder in
            let job = try await resolved("{source: {repo: \"\(repo)\"}}", in: folder)
            #expect(job.at("spec", "source", "repo")?.string == repo)
        }
    }

    @Test func aSourceThatIsNotThereOrNoRepositoryIsRefused() async throws {
        try await Checkout.withFolder { folder in
            let missing = await #expect(throws: UsageError.self) { try await resolved("{source: {repo: ./nothing}}", in: folder) }
            #expect(missing?.description == "spec.source.repo: there is no \(folder)/nothing")
            let plain = await #expect(throws: UsageError.self) { try await resolved("{source: {repo: .}}", in: folder) }
            #expect(plain?.description.contains("is no git repository; make it one") == true)
        }
    }
}
