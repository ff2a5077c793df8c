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

    /// Gets the blobs below the paths in one request; without it each would be asked for by itself.
    private func prefetch(_ commit: GitObjectID, _ paths: [GitPath], from remote: Remote, repository: String) async throws(GitError) {
        var wanted: Set<GitObjectID> = []
        for path in paths {
            let entries: [TreeEntry]
            do {
                entries = try await listTree(commit, at: path, recursive: true, in: repository, remote: remote)
            } catch {
                // The caller says it better when it comes to that path.
                guard error.kind == .pathNotFound else { throw error }
                continue
            }
            for entry in entries where entry.isBlob { wanted.insert(entry.id) }
        }
        guard !wanted.isEmpty else { return }
        let request = wanted.sorted().map { $0.hex + "\n" }.joined()
        // What git itself runs to get missing objects (promisor-remote.c, fetch_objects).
        _ = try await result(
            Call(
                arguments: [
                    "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "origin", "--no-tags", "--no-write-fetch-head",
                    "--recurse-submodules=no", "--filter=blob:none", "--stdin",
                ], repository: repository, remote: remote, input: .bytes(Array(request.utf8)), doing: "fetch files of"))
    }
}
