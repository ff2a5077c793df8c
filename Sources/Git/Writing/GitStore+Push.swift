import Base

/// What became of a push of one branch.
public enum PushOutcome: Sendable, Hashable {
    /// The remote has the commit as the branch's tip, and said so.
    case accepted
    /// The branch moved meanwhile: fetch, build on the new tip, push again.
    case conflict(String)
    /// A hook, a protection or a limit: pushing again changes nothing.
    case refused(String)
    /// The connection failed; the remote may or may not have it: ask.
    case unknown(GitError)
}

extension GitStore {
    /// Pushes a commit as the tip of a branch. Never forces: the new tip must follow the old one, and a branch that is
    /// to be created must not exist (an empty expected value makes `--force-with-lease` create-only).
    public func push(_ commit: GitObjectID, to branch: GitBranch, creating: Bool) async throws(GitError) -> PushOutcome {
        var arguments = ["push", "--porcelain", "--no-verify", "--no-follow-tags"]
        if creating { arguments.append("--force-with-lease=\(branch.ref):") }
        arguments += ["--end-of-options", "origin", "\(commit.hex):\(branch.ref)"]
        let call = GitClient.Call(arguments: arguments, repository: path, remote: remote, doing: "push to \(branch) of")
        let result = try await client.result(call)
        if let line = PushReport.line(of: branch, in: result.stdoutText) {
            let outcome = PushReport.outcome(line, stderr: result.stderrText)
            if outcome != .accepted || result.succeeded { return outcome }
        }
        let error = client.failure(call, result)
        switch error.kind {
        case .authentication, .refused, .notARepository, .tooLarge: return .refused(error.message)
        case .cancelled, .gitMissing, .storage: throw error
        default: return .unknown(error)
        }
    }
}

/// The lines of `git push --porcelain` (git-push(1), "Output").
enum PushReport {
    /// `<flag>\t<from>:<to>\t<summary>`.
    static func line(of branch: GitBranch, in output: String) -> Substring? {
        output.split(separator: "\n").first { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            return parts.count >= 3 && parts[1].hasSuffix(":\(branch.ref)")
        }
    }

    static func outcome(_ line: Substring, stderr: String) -> PushOutcome {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts[0] == "!" else { return .accepted }
        let summary = parts[2...].joined(separator: " ")
        let why = (summary + "\n" + remarks(stderr)).lowercased()
        // With many writers most losers hear "failed to update ref", not "fetch first": both are the same race.
        let races = [
            "fetch first", "non-fast-forward", "stale info", "failed to update ref", "cannot lock ref", "incorrect old value",
            "reference already exists", "remote ref updated since checkout",
        ]
        if !why.contains("hook declined"), !why.contains("protected branch"), races.contains(where: why.contains) { return .conflict(summary) }
        let said = remarks(stderr)
        return .refused(said.isEmpty ? summary : "\(summary): \(said)")
    }

    /// What the remote's hooks wrote, which git passes on behind `remote: `.
    private static func remarks(_ stderr: String) -> String {
        stderr.split(separator: "\n").filter { $0.hasPrefix("remote:") }
            .map { $0.dropFirst("remote:".count).drop(while: { $0 == " " }) }.filter { !$0.isEmpty }.prefix(10).joined(separator: "; ")
            .replacingControls
    }
}
