import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Subprocess
import Testing

@testable import SourceSync

/// A repository that is made to do harm, delivered with `sync: oneshot` and `mode: sparse`, as a target would.
@Suite("A malicious benchmark repository")
struct MaliciousRepositoryTests {
    private static let blobBytes = 2 << 30
    private static let files = 100_000

    /// The commit as a stream for `git fast-import`, but for the large blob.
    private static func tree(marker: String) -> String {
        var text = "commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 4\nevil\n"
        func file(_ path: String, _ content: String, mode: String = "100644") {
            text += "M \(mode) inline \(path)\ndata \(content.utf8.count)\n\(content)\n"
        }
        for task in ["plain", "links", "sub"] {
            file("tasks/\(task)/task.toml", "version = \"1.0\"\n")
            file("tasks/\(task)/instruction.md", "Do it.\n")
            file("tasks/\(task)/tests/test.sh", "#!/bin/bash\n", mode: "100755")
        }
        // Names that programs read as options, and bytes that a filter or an end-of-line rule would change.
        file("tasks/plain/tests/-rf", "kept\n")
        file("tasks/plain/tests/--upload-pack=touch \(marker.split(separator: "/").last ?? "")", "kept\n")
        file("tasks/plain/tests/crlf.txt", "a\r\nb\r\n")
        file("tasks/plain/.gitattributes", "* text eol=lf filter=evil ident export-subst working-tree-encoding=UTF-16\n")
        file("tasks/plain/tests/.gitattributes", "* filter=evil diff=evil merge=evil\n")
        for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
            file("hooks/\(hook)", "#!/bin/sh\ntouch \(marker)\n", mode: "100755")
            file("tasks/plain/tests/hooks/\(hook)", "#!/bin/sh\ntouch \(marker)\n", mode: "100755")
        }
        file(".gitmodules", "[submodule \"x\"]\n\tpath = tasks/sub/lib\n\turl = ext::touch% \(marker)\n\tupdate = !touch \(marker)\n")
        text += "M 160000 \(String(repeating: "ab", count: 20)) tasks/sub/lib\n"
        for (name, target) in [
            ("out", "../../../../../../../../etc/passwd"), ("absolute", "/etc/passwd"), ("loop", "loop"), ("up", ".."),
            ("git", "../../../.git/config"),
        ] { file("tasks/links/tests/\(name)", target, mode: "120000") }
        text += "M 100644 :1 large/blob\n"
        for number in 0..<files { text += "M 100644 :2 many/\(number / 1000)/\(number)\n" }
        return text + "\n"
    }

    /// The bytes of all files in a directory.
    private static func size(_ directory: String) -> Int { Directory.usage(of: directory, upTo: .max) }

    @Test("submodules, links, hooks, filters, names like options, 100,000 files and 2 GiB elsewhere: tasks are as they are, and nothing runs")
    func malicious() async throws {
        let bench = try Workbench()
        let (origin, marker) = ("\(bench.path)/origin.git", "\(bench.path)/marker")
        try await bench.git(bench.path, "init", "-q", "--bare", "-b", "main", origin)
        try await bench.git(origin, "config", "uploadpack.allowFilter", "true")
        try FileWriting.replace("\(bench.path)/tree", with: Array(Self.tree(marker: marker).utf8))
        let made = try await Command(
            "sh",
            [
                "-c",
                "{ printf 'blob\\nmark :1\\ndata \(Self.blobBytes)\\n'; head -c \(Self.blobBytes) /dev/zero; printf '\\nblob\\nmark :2\\ndata 2\\nx\\n\\n'; "
                    + "cat '\(bench.path)/tree'; } | git -c core.compression=1 --git-dir='\(origin)' fast-import --quiet",
            ]
        ).run()
        try #require(made.succeeded, "\(made.stderrText)")

        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
        let extent = MirrorExtent.sparse([try GitPath(parsing: "tasks")])
        let source = try await OneshotSync(extent).sync(SyncRequest(repo: "file://\(origin)", ref: "main"), with: resolver)
        let tree = try await resolver.tree(source)
        #expect(try await resolver.tasks(in: tree, at: "tasks").map(\.name) == ["links", "plain", "sub"])

        let trees = MirrorTrees(resolver: resolver) { _, _ in .none }
        func stream(_ task: String) async throws -> [String: (TreeStream.Entry, [UInt8])] {
            let reference = TreeReference(
                repository: "file://\(origin)", commit: source.commit, path: try GitPath(parsing: "tasks/\(task)"),
                parts: [try GitPath(parsing: "tests")], extent: extent)
            let file = "\(bench.path)/stream-\(task)"
            try await trees.write(reference, for: .init(namespace: "", secret: nil), to: try TreeSink(file, limit: .max))
            let entries = try TreeStreamTests.decoded(try FileReading.bytes(file))
            return Dictionary(uniqueKeysWithValues: entries.map { ($0.0.path.joined(separator: "/"), $0) })
        }
        let plain = try await stream("plain")
        #expect(plain["tests/-rf"]?.1 == Array("kept\n".utf8))
        #expect(plain["tests/crlf.txt"]?.1 == Array("a\r\nb\r\n".utf8))
        #expect(plain.keys.contains { $0.hasPrefix("tests/--upload-pack=touch") } && plain["tests/hooks/post-checkout"] != nil)
        let links = try await stream("links")
        for (name, target) in [("out", "../../../../../../../../etc/passwd"), ("absolute", "/etc/passwd"), ("git", "../../../.git/config")] {
            #expect(links["tests/\(name)"]?.0.kind == .link(target), "\(name): \(String(describing: links["tests/\(name)"]?.0))")
        }
        #expect(!links.values.contains { String(decoding: $0.1, as: UTF8.self).contains("root:") })
        // A submodule is never cloned.
        #expect(tree.submodules(below: "tasks/sub") == ["lib"])

        #expect(!FileEntry.exists(marker) && Directory.names(in: bench.path)?.contains("marker") == false)
        // The trees of 100,000 files are there, the blob of 2 GiB is not.
        #expect(Self.size("\(bench.path)/cache") < 64 << 20, "\(Self.size("\(bench.path)/cache")) bytes")
        let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: extent))
        #expect(try await resolver.git.missing(of: source.commit, in: mirror).count >= 2)
    }
}
