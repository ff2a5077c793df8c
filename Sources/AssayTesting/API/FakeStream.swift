import Base
import KubeCore

/// One watch of a fake API.
struct FakeStream: Sendable {
    let state: Locked<FakeAPI.State>
    let route: FakeRoute
    let fault: FakeFault.Effect?

    func response() -> ScriptedResponse {
        let asked = Int(route.query["resourceVersion"] ?? "") ?? 0
        let isInitial = route.query["sendInitialEvents"] == "true" || asked == 0
        let (compacted, now) = state.withLock { ($0.objects.compactedBefore, $0.objects.version) }
        if !isInitial, asked < compacted {
            return .failure(410, reason: "Expired", message: "too old resource version: \(asked) (\(compacted))")
        }
        if asked > now {
            return .failure(504, reason: "Timeout", message: "Too large resource version: \(asked), current: \(now)")
        }
        return .stream([.live { run($0, from: asked, isInitial: isInitial) }])
    }

    private func run(_ body: LiveBody, from asked: Int, isInitial: Bool) {
        let epoch = state.withLock { state in
            state.openStreams += 1
            return state.streamEpoch
        }
        defer { state.withLock { $0.openStreams -= 1 } }
        var position = asked
        var sent = 0
        if isInitial {
            let (objects, version) = state.withLock { ($0.objects.all(route.type), $0.objects.version) }
            position = version
            for object in objects where route.selects(object) {
                guard send("ADDED", object, body, &sent) else { return }
            }
            if route.query["sendInitialEvents"] == "true", !sendsNoBookmarks {
                guard bookmark(version, ends: true, body) else { return }
            }
        }
        let seconds = Double(route.query["timeoutSeconds"] ?? "") ?? 3600
        let time = SystemTime()
        let end = time.monotonic() + seconds
        while time.monotonic() < end {
            let (events, stop, cut) = state.withLock { state in
                (
                    state.objects.events.filter { $0.version > position && $0.resource == route.type.plural },
                    state.streamEpoch != epoch, state.streamsEndByCut
                )
            }
            if stop {
                if cut { body.cut() }
                return
            }
            for event in events {
                position = event.version
                guard route.selects(event.object) else { continue }
                guard send(event.type, event.object, body, &sent) else { return }
            }
            guard body.wait(seconds: 0.002) else { return }
        }
    }

    private var sendsNoBookmarks: Bool { if case .noBookmarks = fault { true } else { false } }

    private func send(_ type: String, _ object: JSONValue, _ body: LiveBody, _ sent: inout Int) -> Bool {
        let line: JSONValue = ["type": .string(type), "object": object]
        if case .cutStream(let count, let midLine) = fault, sent >= count {
            if midLine {
                let bytes = line.serialized()
                body.send(Array(bytes.prefix(bytes.count / 2)))
            }
            body.cut()
            return false
        }
        sent += 1
        return body.send(line: line)
    }

    private func bookmark(_ version: Int, ends: Bool, _ body: LiveBody) -> Bool {
        var metadata: [String: JSONValue] = ["resourceVersion": .string(String(version)), "creationTimestamp": nil]
        if ends { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        return body.send(
            line: [
                "type": "BOOKMARK",
                "object": [
                    "kind": .string(route.type.kind), "apiVersion": .string(route.type.apiVersion),
                    "metadata": .object(metadata),
                ],
            ])
    }
}
