import AssayAPI
import AssayTesting
import Base
import EvalFormats
import EvalModel
import KubeCore
import Planning
import SourceSync
import Testing

/// The fixtures of a job, before any of its trials.
@Suite("Fixtures of a job")
struct FixturePreparationTests {
    private let bench: AssayTesting.Workbench

    init() throws { bench = try Workbench() }

    private static func blob(_ path: String, _ url: String, _ text: String) -> FixturesLock.Blob {
        FixturesLock.Blob(path: path, url: url, sha256: SHA256.hex(of: Array(text.utf8)), size: text.utf8.count)
    }

    private func prepare(_ lock: String?, tasks: [String], extra: [String: String] = [:]) async throws -> Result<PreparedJob, ReconcileError> {
        var files = extra
        for task in tasks {
            files["tasks/\(task)/task.toml"] = "schema_version = \"1.4\"\nenvironment.docker_image = \"i\"\n"
            files["tasks/\(task)/instruction.md"] = "x\n"
            files["tasks/\(task)/tests/test.sh"] = "true\n"
        }
        files["fixtures.lock"] = lock
        let source = try await bench.repository(files: files)
        var spec = EvalJobSpec(source: SourceSpec(repo: "file://\(source)", fixtures: FixturesSpec()))
        spec.datasets = [DatasetSpec(path: "tasks")]
        spec.agents = [AgentSpec(name: "a", execute: "true")]
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
        let job = EvalJob(metadata: ObjectMeta(name: "j", namespace: "n"), spec: spec)
        do throws(ReconcileError) {
            return .success(try await JobPreparation(resolver: resolver).prepare(job, pinnedTo: nil) { _ in .none })
        } catch {
            return .failure(error)
        }
    }

    private func lock(_ blobs: [FixturesLock.Blob]) -> String { String(decoding: FixturesLock(blobs: blobs).serialized(), as: UTF8.self) }

    @Test("only the tasks whose fixtures are wrong are refused, with fixture_mismatch")
    func refusesTasks() async throws {
        let blobs = [
            Self.blob("tasks/good/tests/data", "store/right", "right"), Self.blob("tasks/bad/tests/data", "store/wrong", "other"),
            Self.blob("tasks/image/environment/data", "store/right", "right"), Self.blob("tasks/none/tests/data", "nowhere", "of no task"),
        ]
        let job = try await prepare(
            lock(blobs), tasks: ["good", "bad", "image", "plain"], extra: ["store/right": "right", "store/wrong": "wrong"]
        ).get()
        let refusals = Dictionary(uniqueKeysWithValues: job.tasks.map { ($0.reference.name, $0.refusal) })
        #expect(refusals["good"] == .some(nil) && refusals["plain"] == .some(nil))
        #expect(refusals["bad"]??.type == .fixtureMismatch)
        #expect(refusals["bad"]??.message.contains(SHA256.hex(of: Array("wrong".utf8))) == true)
        #expect(refusals["image"]??.type == .taskInvalid)
    }

    @Test("a fixture that cannot be had holds the job; a wrong lock file stalls it")
    func holds() async throws {
        let absent = try await prepare(lock([Self.blob("tasks/a/tests/data", "nowhere", "x")]), tasks: ["a"])
        let error = #expect(throws: ReconcileError.self) { try absent.get() }
        #expect(error?.reason == .sourceUnreachable && error?.message.contains("tasks/a/tests/data") == true)
    }

    @Test("a lock file that is missing, is none, or names a place that is taken", arguments: [nil, "{", "taken"] as [String?])
    func wrongLock(text: String?) async throws {
        let taken = lock([Self.blob("tasks/a/tests/test.sh", "tasks/a/task.toml", "x")])
        let outcome = try await prepare(text == "taken" ? taken : text, tasks: ["a"])
        let error = #expect(throws: ReconcileError.self) { try outcome.get() }
        #expect(error?.reason == .sourceInvalid && error?.message.contains("fixtures.lock") == true, "\(error?.message ?? "")")
    }
}
