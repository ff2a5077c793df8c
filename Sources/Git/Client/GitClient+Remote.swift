import Base
import Glibc

extension GitClient {
    /// Lists the refs of the remote.
    ///
    /// `ls-remote --symref` does not show the default branch of an empty remote; `defaultBranch` finds it.
    /// - Parameter patterns: only refs that match (such as `refs/heads/x`) are listed; HEAD is always included. Empty means all refs.
    public func listRemote(_ remote: Remote, patterns: [String] = [], deadline: Double? = nil) async throws(GitError) -> RemoteRefs {
        let words = patterns.isEmpty ? [] : ["HEAD"] + patterns
        let output = try await run(
            Call(
                arguments: ["ls-remote", "--symref", "--end-of-options", remote.url.text] + words, remote: remote,
                deadline: deadline ?? min(settings.networkDeadline, 120), doing: "read the refs of"))
        return RemoteRefs(parsing: String(decoding: output, as: UTF8.self))
    }

    /// The branch that the remote's HEAD names, even if the remote has no commits; nil if it cannot be determined.
    public func defaultBranch(_ remote: Remote) async throws(GitError) -> String? {
        let refs = try await listRemote(remote, patterns: ["HEAD"])
        if let name = refs.defaultBranch { return name }
        let scratch = "\(temporaryDirectory())/assay-head-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { Directory.removeTree(scratch) }
        // This transfers at most HEAD. With no ref to clone, git reports the unborn HEAD; a remote with commits but a detached or dangling HEAD
        // sends a single commit.
        try await run(
            Call(
                arguments: ["clone", "--quiet", "--bare", "--depth=1", "--filter=tree:0", "--no-tags", "--end-of-options", remote.url.text, scratch],
                remote: remote, deadline: 120, doing: "learn the default branch of"))
        let output = try await run(
            Call(arguments: ["symbolic-ref", "--quiet", "HEAD"], repository: scratch, doing: "read HEAD of", place: remote.url.text))
        let name = String(decoding: output, as: UTF8.self).trimmedBlanks
        guard name.hasPrefix("refs/heads/"), name != "refs/heads/\(Self.unknownDefaultBranch)" else { return nil }
        return String(name.dropFirst("refs/heads/".count))
    }

    func temporaryDirectory() -> String {
        getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    }
}
