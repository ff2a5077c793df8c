import Base
import KubeClient
import KubeCore

/// A key that signs the tokens of a service. The operator makes it.
public struct ServiceKey: Sendable, Hashable {
    /// Of the cache service, which runs in the operator.
    public static let cache = ServiceKey(secretName: "assay-cache-key")
    /// Of the egress proxy, which mounts the Secret.
    public static let egress = ServiceKey(secretName: "assay-egress-key")

    /// The name of the Secret on a cluster.
    public let secretName: String
    private static let field = "key"
    private static let length = 32

    /// The key in the Secret of the operator's namespace, which is made when it is missing. All replicas get the same key.
    ///
    /// - Throws: `KubeError`; `ServiceKeyFailure` for a Secret that holds no key.
    public func read(client: KubeClient, namespace: String) async throws -> [UInt8] {
        let object: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": ["name": .string(secretName), "namespace": .string(namespace), "labels": ["app.kubernetes.io/name": "assay"]],
            "data": [Self.field: .string(Base64.encode(Self.random()))],
        ]
        let key = ObjectKey(namespace: namespace, name: secretName)
        var found: JSONValue
        do { found = try await client.get(.secrets, key) } catch {
            guard error.isNotFound else { throw error }
            do { found = try await client.create(.secrets, object, namespace: namespace) } catch {
                // Another replica was faster.
                guard error.isAlreadyExists else { throw error }
                found = try await client.get(.secrets, key)
            }
        }
        guard let text = found.at("data", Self.field)?.string, case .success(let bytes) = Base64.decode(text), bytes.count >= Self.length else {
            throw ServiceKeyFailure(place: "the Secret \(key)", remedy: "delete it, and start the operator anew")
        }
        return bytes
    }

    /// The key in a file, which is made when it is missing. For operators on one machine, which all get the same key.
    ///
    /// - Throws: `FileError`; `ServiceKeyFailure` for a file that holds no key.
    public static func read(file path: String) throws -> [UInt8] {
        if !FileEntry.exists(path) { try FileWriting.create(path, with: random(), mode: 0o600) }
        let bytes = try FileReading.bytes(path, limit: 1024)
        guard bytes.count >= length else { throw ServiceKeyFailure(place: path, remedy: "remove it") }
        return bytes
    }

    private static func random() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<length).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
    }
}

/// What should hold the key holds something else.
public struct ServiceKeyFailure: Error, Sendable, Hashable, CustomStringConvertible {
    let place: String
    let remedy: String
    public var description: String { "\(place) holds no key for tokens; \(remedy)" }
}
