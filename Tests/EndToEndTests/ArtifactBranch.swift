import Base
import Subprocess
import Testing

/// The content of an artifact branch, read with plain git.
struct ArtifactBranch {
    /// The `metadata.json` of each run, by the path of its folder.
    private(set) var runs: [String: JSONValue] = [:]
    private(set) var retries: [String: JSONValue] = [:]
    private(set) var jobs: [JSONValue] = []
    let files: [String]

    init(_ repository: String, branch: String = "assay/runs/v1", with bench: Workbench) async throws {
        files = try await bench.git("ls-tree", "-r", "--name-only", branch, in: repository).split(separator: "\n").map(String.init)
        for file in files where file.hasSuffix("/metadata.json") {
            let record = try JSONValue(parsing: try await bench.git("show", "\(branch):\(file)", in: repository))
            let folder = String(file.dropLast("/metadata.json".count))
            switch record["kind"]?.string {
            case "run": runs[folder] = record
            case "retry": retries[folder] = record
            case "job": jobs.append(record)
            default: Issue.record("\(file) has no known kind: \(record.text)")
            }
        }
    }

    /// The runs of a task or an agent, in the order of their trials.
    func runs(task: String? = nil, agent: String? = nil) -> [JSONValue] {
        runs.values
            .filter { (task == nil || $0["task"]?.string == task) && (agent == nil || $0["agent"]?.string == agent) }
            .sorted { ($0["index"]?.int ?? 0) < ($1["index"]?.int ?? 0) }
    }

    func errorType(task: String) -> String? { runs(task: task).first?.at("error", "type")?.string }
    func errorMessage(task: String) -> String { runs(task: task).first?.at("error", "message")?.string ?? "" }
}

extension Workbench {
    func branch(_ name: String = "assay/runs/v1", of repository: String? = nil) async throws -> ArtifactBranch {
        try await ArtifactBranch(repository ?? results, branch: name, with: self)
    }

    /// The text of one output of an agent's only run.
    func output(ofAgent agent: String, _ name: String = "logs/command/stdout.txt") async throws -> String {
        let branch = try await branch()
        let folder = try #require(branch.runs.first { $0.value["agent"]?.string == agent }?.key, "no run of \(agent)")
        return try await git("show", "assay/runs/v1:\(folder)/\(name)", in: results)
    }

    /// The commits of a branch, oldest first: subject and trailers.
    func commits(_ branch: String = "assay/runs/v1", of repository: String? = nil) async throws -> [(subject: String, trailers: [String: String])] {
        let text = try await git("log", "--reverse", "--format=%x1e%s%x1f%(trailers:only,unfold)", branch, in: repository ?? results)
        return text.split(separator: "\u{1E}").map { commit in
            let parts = commit.split(separator: "\u{1F}", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let trailers = (parts.count > 1 ? parts[1] : "").split(separator: "\n").compactMap { line -> (String, String)? in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                return (String(line[..<colon]), String(line[line.index(after: colon)...]).trimmed)
            }
            return (parts[0].trimmed, Dictionary(trailers, uniquingKeysWith: { first, _ in first }))
        }
    }
}
