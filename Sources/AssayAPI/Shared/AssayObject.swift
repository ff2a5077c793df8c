import Base
import KubeCore

/// One of the three custom resources, with metadata, spec and status.
public protocol AssayObject: Codable, Sendable, Hashable {
    associatedtype Spec: Codable, Sendable, Hashable
    associatedtype Status: Codable, Sendable, Hashable
    static var resource: ResourceType { get }
    var metadata: ObjectMeta { get set }
    var spec: Spec { get set }
    var status: Status? { get set }
}

extension AssayObject {
    /// Reads an object as the API server sends it. Unknown fields are ignored.
    ///
    /// - Throws: `JSONDecodingError` with the path of the first field that is missing or has the wrong type.
    public init(json: JSONValue) throws(JSONDecodingError) {
        self = try JSONValueDecoder().decode(Self.self, from: json)
    }

    /// The object for the API server, with `apiVersion` and `kind`.
    public func json() throws -> JSONValue {
        var value = try JSONValueEncoder().encode(self)
        value["apiVersion"] = .string(Self.resource.apiVersion)
        value["kind"] = .string(Self.resource.kind)
        return value
    }

    public var key: ObjectKey { metadata.key }
}
