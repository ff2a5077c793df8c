import AssayAPI
import Base
import EvalModel

/// Names and labels of trial pods. They are deterministic, so that the server refuses to create the same pod twice.
public enum TrialPodNames {
    /// `<job, cut to 40>-<8 hex of SHA-256 of the job's UID>-<index>[-r<rerun>][-t<retry>]`.
    public static func name(job: String, jobUID: String, index: Int, rerun: Int = 0, retry: Int = 0) -> String {
        var name = "\(cut(job, to: 40))-\(SHA256.hex(of: Array(jobUID.utf8)).prefix(8))-\(index)"
        if rerun > 0 { name += "-r\(rerun)" }
        if retry > 0 { name += "-t\(retry)" }
        return name
    }

    /// `<job, cut to 40>-<8 hex of SHA-256 of the job's UID>-<part>`.
    static func configMap(job: String, jobUID: String, part: String) -> String {
        "\(cut(job, to: 40))-\(SHA256.hex(of: Array(jobUID.utf8)).prefix(8))-\(part)"
    }

    public static func labels(
        job: String, jobUID: String, coordinate: TrialCoordinate, retry: Int
    ) -> [String: String] {
        [
            AssayNames.managedByLabel: AssayNames.managedByValue,
            AssayNames.jobLabel: cut(job, to: 63),
            AssayNames.jobUIDLabel: cut(jobUID, to: 63),
            AssayNames.indexLabel: String(coordinate.index),
            AssayNames.rerunLabel: String(coordinate.rerun),
            AssayNames.retryLabel: String(retry),
            AssayNames.agentIndexLabel: String(coordinate.agentIndex),
        ]
    }

    /// Cuts the text to a prefix that is still a valid end of a name or label value.
    private static func cut(_ text: String, to length: Int) -> String {
        var text = text.prefix(length)
        while let last = text.last, last == "-" || last == "." || last == "_" { text.removeLast() }
        return String(text)
    }
}

/// What a trial pod's labels say about the pod.
public struct TrialPodIdentity: Sendable, Hashable {
    public var jobUID: String
    public var index: Int
    public var rerun: Int
    public var retry: Int
    public var agentIndex: Int

    /// nil when the labels are not those of a trial pod.
    public init?(labels: [String: String]?) {
        guard let labels, let uid = labels[AssayNames.jobUIDLabel], let index = labels[AssayNames.indexLabel].flatMap({ Int($0) })
        else { return nil }
        jobUID = uid
        self.index = index
        rerun = labels[AssayNames.rerunLabel].flatMap { Int($0) } ?? 0
        retry = labels[AssayNames.retryLabel].flatMap { Int($0) } ?? 0
        agentIndex = labels[AssayNames.agentIndexLabel].flatMap { Int($0) } ?? 0
    }
}
