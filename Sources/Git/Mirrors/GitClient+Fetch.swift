import Base
import Glibc

extension GitClient {
    /// Gets one commit into a bare repository of ours with as little as the remote allows: no history, and only the blobs
    /// below `paths` where the remote can filter; what it cannot leave out comes with it.
    ///
    /// Later reads of the repository name the remote: objects that were left out come from it.
    public func fetchMinimal(
        _ commit: GitObjectID, from remote: Remote, into repository: String, paths: [GitPath]
    ) async throws(GitError) {
        let doing = "fetch commit \(commit.short) from"
        for (key, value) in [("remote.origin.url", remote.url.text), ("remote.origin.promisor", "true"), ("remote.origin.partialclonefilter", "blob:none")] {
            try await run(Call(arguments: ["config", key, value], repository: repository, doing: "prepare"))
        }
        var call = Call(
            arguments: [
                "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--filter=blob:none", "origin", commit.hex,
            ], repository: repository, remote: remote, doing: doing)
        if remote.url.isLocal { call.arguments.insert("--update-shallow", at: 1) }
        let first = try await result(call)
        if !first.succeeded {
            let error = failure(call, first)
            // Servers of the first protocol give only what a ref points at: then everything has to come.
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
        guard first.succeeded, !first.stderrText.contains("filtering not recognized") else { return }
        try await prefetch(commit, paths, from: remote, repository: repository)
    }

    /// Gets the blobs below the paths, and every link of the commit (to know where paths lead), in one request.
    private func prefetch(_ commit: GitObjectID, _ paths: [GitPath], from remote: Remote, repository: String) async throws(GitError) {
        let entries = try await listTree(commit, recursive: true, in: repository, remote: remote)
        let wanted = entries.filter { entry in
            entry.kind == .link || entry.isBlob && paths.contains { $0.isRoot || entry.path.hasPrefix($0.text + "/") }
        }
        try await fetchMissing(wanted.map(\.id), of: commit, from: remote, into: repository)
    }

    /// Gets those of the objects that are not here, in one request; without it git asks for each by itself, on a
    /// connection of its own.
    public func fetchMissing(
        _ ids: [GitObjectID], of commit: GitObjectID, from remote: Remote, into repository: String
    ) async throws(GitError) {
        guard !ids.isEmpty else { return }
        let missing = try await missing(of: commit, in: repository).intersection(ids).sorted()
        guard !missing.isEmpty else { return }
        let request = missing.map { $0.hex + "\n" }.joined()
        // What git itself runs to get missing objects (promisor-remote.c, fetch_objects). Should it fail, a read of the
        // object asks again, and says why it cannot be had.
        _ = try await result(
            Call(
                arguments: [
                    "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "origin", "--no-tags", "--no-write-fetch-head",
                    "--recurse-submodules=no", "--filter=blob:none", "--stdin",
                ], repository: repository, remote: remote, input: .bytes(Array(request.utf8)), doing: "fetch files of"))
    }

    /// The objects of a commit's tree that the repository does not hold; asks no remote.
    public func missing(of commit: GitObjectID, in repository: String) async throws(GitError) -> Set<GitObjectID> {
        // Of git's ways to ask, the one that does not fetch what it asks about.
        let output = try await run(
            Call(
                arguments: ["rev-list", "--objects", "--missing=print", "--no-walk", "--no-object-names", commit.hex], repository: repository,
                doing: "look for objects in"))
        return Set(String(decoding: output, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("?") }.compactMap { GitObjectID($0.dropFirst()) })
    }
}
