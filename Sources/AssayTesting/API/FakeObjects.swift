import Base
import KubeCore

/// The objects of a fake API and their history, without HTTP.
struct FakeObjects: Sendable {
    struct Event: Sendable {
        let version: Int
        let type: String
        let resource: String
        let object: JSONValue
    }

    typealias Outcome = Result<JSONValue, KubeStatus>

    private(set) var version = 100
    private(set) var events: [Event] = []
    /// Watches from before this version are answered with 410.
    private(set) var compactedBefore = 0
    private var objects: [String: [ObjectKey: JSONValue]] = [:]
    /// Each object's state before its last write, for stale reads.
    private var previous: [String: [ObjectKey: JSONValue]] = [:]
    private var serial = 0

    func all(_ type: ResourceType) -> [JSONValue] {
        (objects[type.plural] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    func get(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { objects[type.plural]?[key] }

    func before(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { previous[type.plural]?[key] }

    mutating func compact() {
        compactedBefore = version
        events = []
    }

    mutating func advance() { version += 1 }

    mutating func create(_ type: ResourceType, _ object: JSONValue, namespace: String) -> Outcome {
        var object = object
        serial += 1
        if type.namespaced { object.set(["metadata", "namespace"], to: .string(namespace)) }
        if object.at("metadata", "name")?.string ?? "" == "", let stem = object.at("metadata", "generateName")?.string {
            object.set(["metadata", "name"], to: .string(stem + String(serial, radix: 36)))
        }
        guard let key = ObjectKey(of: object) else {
            return .failure(KubeStatus(code: 422, reason: "Invalid", message: "metadata.name: Required value"))
        }
        guard get(type, key) == nil else {
            return .failure(
                KubeStatus(code: 409, reason: "AlreadyExists", message: "\(type) \"\(key.name)\" already exists", name: key.name))
        }
        object["apiVersion"] = .string(type.apiVersion)
        object["kind"] = .string(type.kind)
        object.set(["metadata", "uid"], to: .string("uid-\(serial)"))
        object.set(["metadata", "generation"], to: 1)
        object.set(["metadata", "creationTimestamp"], to: .string(SystemTime().now().rfc3339))
        return .success(store(type, key, object, event: "ADDED"))
    }

    /// - Parameter status: true changes only `status`; false changes everything else.
    mutating func update(_ type: ResourceType, _ key: ObjectKey, _ new: JSONValue, status: Bool) -> Outcome {
        guard let old = get(type, key) else { return .failure(Self.notFound(type, key)) }
        if let claimed = new.at("metadata", "resourceVersion")?.string, !claimed.isEmpty,
            claimed != old.at("metadata", "resourceVersion")?.string
        {
            return .failure(
                KubeStatus(
                    code: 409, reason: "Conflict",
                    message: "the object has been modified; please apply your changes to the latest version", name: key.name))
        }
        if let claimed = new.at("metadata", "uid")?.string, claimed != old.at("metadata", "uid")?.string {
            return .failure(KubeStatus(code: 409, reason: "Conflict", message: "Precondition failed: UID", name: key.name))
        }
        var result = status ? old : new
        if status {
            result["status"] = new["status"]
        } else {
            result["status"] = old["status"]
            for field in ["uid", "creationTimestamp", "deletionTimestamp", "generation", "namespace"] {
                result.set(["metadata", field], to: old.at("metadata", field))
            }
            if new["spec"] != old["spec"] {
                result.set(["metadata", "generation"], to: JSONValue((old.at("metadata", "generation")?.int ?? 0) + 1))
            }
        }
        result.set(["metadata", "resourceVersion"], to: old.at("metadata", "resourceVersion"))
        if result == old { return .success(old) }
        if old.at("metadata", "deletionTimestamp") != nil, (result.at("metadata", "finalizers")?.array ?? []).isEmpty {
            return .success(erase(type, key, last: result))
        }
        return .success(store(type, key, result, event: "MODIFIED"))
    }

    mutating func delete(_ type: ResourceType, _ key: ObjectKey, uid: String? = nil) -> Outcome {
        guard var object = get(type, key) else { return .failure(Self.notFound(type, key)) }
        if let uid, uid != object.at("metadata", "uid")?.string {
            return .failure(KubeStatus(code: 409, reason: "Conflict", message: "Precondition failed: UID", name: key.name))
        }
        if (object.at("metadata", "finalizers")?.array ?? []).isEmpty { return .success(erase(type, key, last: object)) }
        if object.at("metadata", "deletionTimestamp") != nil { return .success(object) }
        object.set(["metadata", "deletionTimestamp"], to: .string(SystemTime().now().rfc3339))
        return .success(store(type, key, object, event: "MODIFIED"))
    }

    static func notFound(_ type: ResourceType, _ key: ObjectKey) -> KubeStatus {
        KubeStatus(code: 404, reason: "NotFound", message: "\(type) \"\(key.name)\" not found", name: key.name)
    }

    private mutating func store(
        _ type: ResourceType, _ key: ObjectKey, _ object: JSONValue, event: String
    ) -> JSONValue {
        version += 1
        var object = object
        object.set(["metadata", "resourceVersion"], to: .string(String(version)))
        previous[type.plural, default: [:]][key] = get(type, key)
        objects[type.plural, default: [:]][key] = object
        events.append(Event(version: version, type: event, resource: type.plural, object: object))
        return object
    }

    private mutating func erase(_ type: ResourceType, _ key: ObjectKey, last: JSONValue) -> JSONValue {
        version += 1
        var last = last
        last.set(["metadata", "resourceVersion"], to: .string(String(version)))
        previous[type.plural, default: [:]][key] = get(type, key)
        objects[type.plural]?.removeValue(forKey: key)
        events.append(Event(version: version, type: "DELETED", resource: type.plural, object: last))
        return last
    }
}
