import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import TrialRuntime

/// What the collector takes of the artifacts that a trial offers.
@Suite("Artifacts are handed over as copies")
struct HandoverTests {
    private final class Place: Sendable {
        let paths: TrialPaths

        init() throws {
            paths = TrialPaths(root: FileManager.default.temporaryDirectory.appendingPathComponent("handover-\(UUID().uuidString)").path)
            for folder in [paths.offered, paths.collectedLogs, paths.accepted] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
        }

        deinit { Directory.removeTree(paths.root) }

        func bash(_ script: String) async throws {
            let result = try await Command("bash", ["-ec", script], workingDirectory: paths.root, deadlineSeconds: 60).run()
            try #require(result.succeeded, "\(result.stderrText)")
        }

        func take(_ artifacts: [TaskArtifact], _ limits: HandoverLimits = HandoverLimits()) throws -> ArtifactHandover {
            var handover = ArtifactHandover(paths: paths, limits: limits)
            try handover.take(TrialProgram.Verifier(artifacts: artifacts).handed(CollectorConfiguration().steps[0]))
            return handover
        }

        func accepted() async throws -> [String] {
            try await Command("find", [".", "-mindepth", "1", "-printf", "%P %y\n"], workingDirectory: paths.accepted(ofStep: 0)).run().stdoutText
                .split(separator: "\n").map(String.init).sorted()
        }
    }

