import Base
import KubeCore
import Testing

@testable import KubeClient

@Suite struct WatchEventTests {
    private func parse(_ text: String) throws -> WatchEvent { try WatchEvent(line: Array(text.utf8)) }

    @Test func objects() throws {
        let object: JSONValue = ["kind": "Pod", "metadata": ["name": "x", "resourceVersion": "7"]]
        for (type, event) in [
            ("ADDED", WatchEvent.added(object)), ("MODIFIED", .modified(object)), ("DELETED", .deleted(object)),
        ] {
            let parsed = try parse("{\"type\":\"\(type)\",\"object\":\(object.text)}")
            #expect(parsed == event)
            #expect(parsed.resourceVersion == "7")
        }
    }

    @Test func bookmarks() throws {
        #expect(
            try parse(#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","creationTimestamp":null}}}"#)
                == .bookmark(resourceVersion: "9", initialEventsEnd: false))
        #expect(
            try parse(
                #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#)
                == .bookmark(resourceVersion: "9", initialEventsEnd: true))
    }

    @Test("catalogue 2: an expired watch sends an ERROR event") func errors() throws {
        let status = #"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old","reason":"Expired","code":410}"#
        for line in ["{\"type\":\"ERROR\",\"object\":\(status)}", status] {
            guard case .error(let error) = try parse(line) else {
                Issue.record("\(line) is no error")
                continue
            }
            #expect(error.isGone)
        }
        guard case .error(let foreign) = try parse(#"{"type":"ERROR","object":{"kind":"Surprise"}}"#) else {
            Issue.record("no error")
            return
        }
        #expect(foreign.code == 500)
    }

    @Test("only the projection of a changed object is decoded; other events are decoded completely") func projections() throws {
        let object =
            #"{"kind":"Pod","metadata":{"name":"x","resourceVersion":"7","managedFields":[{"manager":"m"}]},"spec":{"nodeName":"n","containers":[{}]}}"#
        let projection = ObjectProjection.metadata(and: ["spec": .keys("nodeName")])
        for type in ["ADDED", "MODIFIED", "DELETED"] {
            for line in ["{\"type\":\"\(type)\",\"object\":\(object)}", "{\"object\":\(object),\"type\":\"\(type)\"}"] {
                switch try WatchEvent(line: Array(line.utf8), keeping: projection) {
                case .added(let kept), .modified(let kept), .deleted(let kept):
                    #expect(kept == ["kind": "Pod", "metadata": ["name": "x", "resourceVersion": "7"], "spec": ["nodeName": "n"]])
                case let other: Issue.record("\(line) is \(other)")
                }
            }
        }
        let status =
            #"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old","reason":"Expired","code":410,"details":{"uid":"u"}}"#
        for line in [
            "{\"type\":\"ERROR\",\"object\":\(status)}", status,
            #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#,
        ] {
            #expect(try WatchEvent(line: Array(line.utf8), keeping: .metadata) == parse(line))
        }
    }

    @Test(
        "a line with invalid JSON in a skipped part is not an event",
        arguments: [
            #"{"type":"ADDED","object":{"metadata":{"name":"x"},"spec":{"a":"#,
            #"{"type":"ADDED","object":{"metadata":{"name":"x"},"spec":{"a":tru}}}"#,
            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\"},\"spec\":\"\u{0}\"}}",
        ]) func invalidInSkippedParts(line: String)
    {
        #expect(throws: WatchLineError.self) { try WatchEvent(line: Array(line.utf8), keeping: .metadata) }
    }

    @Test(arguments: [
        "", "{", "[]", "null", #"{"type":"ADDED"}"#, #"{"type":"ADDED","object":7}"#, #"{"type":"BOOKMARK","object":{}}"#,
        #"{"type":"SURPRISE","object":{}}"#, #"{"object":{}}"#, "{\"type\":\"ADDED\",\"object\":{\"a\":\"\u{0}\"}}",
    ]) func invalidEvents(line: String) {
        #expect(throws: WatchLineError.self) { try parse(line) }
    }
}

@Suite struct ListPageTests {
    @Test func itemsGetTheirTypeAndNullIsEmpty() throws {
        let page = try ListPage(
            parsing: Array(
                #"{"kind":"PodList","metadata":{"resourceVersion":"5","continue":"t","remainingItemCount":3},"items":[{"metadata":{"name":"x"}}]}"#
                    .utf8),
            type: .pods)
        #expect(page.items == [["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "x"]]])
        #expect(page.resourceVersion == "5")
        #expect(page.continueToken == "t")
        #expect(page.remaining == 3)
        let empty = try ListPage(parsing: Array(#"{"metadata":{"resourceVersion":"5","continue":""},"items":null}"#.utf8), type: .pods)
        #expect(empty == ListPage(items: [], resourceVersion: "5"))
    }

    @Test func itemsAreProjected() throws {
        let text = #"{"metadata":{"resourceVersion":"5","continue":"t"},"items":[{"metadata":{"name":"x","managedFields":[]},"spec":{}}]}"#
        let page = try ListPage(parsing: Array(text.utf8), type: .pods, keeping: .metadata)
        #expect(page == ListPage(items: [["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "x"]]], resourceVersion: "5", continueToken: "t"))
    }

    @Test(arguments: ["", "[]", "{}", #"{"metadata":{},"items":{}}"#]) func invalidLists(text: String) {
        #expect(throws: ListSyntaxError.self) { try ListPage(parsing: Array(text.utf8), type: .pods) }
        #expect(throws: ListSyntaxError.self) { try ListPage(parsing: Array(text.utf8), type: .pods, keeping: .metadata) }
    }
}

@Suite struct LineSplitterTests {
    @Test("catalogue 6: lines are split at bytes, wherever chunks end") func anyChunks() throws {
        let text = "{\"a\":\"é\u{1F600}\"}\n\n{\"b\":1}\ncut off"
        let bytes = Array(text.utf8)
        for size in 1...bytes.count {
            var splitter = LineSplitter()
            var lines: [[UInt8]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                lines += try splitter.append(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(lines.map { String(decoding: $0, as: UTF8.self) } == ["{\"a\":\"é\u{1F600}\"}", "{\"b\":1}"])
        }
    }

    @Test func aLineWithoutEndIsRefused() throws {
        var splitter = LineSplitter(limit: 100)
        _ = try splitter.append([UInt8](repeating: 120, count: 100))
        #expect(throws: KubeError.self) { try splitter.append([120]) }
    }
}
