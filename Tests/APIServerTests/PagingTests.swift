import Base
import Testing

@Suite("Pages of a list")
struct PagingTests {
    private func names(_ answer: ServerUnderTest.Answer) -> [String] {
        (answer.json["items"]?.array ?? []).compactMap { $0.at("metadata", "name")?.string }
    }

    private func token(_ answer: ServerUnderTest.Answer) -> String { answer.json.at("metadata", "continue")?.string ?? "" }

    @Test("all pages show the state of the first page, whatever is written in the meantime")
    func consistent() async throws {
        try await withServer { server in
            for number in 10..<20 { _ = try await server.send("POST", configMaps, configMap("c\(number)")) }
            var page = try await server.get("\(configMaps)?limit=3")
            let version = page.version
            var found = names(page)
            var step = 0
            while !token(page).isEmpty {
                _ = try await server.send("POST", configMaps, configMap("c1\(step)x"))
                _ = try await server.send("DELETE", "\(configMaps)/c\(19 - step)")
                _ = try await server.merge("\(configMaps)/c1\(5 + step % 2)", ["data": ["new": "yes"]])
                page = try await server.get("\(configMaps)?limit=3&continue=\(token(page))")
                #expect(page.version == version)
                #expect((page.json["items"]?.array ?? []).allSatisfy { $0.at("data", "new") == nil })
                found += names(page)
                step += 1
            }
            #expect(found == (10..<20).map { "c\($0)" })
        }
    }

    @Test("catalogue 3: a page whose state is no longer known gets a 410 with a token for the rest of the current state")
    func expired() async throws {
        try await withServer(watchHistory: 4) { server in
            for number in 10..<16 { _ = try await server.send("POST", configMaps, configMap("c\(number)")) }
            let page = try await server.get("\(configMaps)?limit=2")
            for number in 0..<30 { _ = try await server.merge("\(configMaps)/c15", ["data": ["n": .string("\(number)")]]) }
            let expired = try await server.get("\(configMaps)?limit=2&continue=\(token(page))")
            #expect(expired.status == 410)
            #expect(expired.json["reason"] == "Expired")
            let rest = try await server.get("\(configMaps)?limit=10&continue=\(token(expired))")
            #expect(names(rest) == ["c12", "c13", "c14", "c15"])
        }
    }

    @Test("a page counts only objects that match the selector")
    func selected() async throws {
        try await withServer { server in
            for number in 10..<20 {
                _ = try await server.send(
                    "POST", configMaps, configMap("c\(number)", labels: ["even": .string("\(number % 2 == 0)")]))
            }
            let page = try await server.get("\(configMaps)?limit=2&labelSelector=even%3Dtrue")
            #expect(names(page) == ["c10", "c12"])
            #expect(page.json.at("metadata", "remainingItemCount") == nil)
            let rest = try await server.get("\(configMaps)?limit=9&labelSelector=even%3Dtrue&continue=\(token(page))")
            #expect(names(rest) == ["c14", "c16", "c18"])
        }
    }

    @Test("resource versions: unset, 0, not older than, exact, newer than the newest")
    func versions() async throws {
        try await withServer { server in
            let first = try await server.send("POST", configMaps, configMap("a")).version
            let second = try await server.send("POST", configMaps, configMap("b")).version
            #expect(names(try await server.get("\(configMaps)?resourceVersion=0")) == ["a", "b"])
            #expect(names(try await server.get("\(configMaps)?resourceVersion=\(first)")) == ["a", "b"])
            let exact = try await server.get("\(configMaps)?resourceVersion=\(first)&resourceVersionMatch=Exact")
            #expect(names(exact) == ["a"])
            #expect(exact.version == first)
            let future = try await server.get("\(configMaps)?resourceVersion=\((Int(second) ?? 0) + 1000)")
            #expect(future.status == 504)
            #expect(future.json.at("details", "causes")?[0]?["reason"] == "ResourceVersionTooLarge")
            let mixed = try await server.get("\(configMaps)?limit=1&resourceVersion=\(first)&continue=x")
            #expect(mixed.status == 400)
        }
    }
}
