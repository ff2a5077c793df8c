import Base
import KubeClient
import KubeCore

/// The key that signs the tokens of the cache service. The operator makes it, and no other party needs it.
public enum CacheKey {
    /// The name of the Secret on a cluster.
    public static let secretName = "assay-cache-key"
    private static let field = "key"
    private static let length = 32

    /// The key in the Secret of the operator's namespace, which is made when it is missing. All replicas get the same key.
    ///
    /// - Throws: `KubeError`; `CacheKeyFailure` for a Secret that holds no key.
    public static func read(client: KubeClient, namespace: String) async throws -> [UInt8] {
        let object: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": ["name": .string(secretName), "namespace": .string(namespace), "labels": ["app.kubernetes.io/name": "assay"]],
            "data": [field: .string(Base64.encode(random()))],
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
        guard let text = found.at("data", field)?.string, case .success(let bytes) = Base64.decode(text), bytes.count >= length else {
            throw CacheKeyFailure(place: "the Secret \(key)", remedy: "delete it, and start the operator anew")
        }
        return bytes
    }

    /// The key in a file, which is made when it is missing. For operators on one machine, which all get the same key.
    ///
    /// - Throws: `FileError`; `CacheKeyFailure` for a file that holds no key.
    public static func read(file path: String) throws -> [UInt8] {
        if !FileEntry.exists(path) { try FileWriting.create(path, with: random(), mode: 0o600) }
        let bytes = try FileReading.bytes(path, limit: 1024)
        guard bytes.count >= length else { throw CacheKeyFailure(place: path, remedy: "remove it") }
        return bytes
    }

    private static func random() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<length).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
    }
}

/// What should hold the key holds something else.
public struct CacheKeyFailure: Error, Sendable, Hashable, CustomStringConvertible {
    let place: String
    let remedy: String
    public var description: String { "\(place) holds no key for the tokens of the cache service; \(remedy)" }
}
