import Base
import KubeCore

/// A small API server for tests of faults: list, watch, get, create, update, patch and delete over real HTTP, with any of
/// them going wrong on demand.
///
/// It has no schemas, no admission and no kubelet; the embedded API server is the one that is held to the real one.
public final class FakeAPI: Sendable {
    struct State: Sendable {
        var objects = FakeObjects()
        var faults: [FakeFault] = []
        /// Streams opened before a change of this number end.
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

    // MARK: The state, past HTTP

    /// The newest resource version.
    public var version: String { String(state.withLock { $0.objects.version }) }

    /// Watches that are open now.
    public var openStreams: Int { state.withLock { $0.openStreams } }

    public func get(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { state.withLock { $0.objects.get(type, key) } }

    /// In the order of their keys.
    public func all(_ type: ResourceType) -> [JSONValue] { state.withLock { $0.objects.all(type) } }

    /// Creates the object, or replaces all of the one with its name, status included.
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

    /// Deletes the object; with finalizers it is marked instead.
    public func delete(_ type: ResourceType, _ key: ObjectKey) throws {
        _ = try state.withLock { $0.objects.delete(type, key) }.get()
    }

    /// Forgets the history: watches from versions before now are answered with 410.
    public func compact() {
        state.withLock { state in
            state.objects.advance()
            state.objects.compact()
        }
    }

    // MARK: Faults

    /// Faults are looked at in the order in which they were added; the first that matches is committed.
    public func inject(_ fault: FakeFault) { state.withLock { $0.faults.append(fault) } }

    public func clearFaults() { state.withLock { $0.faults = [] } }

    /// Ends every open stream: as a server that stops does, or by a cut.
    public func endStreams(byCut: Bool = false) {
        state.withLock { state in
            state.streamEpoch += 1
            state.streamsEndByCut = byCut
        }
    }
}