    @Test(
        "patterns mean what they mean for tar --exclude",
        arguments: [
            ("**/node_modules/**", ["node_modules/a", "x/node_modules/a/b"], ["node_modules", "x/node", "node_modules2/a"]),
            ("*.o", ["a.o", "x/a.o", "a.o/inside"], ["a.oo"]), ("./a", ["a", "a/b"], ["b/a"]), ("cache", ["cache", "x/cache/y"], ["caches"]),
            ("x/*.txt", ["x/a.txt", "x/y/a.txt", "z/x/a.txt"], ["a.txt"]),
        ])
    func patterns(pattern: String, excluded: [String], kept: [String]) async throws {
        let patterns = ExclusionPatterns(patterns: [pattern])
        func isExcluded(_ path: String) -> Bool { patterns.excludes(path.split(separator: "/").map { Array($0.utf8) }) }
        for path in excluded { #expect(isExcluded(path), "\(path)") }
        for path in kept { #expect(!isExcluded(path), "\(path)") }
        // The real tar agrees.
        let place = try Place()
        let all = excluded.filter { !$0.contains("/inside") } + kept
        // The deepest first, so that a folder is not made a file.
        for path in all.sorted(by: { $0.split(separator: "/").count > $1.split(separator: "/").count }) {
            try await place.bash("mkdir -p tree/$(dirname \(path)); [ -e tree/\(path) ] || : > tree/\(path)")
        }
        let listed = try await Command("bash", ["-c", "tar -C tree --exclude='\(pattern)' -cf - . | tar -tf -"], workingDirectory: place.paths.root)
            .run().stdoutText.split(separator: "\n").map { $0.trimmingPrefix("./").description }
        for path in all {
            let isListed = listed.contains(path) || listed.contains(path + "/")
            #expect(isListed == !isExcluded(path), "tar and \(path): \(listed)")
        }
    }

    @Test("catalogue 50: only regular files and folders, and none through a link")
    func hostile() async throws {
        let place = try Place()
        try await place.bash(
            """
            mkdir -p assay/offered/0/item/deep/er assay/offered/1 assay/offered/2 outside assay/logs/artifacts
            cd assay/offered/0/item; echo a > deep/er/a; chmod 4755 deep/er/a; chmod 000 deep/er/a; ln deep/er/a hard; mkfifo fifo
            ln -s /etc link; ln -s ../../../../outside up; ln -s . loop; echo secret > ../../../../outside/secret
            python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
            printf x > "$(printf 'bad\\377')"
            cd ../..; ln -s ../../../outside 1/item; rmdir 2; ln -s ../../outside 2
            cd ../logs; echo kept > artifacts/x; ln -s /etc folder
            """)
        let handover = try place.take(
            ["/app", "/one", "/two", "/logs/artifacts", "/logs/folder/passwd", "/missing"].map { TaskArtifact(source: $0) })
        let accepted = try await place.accepted()
        #expect(accepted.filter { $0.hasSuffix(" l") || $0.hasSuffix(" p") || $0.hasSuffix(" s") } == [])
        #expect(accepted.contains("0/item/deep/er/a f") && accepted.contains("0/item/hard f") && accepted.contains("3/item/x f"))
        #expect(!accepted.contains { $0.contains("secret") || $0.contains("passwd") })
        #expect(handover.files == 4, "\(accepted)")
        let reasons = Dictionary(grouping: handover.leftOut, by: \.why).mapValues(\.count)
        #expect(reasons == ["symlink": 4, "fifo": 1, "socket": 1], "\(reasons)")
        var info = stat()
        #expect(stat("\(place.paths.accepted(ofStep: 0))/0/item/deep/er/a", &info) == 0 && info.st_mode & 0o7777 == 0o444, "readable, without setuid")
    }

    @Test("limits: bytes, entries, depth; what is beyond them is left out and listed")
    func limits() async throws {
        let place = try Place()
        try await place.bash(
            """
            mkdir -p assay/offered/0/item/a/b/c/d; cd assay/offered/0/item; head -c 600 /dev/zero > one; head -c 600 /dev/zero > two
            truncate -s 100G huge; echo x > a/b/c/d/x
            """)
        let small = try place.take([TaskArtifact(source: "/app")], HandoverLimits(bytes: 1000, depth: 3))
        #expect(small.files == 1 && small.bytes == 600)
        #expect(small.leftOut.map { String(decoding: $0.components.last ?? [], as: UTF8.self) } == ["c", "huge", "two"])
        let few = try place.take([TaskArtifact(source: "/app")], HandoverLimits(entries: 3))
        #expect(few.leftOut.filter { $0.why.contains("more than 3 entries") }.count == 1, "\(few.leftOut)")
        #expect(try await place.accepted().count <= 4, "three entries and the artifact's folder")
    }

    @Test("links that are swapped during the copy lead nowhere")
    func swapping() async throws {
        let place = try Place()
        try await place.bash("mkdir -p outside/d; echo secret > outside/secret; echo secret > outside/d/secret; mkdir -p assay/offered/0/item")
        let swap = try RunningCommand.start(
            Command(
                "bash",
                [
                    "-c",
                    """
                    cd assay/offered/0/item; while :; do mkdir d; echo x > d/secret; echo x > f; rm -rf d f
                    ln -s ../../../../outside d; ln -s ../../../../outside/secret f; rm d f; done
                    """,
                ], workingDirectory: place.paths.root), onStdout: { _ in }, onStderr: { _ in })
        defer { swap.signal(SIGKILL) }
        for _ in 0..<300 {
            _ = try place.take([TaskArtifact(source: "/app")])
            let found = try? String(contentsOfFile: "\(place.paths.accepted(ofStep: 0))/0/item/f", encoding: .utf8)
            #expect(found?.contains("secret") != true)
            let below = try? String(contentsOfFile: "\(place.paths.accepted(ofStep: 0))/0/item/d/secret", encoding: .utf8)
            #expect(below?.contains("secret") != true)
        }
        swap.signal(SIGKILL)
        _ = await swap.wait()
    }

    @Test("where an artifact comes from, and its place in the record")
    func places() {
        func handed(_ source: String, _ destination: String? = nil) -> HandedArtifact {
            HandedArtifact(TaskArtifact(source: source, destination: destination), number: 0)
        }
        #expect(handed("/logs/artifacts").origin == .logs(["artifacts"]) && handed("/logs/artifacts").recordedAt == nil)
        #expect(handed("/logs/agent/x", "y").recordedAt == ["artifacts", "y"])
        #expect(handed("/app/./out/").origin == .offered && handed("/app/./out/").recordedAt == ["artifacts", "app", "out"])
        #expect(handed("logs/x").origin == .offered && handed("/logs").origin == .offered)
        let task = EvalTask(name: "t", schema: .harbor, schemaVersion: "1.3", artifacts: [TaskArtifact(source: "/app")])
        #expect(TrialProgram.Verifier.artifacts(of: task).map(\.source) == ["/logs/artifacts", "/app"])
        let steps = CollectorConfiguration().steps
        let handed = [nil, TrialProgram.Verifier.Separate(bringsTests: [true])].map {
            steps.handArtifacts(to: .init(artifacts: [TaskArtifact(source: "/logs/artifacts")], separate: $0))
        }
        #expect(handed == [false, true])
        var step = steps[0]
        step.artifacts = [TaskArtifact(source: "/own")]
        let all = TrialProgram.Verifier(artifacts: [TaskArtifact(source: "/app")]).handed(step)
        #expect(all.map(\.artifact.source) == ["/app", "/own"] && all.map(\.number) == [0, 1])
    }
}
