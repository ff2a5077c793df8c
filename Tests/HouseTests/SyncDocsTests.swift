import Foundation
import Testing

/// Users say what they want with `sync` and `syncOptions`. The program that does the work may be replaced, so no page for users has its options,
/// nor the field that passes them on.
@Suite struct SyncDocsTests {
    /// Options of git-sync 4 (its README) that neither git nor Assay has.
    private static let options = [
        "--add-user", "--askpass-url", "--cookie-file", "--credential", "--error-file", "--exechook", "--git-config", "--git-gc", "--github-app",
        "--group-write", "--http-bind", "--http-metrics", "--http-pprof", "--link", "--man", "--max-failures", "--one-time", "--password-file",
        "--period",
        "--root", "--sparse-checkout-file", "--ssh-key-file", "--ssh-known-hosts", "--stale-worktree-timeout", "--submodules", "--sync-hook-command",
        "--sync-on-signal", "--sync-timeout", "--touch-file", "--webhook",
    ]

    /// What in a text is not for users: each option, git-sync's variables, and the field.
    static func found(in text: String) -> [String] {
        let words = text.matches(of: /-{1,2}[a-z][a-z-]*/).map { String($0.0) }
        var found = options.filter { option in words.contains { $0 == option || $0.hasPrefix(option + "-") } }
        found += ["GITSYNC_", "GIT_SYNC_", "extraArgs", "extra_args"].filter { text.contains($0) }
        return found
    }

    @Test func noPageHasAnOptionOfGitSync() throws {
        let root = GeneratedFilesTests.root
        var pages = 0
        for folder in ["docs", "examples", "charts/assay", "manifests"] {
            for path in try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
            where ["md", "yaml"].contains((path as NSString).pathExtension) && !path.contains("crds/") {
                try check("\(folder)/\(path)", in: root)
                pages += 1
            }
        }
        try check("README.md", in: root)
        #expect(pages > 20)
    }

    @Test func theCheckFindsThem() {
        #expect(Self.found(in: "git-sync --period=60s --link current") == ["--link", "--period"])
        #expect(Self.found(in: "| `syncOptions.advanced.extraArgs` |") == ["extraArgs"])
        #expect(Self.found(in: "GITSYNC_ONE_TIME=true") == ["GITSYNC_"])
        #expect(Self.found(in: "git clone --depth 1 --filter=blob:none; refreshInterval: 60s") == [])
    }

    private func check(_ page: String, in root: URL) throws {
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        for word in Self.found(in: text) { Issue.record("\(page) has \(word)") }
    }
}
