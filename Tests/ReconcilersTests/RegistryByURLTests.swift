import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import HTTPTransport
import KubeCore
import Planning
import SourceSync
import Subprocess
import Testing

/// Registries at an https address, with nginx and git repositories.
@Suite("Registries by URL")
struct RegistryByURLTests {
    private final class Site: Sendable {
        let directory: String
        let front: TLSFront
        private let server: ScriptedServer

        init(_ handler: @escaping ScriptedServer.Handler) async throws {
            directory = FileManager.default.temporaryDirectory.appendingPathComponent("assay-registry-\(UUID().uuidString)").path
            server = try ScriptedServer(handler: handler)
            front = try await TLSFront(before: server.port, directory: directory)
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        /// A repository of tasks; returns its commit.
        func repository(_ name: String, tasks: [String]) async throws -> (url: String, commit: String) {
            let place = "\(directory)/\(name)"
            for task in tasks {
                for (file, text) in [
                    "task.toml": "schema_version = \"1.4\"\nenvironment.docker_image = \"i\"\n", "instruction.md": "x\n", "tests/test.sh": "true\n",
                ] {
                    let path = "\(place)/\(task)/\(file)"
                    try Directory.make(Path.parent(of: path))
                    try FileWriting.replace(path, with: Array(text.utf8), durable: false)
                }
            }
            func git(_ words: String...) async throws -> String {
                let identity = ["-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
                let result = try await Command("git", ["-C", place] + identity + words).run()
                try #require(result.succeeded, "\(result.stderrText)")
                return result.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            _ = try await git("init", "-q")
            _ = try await git("add", "-A")
            _ = try await git("commit", "-q", "-m", "tasks")
            return ("file://\(place)", try await git("rev-parse", "HEAD"))
        }

        func prepare(_ url: String, version: String? = nil, source: String, trusted: Bool = true) async throws(ReconcileError) -> PreparedJob {
            let resolver = SourceResolver(cacheDirectory: "\(directory)/cache", policy: [.local])
            let tls = trusted ? TLSOptions(authorities: .data(front.authority)) : TLSOptions()
            var spec = EvalJobSpec(source: SourceSpec(repo: source))
            spec.datasets = [DatasetSpec(registry: RegistrySpec(url: url), name: "d", version: version)]
            spec.agents = [AgentSpec(name: "a", execute: "true")]
            let job = EvalJob(metadata: ObjectMeta(name: "j", namespace: "n"), spec: spec)
            return try await JobPreparation(resolver: resolver, tls: tls).prepare(job, pinnedTo: nil) { _ in .none }
        }
    }

    @Test("the entry of the version, with one clone for each repository and commit")
    func selects() async throws {
        let text = Locked("")
        let site = try await Site { request in request.target == "/registry.json" ? .text(text.withLock { $0 }) : .text("gone", status: 404) }
        let (one, two) = (try await site.repository("one", tasks: ["a", "b"]), try await site.repository("two", tasks: ["c"]))
        func task(_ name: String, _ repo: (url: String, commit: String)) -> JSONValue {
            ["name": .string(name), "git_url": .string(repo.url), "git_commit_id": .string(repo.commit), "path": .string(name)]
        }
        let entries: JSONValue = [
            ["name": "d", "version": "1.0", "description": "", "tasks": [task("a", one)]],
            ["name": "d", "version": "2.0", "description": "", "tasks": [task("a", one), task("b", one), task("c", two)]],
        ]
        text.withLock { $0 = entries.text }
        let url = site.front.url + "/registry.json"
        let newest = try await site.prepare(url, source: one.url)
        #expect(newest.tasks.map(\.reference.name) == ["a", "b", "c"] && newest.tasks.allSatisfy { $0.refusal == nil })
        #expect(newest.tasks.compactMap(\.taskRepo?.commit.hex) == [one.commit, one.commit, two.commit])
        #expect(try await site.prepare(url, version: "1.0", source: one.url).tasks.map(\.reference.name) == ["a"])
        // One mirror for each repository, whatever the number of its tasks.
        let mirrors = try FileManager.default.contentsOfDirectory(atPath: "\(site.directory)/cache").filter { $0.hasSuffix(".git") }
        #expect(mirrors.count == 2, "\(mirrors)")
    }

    @Test("what is wrong is said, and whether waiting helps")
    func failures() async throws {
        let site = try await Site { request in
            switch request.target {
            case "/moved": ScriptedResponse.text("", status: 302)
            case "/busy": .text("later", status: 503)
            case "/text": .text("no registry")
            case "/own": .text(#"[{"name": "d", "version": "1", "description": "", "tasks": [{"name": "a", "path": "a"}]}]"#)
            default: .text("gone", status: 404)
            }
        }
        let source = try await site.repository("one", tasks: ["a"]).url
        func problem(_ url: String, trusted: Bool = true) async -> ReconcileError? {
            do throws(ReconcileError) {
                _ = try await site.prepare(url, source: source, trusted: trusted)
                return nil
            } catch {
                return error
            }
        }
        let cases: [(String, String, Bool)] = [
            ("/moved", "answered with status 302", false), ("/busy", "answered with status 503", true), ("/text", "line 1, column 1", false),
            ("/none", "answered with status 404", false), ("/own", "no git_url", false),
        ]
        for (path, words, waits) in cases {
            let error = await problem(site.front.url + path)
            #expect(error?.message.contains(words) == true && (error?.retryAfterSeconds != nil) == waits, "\(path): \(String(describing: error))")
        }
        #expect(await problem(site.front.url + "/own", trusted: false)?.message.contains("cannot get") == true)
        #expect(await problem("http://registry.example/r.json")?.message.contains("must be an https:// address") == true)
    }
}
