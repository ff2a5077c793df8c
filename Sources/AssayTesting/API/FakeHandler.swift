import Base
import KubeCore

/// Answers the requests of a fake API.
struct FakeHandler: Sendable {
    let state: Locked<FakeAPI.State>
    let types: [ResourceType]

    func answer(_ request: ScriptedRequest) -> ScriptedResponse {
        guard let route = FakeRoute(request, types: types) else {
            return .failure(404, reason: "NotFound", message: "the server could not find the requested resource")
        }
        let effect = takeFault(route)
        if case .answer(let response) = effect { return response }
        if route.isWatch { return FakeStream(state: state, route: route, fault: effect).response() }
        if case .staleRead = effect, route.method == "GET" {
            return state.withLock { $0.objects.before(route.type, route.key) }.map { .json($0) } ?? perform(route, request)
        }
        let response = perform(route, request)
        if case .loseResponse = effect { return .dropConnection }
        return response
    }

    private func takeFault(_ route: FakeRoute) -> FakeFault.Effect? {
        state.withLock { state in
            guard let at = state.faults.firstIndex(where: { $0.times > 0 && route.isHit(by: $0.target) }) else { return nil }
            state.faults[at].times -= 1
            return state.faults[at].effect
        }
    }

    private func perform(_ route: FakeRoute, _ request: ScriptedRequest) -> ScriptedResponse {
        let isStatus = route.subresource == "status"
        switch (route.method, route.name) {
        case ("GET", nil): return list(route)
        case ("GET", _):
            return state.withLock { $0.objects.get(route.type, route.key) }.map { .json($0) }
                ?? Self.failure(FakeObjects.notFound(route.type, route.key))
        case ("POST", nil):
            guard let body = request.json else { return Self.badBody }
            return change(201) { $0.create(route.type, body, namespace: route.namespace ?? "") }
        case ("PUT", _):
            guard let body = request.json else { return Self.badBody }
            return change { $0.update(route.type, route.key, body, status: isStatus) }
        case ("PATCH", _):
            guard let body = request.json else { return Self.badBody }
            return change { objects in
                let contentType = request.headers["content-type"] ?? ""
                guard let old = objects.get(route.type, route.key) else {
                    guard contentType.hasPrefix("application/apply-patch") else {
                        return .failure(FakeObjects.notFound(route.type, route.key))
                    }
                    return objects.create(route.type, body, namespace: route.namespace ?? "")
                }
                guard var new = FakePatch.apply(body, to: old, contentType: contentType) else {
                    return .failure(KubeStatus(code: 422, reason: "Invalid", message: "the patch does not apply"))
                }
                if body.at("metadata", "resourceVersion") == nil { new.set(["metadata", "resourceVersion"], to: nil) }
                return objects.update(route.type, route.key, new, status: isStatus)
            }
        case ("DELETE", .some):
            let uid = request.json?.at("preconditions", "uid")?.string
            return change { $0.delete(route.type, route.key, uid: uid) }
        default:
            return .failure(405, reason: "MethodNotAllowed", message: "the fake does not do this")
        }
    }

    private func change(_ success: Int = 200, _ body: (inout FakeObjects) -> FakeObjects.Outcome) -> ScriptedResponse {
        switch state.withLock({ body(&$0.objects) }) {
        case .success(let object): .json(object, status: success)
        case .failure(let status): Self.failure(status)
        }
    }

    /// The continue token contains the version and the offset, and pages are taken from the current objects. This is correct
    /// while nothing changes between pages; a fault can simulate an expired token.
    private func list(_ route: FakeRoute) -> ScriptedResponse {
        state.withLock { state in
            let objects = state.objects.all(route.type).filter(route.selects)
            let words = (route.query["continue"] ?? "").split(separator: ":").map(String.init)
            let version = words.first ?? String(state.objects.version)
            let offset = min(words.count > 1 ? Int(words[1]) ?? 0 : 0, objects.count)
            let limit = route.query["limit"].flatMap(Int.init) ?? 0
            let end = limit > 0 ? min(offset + limit, objects.count) : objects.count
            var metadata: [String: JSONValue] = ["resourceVersion": .string(version)]
            if end < objects.count { metadata["continue"] = .string("\(version):\(end)") }
            return .json([
                "apiVersion": .string(route.type.apiVersion), "kind": .string(route.type.listKind),
                "metadata": .object(metadata), "items": .array(Array(objects[offset..<end])),
            ])
        }
    }

    private static let badBody = ScriptedResponse.failure(400, reason: "BadRequest", message: "the body is no JSON")

    private static func failure(_ status: KubeStatus) -> ScriptedResponse {
        .failure(status.code, reason: status.reason, message: status.message)
    }
}
