import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Immutable ConfigMaps that belong to one EvalJob and are deleted with it. They hold data that the job's trials share, and data that an
/// operator must find again after a restart.
///
/// - Guarantees: after `ensure` the ConfigMap of the name exists, belongs to the job, is immutable and holds exactly the given data;
///   calling it again changes nothing. `read` never returns data of another job, or of another incarnation of the job.
/// - Caveat: whoever may write ConfigMaps in the namespace can replace one. Data that must not be replaced is compared with a hash that is
///   kept elsewhere.
public struct OwnedConfigMaps: Sendable {
    /// The limit for the keys and values of one ConfigMap, in bytes. The API server takes 1 MiB; escaped as JSON, text can be twice as
    /// long.
    public static let maxBytes = 512 * 1024

    /// Why a ConfigMap could not be written. Trying again does not help.
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case tooLarge(name: String, bytes: Int)
        /// An object of another owner has the name.
        case nameTaken(ObjectKey)

        public var description: String {
            switch self {
            case .tooLarge(let name, let bytes):
                "the ConfigMap \"\(name)\" would hold \(bytes) bytes, more than the \(OwnedConfigMaps.maxBytes) it may"
            case .nameTaken(let key): "the ConfigMap \(key) belongs to somebody else; delete it, or give the job another name"
            }
        }
    }

    private let client: KubeClient

    public init(client: KubeClient) { self.client = client }

    /// `assay-<uid of the job>-<part>`: the same for every operator, and different for a job that was deleted and created again.
    /// - Parameter part: names the content, in lower-case letters, digits and dashes, such as `agents` or `plan-0`.
    public static func name(of part: String, for job: JobIdentity) -> String { "assay-\(job.uid)-\(part)" }

    /// Makes sure that the ConfigMap exists. One of this job with other data is replaced. Pods that mount it by name see the change only
    /// when they are created anew, so data that may still change needs a name that changes with it (such as one with a hash).
    ///
    /// - Throws: `Failure`, `KubeError`.
    public func ensure(_ name: String, data: [String: String], for job: JobIdentity) async throws {
        let bytes = data.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard bytes <= Self.maxBytes else { throw Failure.tooLarge(name: name, bytes: bytes) }
        let object = try Self.object(name, data: data, for: job)
        // The first attempt deletes a ConfigMap with other data. If somebody writes another one before the second attempt, that is an
        // error, so that there is no endless loop.
        for isLast in [false, true] {
            let outcome = try await client.createOnce(.configMaps, object, namespace: job.namespace) { Self.isOwned($0, by: job) }
            switch outcome {
            case .created: return
            case .taken: throw Failure.nameTaken(ObjectKey(namespace: job.namespace, name: name))
            case .existed(let found):
                if Self.data(of: found) == data, found["immutable"]?.bool == true { return }
                guard !isLast else { throw Failure.nameTaken(ObjectKey(namespace: job.namespace, name: name)) }
                do {
                    try await client.delete(
                        .configMaps, ObjectKey(of: found) ?? ObjectKey(namespace: job.namespace, name: name),
                        options: DeleteOptions(uid: ObjectMeta(of: found).uid))
                } catch {
                    guard error.isNotFound || error.isConflict else { throw error }
                }
            }
        }
    }

    /// The data of the job's ConfigMap; nil when it does not exist or does not belong to the job.
    public func read(_ name: String, for job: JobIdentity) async throws(KubeError) -> [String: String]? {
        do {
            let found = try await client.get(.configMaps, ObjectKey(namespace: job.namespace, name: name))
            return Self.isOwned(found, by: job) ? Self.data(of: found) : nil
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    private static func object(_ name: String, data: [String: String], for job: JobIdentity) throws -> JSONValue {
        let owner = try JSONValueEncoder().encode(job.ownerReference)
        return [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": [
                "name": .string(name), "namespace": .string(job.namespace), "ownerReferences": [owner],
                "labels": .object([AssayNames.managedByLabel: .string(AssayNames.managedByValue), AssayNames.jobUIDLabel: .string(job.uid)]),
            ],
            "immutable": true, "data": .object(data.mapValues { .string($0) }),
        ]
    }

    private static func isOwned(_ object: JSONValue, by job: JobIdentity) -> Bool { ObjectMeta(of: object).controller?.uid == job.uid }

    private static func data(of object: JSONValue) -> [String: String] { object["data"]?.object?.compactMapValues(\.string) ?? [:] }
}
