import AssayAPI
import Base
import Foundation
import KubeCore
import Subprocess
import Testing

@testable import assay

@Suite struct SourceChangeTests {
    @discardableResult
    private func git(_ words: String..., in folder: String) async throws -> String {
        let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        let result = try await Command("git", ["-C", folder] + identity + words).run()
        try #require(result.succeeded, "\(result.stderrText)")
        return result.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func commit(_ text: String, in folder: String) async throws -> String {
        try Data(text.utf8).write(to: URL(filePath: "\(folder)/file"))
        try await git("add", "--all", in: folder)
        try await git("commit", "--quiet", "--message", "m", in: folder)
        return try await git("rev-parse", "HEAD", in: folder)
    }

    private func change(_ folder: String, since commit: String?, ref: String? = nil, onDisk: Bool) async throws -> SourceChange? {
        let repo = "\(folder)/repo"
        let spec: JSONValue = ["source": ["repo": .string("file://\(repo)"), "ref": ref.map { .string($0) } ?? .null]]
        let target: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": "default"],
            "spec": ["type": "local", "sync": "noop", "workdir": .string(repo)],
        ]
        let job: JSONValue = ["apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "j"], "spec": spec]
        let documents = try JobDocuments(onDisk ? [target, job] : [job], file: "job.yaml")
        let known = EvalJob(
            metadata: ObjectMeta(name: "j", namespace: "default"), spec: EvalJobSpec(source: SourceSpec(repo: repo)),
            status: EvalJobStatus(source: commit.map { SourceStatus(commit: $0) }))
        return await SourceChange.of(known, comparedTo: documents, cacheDirectory: "\(folder)/cache")
    }

    @Test(arguments: [false, true])
    func aCommitThatHasMovedOnIsTold(onDisk: Bool) async throws {
        try await Checkout.withFolder { folder in
            let repo = "\(folder)/repo"
            try await git("init", "--quiet", "--initial-branch=main", "repo", in: folder)
            let first = try await commit("1", in: repo)
            #expect(try await change(folder, since: nil, onDisk: onDisk) == nil)
            #expect(try await change(folder, since: first, onDisk: onDisk) == nil)
            let second = try await commit("2", in: repo)
            let found = try #require(try await change(folder, since: first, onDisk: onDisk))
            #expect(found == SourceChange(began: first, now: second, directory: onDisk ? repo : nil))
            let notice = found.notice(of: "j")
            #expect(notice.contains(first.prefix(12)) && notice.contains(second.prefix(12)) && notice.contains("--anew"), "\(notice)")
            #expect(notice.contains(repo) == onDisk, "\(notice)")
            // A job that names its commit means that one.
            #expect(try await change(folder, since: first, ref: first, onDisk: onDisk) == nil)
        }
    }

    @Test func changesThatAreNotCommittedCountInADirectoryOnly() async throws {
        try await Checkout.withFolder { folder in
            let repo = "\(folder)/repo"
            try await git("init", "--quiet", "--initial-branch=main", "repo", in: folder)
            let first = try await commit("1", in: repo)
            try Data("changed".utf8).write(to: URL(filePath: "\(repo)/file"))
            #expect(try await change(folder, since: first, onDisk: false) == nil)
            let found = try #require(try await change(folder, since: first, onDisk: true))
            #expect(try await change(folder, since: found.now, onDisk: true) == nil, "the same content is the same commit")
            try FileManager.default.removeItem(atPath: repo)
            #expect(try await change(folder, since: first, onDisk: true) == nil, "what cannot be read is not told")
        }
    }
}
