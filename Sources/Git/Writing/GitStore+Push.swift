import Base

/// The result of a push of one branch.
public enum PushOutcome: Sendable, Hashable {
    /// The remote confirmed that the commit is now the branch's tip.
    case accepted
    /// The branch has moved. The caller has to fetch, build on the new tip, and push again.
    case conflict(String)
    /// A hook, a protection or a limit refused the push. Pushing again would not help.
    case refused(String)
    /// The push was too large for the remote. A smaller one may succeed.
    case tooLarge(String)
    /// It is not known whether the push reached the remote. The caller has to ask the remote.
    case unknown(GitError)
}

extension GitStore {
    /// Pushes a commit as the tip of a branch. Never forces: the new tip must follow the old one. A branch that is to be created
    /// must not exist (an empty expected value makes `--force-with-lease` create-only).
    ///
    /// - Throws: `.refused` for a remote to which nobody can push from here, such as one with SHA-256; the message says what to change. What the remote
    ///   itself refuses is returned.
    public func push(_ commit: GitObjectID, to branch: GitBranch, creating: Bool) async throws(GitError) -> PushOutcome {
        var arguments = ["push", "--porcelain", "--no-verify", "--no-follow-tags"]
        if creating { arguments.append("--force-with-lease=\(branch.ref):") }
        arguments += ["--end-of-options", "origin", "\(commit.hex):\(branch.ref)"]
        let call = GitClient.Call(arguments: arguments, repository: path, remote: remote, doing: "push to \(branch) of")
        let result = try await client.result(call)
        if !result.succeeded, !result.timedOut, let limit = PushReport.limit(result.stderrText) { return .tooLarge(limit) }
        if let line = PushReport.line(of: branch, in: result.stdoutText) {
            // A gc with --prune=now on either side deleted objects that no ref pointed to yet.
            if line.contains("missing necessary objects") {
                return .unknown(GitError(.corrupt, "\(remote.url) misses objects of what was pushed to \(branch)"))
            }
            // The server could not store the push: its disk is full, or files were removed there. This may be temporary.
            if line.contains("unpacker error") || line.contains("unpack failed") {
                if let why = PushReport.storageTrouble(result.stderrText) {
                    return .unknown(GitError(.unreachable, "\(remote.url) has no room for what is pushed to \(branch): \(why)"))
                }
                return .unknown(
                    GitError(.failed, "\(remote.url) could not keep what was pushed to \(branch) (git: \(GitFailure.summary(result.stderrText)))"))
            }
            let outcome = PushReport.outcome(line, stderr: result.stderrText)
            if outcome != .accepted || result.succeeded { return outcome }
        }
        if PushReport.isDamageHere(result.stderrText) {
            return .unknown(GitError(.corrupt, "objects for \(branch) are missing in \(path) (git: \(GitFailure.summary(result.stderrText)))"))
        }
        let error = client.failure(call, result)
        switch error.kind {
        case .tooLarge: return .tooLarge(error.message)
        case .authentication, .notARepository: return .refused(error.message)
        // The full disk that git reports may be the remote's.
        case .storage where PushReport.storageTrouble(result.stderrText) != nil: return .unknown(GitError(.unreachable, error.message))
        // No permission would help, and the message says what does.
        case .refused, .cancelled, .gitMissing, .storage: throw error
        default: return .unknown(error)
        }
    }
}

/// Parses the output of `git push --porcelain` (git-push(1), "Output").
enum PushReport {
    /// `<flag>\t<from>:<to>\t<summary>`.
    static func line(of branch: GitBranch, in output: String) -> Substring? {
        output.split(separator: "\n").first { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            return parts.count >= 3 && parts[1].hasSuffix(":\(branch.ref)")
        }
    }

    /// The remote's message about a push that is too large (receive.maxInputSize, a web server's limit); nil if there is none. The
    /// connection also breaks off, which git reports in several lines.
    static func limit(_ stderr: String) -> String? {
        let signs = ["exceeds maximum allowed size", "http 413", "returned error: 413", "request entity too large", "larger than the maximum"]
        return stderr.split(separator: "\n").first { line in signs.contains(where: line.lowercased().contains) }.map { String($0).replacingControls }
    }

    /// The remote's message about a problem with its disk; nil if there is none.
    static func storageTrouble(_ stderr: String) -> String? {
        let signs = ["no space left on device", "disk quota exceeded", "read-only file system"]
        return remarks(stderr).split(separator: ";").first { part in signs.contains(where: part.lowercased().contains) }.map {
            String($0).trimmedBlanks
        }
    }

    /// Whether this side could not read the objects to send. The connection then also breaks off, and git reports both.
    static func isDamageHere(_ stderr: String) -> Bool {
        let signs = [
            "unable to parse commit", "could not read", "bad object", "bad tree object", "unable to read", "object file", "missing tree",
            "missing blob",
        ]
        return stderr.split(separator: "\n").contains { line in
            let line = line.lowercased()
            let ours = line.hasPrefix("fatal:") || line.hasPrefix("error:")
            return ours && !line.contains("from remote repository") && !line.contains("username") && !line.contains("password")
                && signs.contains(where: line.contains)
        }
    }

    static func outcome(_ line: Substring, stderr: String) -> PushOutcome {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts[0] == "!" else { return .accepted }
        let summary = parts[2...].joined(separator: " ")
        let why = (summary + "\n" + remarks(stderr)).lowercased()
        // When many writers push at once, most late ones get "failed to update ref" instead of "fetch first". Both mean the same race.
        let races = [
            "fetch first", "non-fast-forward", "stale info", "failed to update ref", "cannot lock ref", "incorrect old value",
            "reference already exists", "remote ref updated since checkout",
            // The branch that the commits were built on is gone, so the server does not have their parents.
            "shallow update not allowed",
        ]
        if !why.contains("hook declined"), !why.contains("protected branch"), races.contains(where: why.contains) { return .conflict(summary) }
        let remarks = Self.remarks(stderr)
        return .refused(remarks.isEmpty ? summary : "\(summary): \(remarks)")
    }

    /// The output of the remote's hooks, which git prints with the prefix `remote: `.
    private static func remarks(_ stderr: String) -> String {
        stderr.split(separator: "\n").filter { $0.hasPrefix("remote:") }
            .map { String($0.dropFirst("remote:".count)).trimmedBlanks }.filter { !$0.isEmpty }.prefix(10).joined(separator: "; ")
            .replacingControls
    }
}
