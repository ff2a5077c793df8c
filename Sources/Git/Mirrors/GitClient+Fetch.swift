import Base
import Glibc

extension GitClient {
    /// Fetches one commit into a bare repository of Assay with as little data as the remote allows: no history, and, if the remote can
    /// filter, only the blobs at or below `paths`.
    ///
    /// Later reads of other files have to name the remote, because missing objects are fetched from it.
    /// - Parameter paths: nil fetches all files.
    public func fetchMinimal(
        _ commit: GitObjectID, from remote: Remote, into repository: String, paths: [GitPath]?
    ) async throws(GitError) {
        let doing = "fetch commit \(commit.short) from"
        var settings = [("remote.origin.url", remote.url.text)]
        if paths != nil { settings += [("remote.origin.promisor", "true"), ("remote.origin.partialclonefilter", "blob:none")] }
        for (key, value) in settings {
            try await run(Call(arguments: ["config", key, value], repository: repository, doing: "prepare"))
        }
        var call = Call(
            arguments: [
                "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            ] + (paths == nil ? [] : ["--filter=blob:none"]) + ["origin", commit.hex], repository: repository, remote: remote, doing: doing)
        if remote.url.isLocal { call.arguments.insert("--update-shallow", at: 1) }
        let first = try await result(call)
        if !first.succeeded {
            let error = failure(call, first)
            // Servers that speak the first protocol only send objects that a ref points to. Then everything has to be fetched.
            guard error.kind == .refNotFound || first.stderrText.contains("unadvertised object") else { throw error }
            var all = call
            all.arguments = [
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "origin", "+refs/heads/*:refs/assay/heads/*",
                "+refs/tags/*:refs/assay/tags/*",
            ]
            try await run(all)
            guard try await contains(commit, in: repository) else {
                throw GitError(.refNotFound, "\(remote.url) has no commit \(commit.short); it may have been pushed away")
            }
        }
        try await run(
            Call(arguments: ["update-ref", "refs/assay/keep/\(commit.hex)", commit.hex], repository: repository, doing: "keep \(commit.short) in"))
        guard let paths, first.succeeded, !first.stderrText.contains("filtering not recognized") else { return }
        try await prefetch(commit, paths, from: remote, repository: repository)
    }

    /// Fetches the blobs below the paths in one request, together with all links of the commit, which are needed to resolve paths.
    private func prefetch(_ commit: GitObjectID, _ paths: [GitPath], from remote: Remote, repository: String) async throws(GitError) {
        let entries = try await listTree(commit, recursive: true, in: repository, remote: remote)
        let wanted = entries.filter { entry in
            entry.kind == .link || entry.isBlob && MirrorExtent.sparse(paths).has(file: entry.path)
        }
        try await fetchMissing(wanted.map(\.id), of: commit, from: remote, into: repository)
    }

    /// Fetches the missing ones of the objects in one request. Otherwise git would fetch each of them separately, with a connection
    /// for each.
    public func fetchMissing(
        _ ids: [GitObjectID], of commit: GitObjectID, from remote: Remote, into repository: String
    ) async throws(GitError) {
        guard !ids.isEmpty else { return }
        let missing = try await missing(of: commit, in: repository).intersection(ids).sorted()
        guard !missing.isEmpty else { return }
        let request = missing.map { $0.hex + "\n" }.joined()
        // The command that git itself runs to fetch missing objects (promisor-remote.c, fetch_objects). If it fails, reading an
        // object fetches it again and reports why that failed.
        _ = try await result(
            Call(
                arguments: [
                    "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "origin", "--no-tags", "--no-write-fetch-head",
                    "--recurse-submodules=no", "--filter=blob:none", "--stdin",
                ], repository: repository, remote: remote, input: .bytes(Array(request.utf8)), doing: "fetch files of"))
    }

    /// The objects of a commit's tree that the repository does not have. Does not contact the remote.
    public func missing(of commit: GitObjectID, in repository: String) async throws(GitError) -> Set<GitObjectID> {
        // Other git commands would fetch the missing objects instead of listing them.
        let output = try await run(
            Call(
                arguments: ["rev-list", "--objects", "--missing=print", "--no-walk", "--no-object-names", commit.hex], repository: repository,
                doing: "look for objects in"))
        return Set(
            String(decoding: output, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("?") }.compactMap { GitObjectID($0.dropFirst()) })
    }
}
