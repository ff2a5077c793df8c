import Git

/// Builds the errors for a branch that cannot be written. Each says what failed, where, and what to do.
struct PublishingErrors: Sendable {
    let url: GitURL
    let branch: GitBranch

    func refused(_ why: String) -> ArtifactError {
        ArtifactError(
            .refused,
            "\(url) does not take pushes to \(branch): \(why); allow the credential to push there, or choose another branch; "
                + "the results wait here")
    }

    /// The remote cannot be used as it is, whatever the credential may do.
    ///
    /// - Parameter why: names the remote and says what to change.
    func unusable(_ why: String) -> ArtifactError { ArtifactError(.refused, "\(why); the results wait here") }

    func tooLarge(_ why: String, _ runs: [PendingRun]) -> ArtifactError {
        let what = runs.count == 1 ? "run \(runs[0].id)" : "\(runs.count) records at once"
        return ArtifactError(
            .tooLarge,
            "\(url) does not take a push of the size of \(what): \(why); "
                + (runs.count == 1 ? "raise the remote's limit, or have the trial write less; the results wait here" : "fewer are pushed at once"))
    }

    /// The commit that the remote names as the branch's tip cannot be fetched.
    func damaged(_ why: String) -> ArtifactError {
        ArtifactError(
            .unreachable,
            "\(url) names a commit as the tip of \(branch) that cannot be fetched from it: its repository is damaged (run git fsck "
                + "there, and restore a backup), or changes all the time; the results wait here: \(why)")
    }

    /// The push is rejected as if another writer had been faster, but the branch has not moved.
    func stands(_ reason: String) -> ArtifactError {
        ArtifactError(
            .unreachable,
            "\(url) does not let \(branch) be written (\(reason)) although nobody else writes to it: "
                + "look for a stale \(branch.ref).lock on the server; the results wait here")
    }

    func moves(attempts: Int) -> ArtifactError {
        ArtifactError(.unreachable, "the branch \(branch) of \(url) moved at each of \(attempts) attempts to write it; the results wait here")
    }

    func fileBlocksFolder(_ file: GitPath) -> GitError {
        GitError(
            .invalidInput,
            "\(branch) of \(url) has a file \"\(file)\" where a folder of results would be, and it is not replaced: "
                + "set spec.artifacts.git.path to another folder, or move the file; the results wait here")
    }
}
