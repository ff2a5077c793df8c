import AssayAPI
import Base
import Git

/// A job that began at one commit while its file now means another one.
struct SourceChange: Sendable, Hashable {
    let began: String
    let now: String

    /// Seconds for asking a remote. The answer is only for the user's information.
    private static let patience = 20.0

    /// nil when the job has not begun, when nothing has changed, and when it cannot be determined whether something has.
    ///
    /// - Parameter document: the EvalJob in the file, with its paths resolved.
    static func of(_ job: EvalJob, comparedTo document: JSONValue) async -> SourceChange? {
        guard let began = job.status?.source?.commit, let repo = document.at("spec", "source", "repo")?.string,
            let now = await commit(of: repo, ref: document.at("spec", "source", "ref")?.string), now != began
        else { return nil }
        return SourceChange(began: began, now: now)
    }

    private static func commit(of repo: String, ref text: String?) async -> String? {
        if let text, let id = GitObjectID(text) { return id.hex }
        let ref = text.flatMap { try? GitRef(parsing: $0) }
        guard text == nil || ref != nil, let url = try? GitURL(parsing: repo, allowing: [.local, .shorthand]),
            let refs = try? await GitClient().listRemote(.init(url, credentials: .user), deadline: patience),
            case .commit(let id, _)? = try? refs.resolve(ref, place: url.text)
        else { return nil }
        return id.hex
    }

    func notice(of name: String) -> String {
        "the job \(name) is of commit \(began.prefix(12)), where it began; its source is now at \(now.prefix(12)), which does not run. To run "
            + "that: the same command with --anew (earlier results stay), or the job under another name"
    }

    func refusal(of name: String) -> String {
        "the job \(name) began with its tasks at commit \(began.prefix(12)); they are now at \(now.prefix(12)). To run them as they are now: the "
            + "same command with --anew (earlier results stay), or the job under another name"
    }
}
