import Base
import Git

/// Checks whether a branch that does not exist may be created.
struct BranchCreation: Sendable {
    let client: GitClient
    let remote: GitClient.Remote
    let branch: GitBranch

    /// - Throws: `ArtifactError.branchIsDefault` for the remote's default branch; `.invalid` when the name conflicts with that of an existing
    ///   branch; `GitError` when the remote does not answer.
    func check() async throws {
        let defaultBranch = try await client.defaultBranch(remote)
        let isDefault = defaultBranch.map { $0 == branch.name } ?? ["main", "master"].contains(branch.name)
        guard !isDefault else {
            throw ArtifactError(
                .branchIsDefault,
                "the branch \(branch) does not exist yet and is the default branch of \(remote.url): Assay never creates "
                    + "a default branch; create it yourself, or set spec.artifacts.git.branch to another (such as assay/runs/v1)")
        }
        // git stores refs as files, so no ref can be below the name of another ref (`a` and `a/b`).
        let name = branch.name
        let others = try await client.listRemote(remote, patterns: ["refs/heads/*"]).refs.keys.map { $0.dropFirst("refs/heads/".count) }
        if let other = others.sorted().first(where: { name.hasPrefix($0 + "/") || $0.hasPrefix(name + "/") }) {
            throw ArtifactError(
                .invalid,
                "the branch \(branch) cannot be created in \(remote.url), which has a branch \"\(String(other).replacingControls)\": git keeps no branch "
                    + "below the name of another; set spec.artifacts.git.branch to another name")
        }
    }
}
