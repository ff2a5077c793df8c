import Base

extension GitClient {
    /// The problems that `git fsck --strict` finds in a repository, one line each; empty if there are none. Objects that a partial
    /// copy has not fetched from its remote do not count as missing.
    ///
    /// - Throws: when fsck cannot run or does not finish.
    public func fsck(_ repository: String) async throws(GitError) -> [String] {
        let call = Call(
            arguments: ["fsck", "--strict", "--no-dangling", "--no-progress"], repository: repository,
            configuration: [("core.commitGraph", "false")], environment: ["GIT_NO_REPLACE_OBJECTS": "1"], deadline: 3600,
            doing: "check the objects of")
        let result = try await result(call)
        guard case .code = result.exit, !result.timedOut else { throw failure(call, result) }
        let lines = (result.stdoutText + "\n" + result.stderrText).split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("notice:") && !$0.hasPrefix("dangling ") && !$0.hasPrefix("unreachable ") }
        return result.succeeded
            ? lines.filter { $0.hasPrefix("error") || $0.hasPrefix("missing") || $0.hasPrefix("broken") }
            : lines.isEmpty ? ["git fsck: \(result.exit)"] : lines
    }

    /// The merge commits in a tip's history (more than one parent), newest first.
    public func merges(in repository: String, of tip: GitObjectID, remote: Remote? = nil) async throws(GitError) -> [GitObjectID] {
        let output = try await run(
            Call(
                arguments: ["rev-list", "--min-parents=2", tip.hex, "--"], repository: repository, remote: remote,
                environment: ["GIT_NO_REPLACE_OBJECTS": "1"], doing: "read the history of"))
        return String(decoding: output, as: UTF8.self).split(separator: "\n").compactMap { GitObjectID($0) }
    }
}
