import AssayTesting
import Base
import Foundation
import KubeCore

/// A proxy between operator and API server that refuses what the chart's roles do not allow, and remembers what they allowed.
final class PermissionProxy: Sendable {
    private struct State {
        var used: Set<ChartGrants.Grant> = []
        var refused: Set<String> = []
        /// Each of these happens once.
        var loses: Set<String>
        var conflicts: Set<String>
    }

    private let state: Locked<State>
    private let relay: Breaker

    /// - Parameters:
    ///   - loses: permissions whose first use is done by the server, and answered by nobody.
    ///   - conflicts: permissions whose first use is answered with a conflict.
    init(to upstream: Int, grants: ChartGrants, loses: Set<String> = [], conflicts: Set<String> = []) throws {
        let state = Locked(State(loses: loses, conflicts: conflicts))
        self.state = state
        relay = try Breaker(
            to: upstream,
            loses: { request in
                guard let asked = ChartGrants.Asked(request) else { return false }
                return state.withLock { $0.loses.remove(asked.permission) != nil }
            },
            answers: { request in
                guard let asked = ChartGrants.Asked(request) else { return nil }
                let covering = grants.all.filter { $0.covers(asked) }
                guard !covering.isEmpty else {
                    state.withLock { _ = $0.refused.insert("\(asked)") }
                    return Self.answer(403, "Forbidden", "the chart does not allow to \(asked)")
                }
                // As a server without streamed lists, so that `list` is used.
                if request.path.contains("sendInitialEvents=true") {
                    return Self.answer(
                        422, "Invalid",
                        "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                    )
                }
                let conflicts = state.withLock { state in
                    state.used.formUnion(covering)
                    return state.conflicts.remove(asked.permission) != nil
                }
                return conflicts ? Self.answer(409, "Conflict", "the object has been modified; please apply your changes to the latest version") : nil
            })
    }

    var url: String { relay.url }
    var used: Set<ChartGrants.Grant> { state.withLock { $0.used } }
    /// What was asked for and is not allowed.
    var refused: [String] { state.withLock { $0.refused.sorted() } }

    func stop() { relay.stop() }

    private static func answer(_ code: Int, _ reason: String, _ message: String) -> [UInt8] {
        let status: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": .string(reason), "code": JSONValue(code),
            "message": .string(message),
        ]
        let body = status.serialized()
        return Array("HTTP/1.1 \(code) \(reason)\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }
}
