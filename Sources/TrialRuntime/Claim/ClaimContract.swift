import Base
import EvalModel
import Git

/// What the operator and the pod that reads a claim agree on.
public enum ClaimContract {
    public static let command = [ContainerRole.executable, "read-claim"]
    public static let containerName = "claim"
    public static let claimVolume = "claim"
    public static let workVolume = "work"

    /// The folder of the claim, relative to its root; empty: all of it.
    public static let folder = "ASSAY_CLAIM_FOLDER"
    /// The name of the pack at the cache service, whose address and token are in the variables of delivery.
    public static let upload = "ASSAY_CLAIM_UPLOAD"

    /// Where the claim is mounted, read-only.
    public static func claim(_ root: String = "") -> String { root + "/assay/claim" }
    /// For the pack and the snapshot.
    public static func work(_ root: String = "") -> String { root + "/assay/work" }
}

/// The termination message of a pod that reads a claim.
public enum ClaimMessage: Sendable, Hashable {
    case sent(Sent)
    case failure(String)

    public struct Sent: Sendable, Hashable {
        public var commit: GitObjectID
        /// The commit that is checked out in the claim; nil when it is no git repository. The same as `commit` when nothing is changed.
        public var head: GitObjectID?
        public var bytes: Int
        public var sha256: String

        public init(commit: GitObjectID, head: GitObjectID?, bytes: Int, sha256: String) {
            self.commit = commit
            self.head = head
            self.bytes = bytes
            self.sha256 = sha256
        }
    }

    /// nil for a message that such a pod has not written.
    public init?(_ text: String) {
        guard let value = try? JSONValue(parsing: text) else { return nil }
        if let commit = value["commit"]?.string.flatMap({ GitObjectID($0) }), let bytes = value["bytes"]?.int, let sha256 = value["sha256"]?.string {
            self = .sent(.init(commit: commit, head: value["head"]?.string.flatMap { GitObjectID($0) }, bytes: bytes, sha256: sha256))
        } else if let message = value["error"]?.string {
            self = .failure(message)
        } else {
            return nil
        }
    }

    var json: JSONValue {
        switch self {
        case .sent(let sent):
            [
                "commit": .string(sent.commit.hex), "head": sent.head.map { .string($0.hex) } ?? .null, "bytes": JSONValue(sent.bytes),
                "sha256": .string(sent.sha256),
            ]
        case .failure(let message): ["error": .string(DeliveryCommand.cut(message))]
        }
    }
}
