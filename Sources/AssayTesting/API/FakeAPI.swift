import Base
import KubeCore

/// A small API server for tests of faults: list, watch, get, create, update, patch and delete over real HTTP, each of which can
/// be made to fail.
///
/// It has no schemas, no admission and no kubelet. Only the embedded API server is compared with the real one.
public final class FakeAPI: Sendable {
    struct State: Sendable {
        var objects = FakeObjects()
        var faults: [FakeFault] = []
        /// Streams that were opened before this number changed end.
        var streamEpoch = 0
        var streamsEndByCut = false
        var openStreams = 0
    }

    let state = Locked(State())
    let types: [ResourceType]
    public let server: ScriptedServer

    /// Serves these types on a free port of 127.0.0.1.
    public init(types: [ResourceType] = [.pods, .events, .leases, .configMaps, .secrets]) throws {
        self.types = types
        let handler = FakeHandler(state: state, types: types)
        server = try ScriptedServer { handler.answer($0) }
    }

    public var url: String { server.url }

    // MARK: Direct access to the state, without HTTP

    /// The newest resource version.
    public var version: String { String(state.withLock { $0.objects.version }) }

    /// The number of watches that are open now.
    public var openStreams: Int { state.withLock { $0.openStreams } }

    public func get(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { state.withLock { $0.objects.get(type, key) } }

    /// All objects of a type, in the order of their keys.
    public func all(_ type: ResourceType) -> [JSONValue] { state.withLock { $0.objects.all(type) } }

    /// Creates the object, or replaces the object of the same name completely, including its status.
    @discardableResult
    public func put(_ type: ResourceType, _ object: JSONValue) throws -> JSONValue {
        let namespace = object.at("metadata", "namespace")?.string ?? (type.namespaced ? "default" : "")
        let key = ObjectKey(namespace: namespace, name: object.at("metadata", "name")?.string ?? "")
        return try state.withLock { state -> Result<JSONValue, KubeStatus> in
            guard state.objects.get(type, key) != nil else { return state.objects.create(type, object, namespace: namespace) }
            var object = object
            object.set(["metadata", "resourceVersion"], to: nil)
            object.set(["metadata", "uid"], to: nil)
            let updated = state.objects.update(type, key, object, status: false)
            guard object["status"] != nil, case .success = updated else { return updated }
            return state.objects.update(type, key, object, status: true)
        }.get()
    }

    /// Deletes the object; an object with finalizers is only marked for deletion.
    public func delete(_ type: ResourceType, _ key: ObjectKey) throws {
        _ = try state.withLock { $0.objects.delete(type, key) }.get()
    }

    /// Forgets the history: watches from earlier versions are answered with 410.
    public func compact() {
        state.withLock { state in
            state.objects.advance()
            state.objects.compact()
        }
    }

    // MARK: Faults

    /// Faults are checked in the order in which they were added; the first that matches is used.
    public func inject(_ fault: FakeFault) { state.withLock { $0.faults.append(fault) } }

    public func clearFaults() { state.withLock { $0.faults = [] } }

    /// Ends every open stream, either properly, as when a server stops, or by cutting the connection.
    public func endStreams(byCut: Bool = false) {
        state.withLock { state in
            state.streamEpoch += 1
            state.streamsEndByCut = byCut
        }
    }
}
