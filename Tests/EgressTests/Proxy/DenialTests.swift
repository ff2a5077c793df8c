import Base
import Glibc
import Testing

@testable import Egress

/// The cases of catalogue 70: names that resolve to private addresses, rebinding, IPv6, redirects: denied, and told to the run.
@Suite("What the proxy denies")
struct DenialTests {
    @Test("a name that resolves to an address that is not public, by CONNECT and by plain HTTP, IPv6 included")
    func privateNames() async throws {
        try await onThread {
            let origin = try Origin.answering("reached")
            let names = [
                "loop.example": ["127.0.0.1"], "loop6.example": ["::1"], "mapped.example": ["::ffff:127.0.0.1"],
                "private.example": ["10.0.0.1", "fd00::1"],
                "meta.example": ["169.254.169.254"], "nat64.example": ["64:ff9b::7f00:1"], "any.example": ["0.0.0.0", "::"],
                "cluster.example": ["93.184.216.34"],
            ]
            let bench = try ProxyBench(
                names, policy: EgressPolicy(clusterNetworks: [IPNetwork("93.184.216.0/24")].compactMap { $0 }))
            let open = try bench.token(nil, phase: "install")
            let listed = try bench.token(["*.example", "0.0.0.0/0", "::/0"])
            for (token, phase) in [(open, "install"), (listed, "execute")] {
                for name in names.keys.sorted() {
                    let reason = name == "cluster.example" ? "cluster_address" : "address_not_public"
                    let (socket, head) = try bench.connect(to: "\(name):\(origin.port)", token)
                    // Clients show the phrase, not the body.
                    #expect(head.hasPrefix("HTTP/1.1 403 Denied by assay egress: \(name):\(origin.port) in phase \(phase): \(reason)\r\n"), "\(head)")
                    socket.close()
                    let plain = try bench.get("http://\(name):\(origin.port)/", token)
                    #expect(plain.head.contains("error=destination_ip_prohibited"), "\(plain)")
                    #expect(plain.body.hasPrefix("assay egress: denied \(name):\(origin.port) in phase \(phase): the address "), "\(plain)")
                    #expect(plain.body.contains("allowedHosts") && plain.body.components(of: "\n") == 1)
                }
                for address in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "[fe80::1]"] {
                    #expect(try bench.get("http://\(address):\(origin.port)/", token).head.hasPrefix("HTTP/1.1 403 "), "\(address)")
                }
            }
            #expect(origin.accepted.withLock { $0 } == 0)
            let report = try bench.denials(open)
            #expect(report.denials.contains { $0.host == "loop.example" && $0.phase == "install" && $0.count == 2 && $0.port == Int(origin.port) })
            #expect(report.denials.contains { $0.host == "::1" && $0.phase == "execute" && $0.reason == "address_not_public" })
            #expect(bench.metrics.prometheusText().contains("assay_egress_requests_total{kind=\"connect\",result=\"denied_cluster_address\"} 2\n"))
            #expect(EgressDenialReport(json: bench.proxy.denials(of: ProxyBench.run).json) == report)
        }
    }

    @Test("rebinding: a name is resolved once for a request, and the address that was checked is the one that is used")
    func rebinding() async throws {
        try await onThread {
            let origin = try Origin.answering("reached")
            let bench = try ProxyBench()
            let token = try bench.token(["r.example", "127.0.0.1"])
            bench.resolver.set("r.example", [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["169.254.169.254"]])
            let url = "http://r.example:\(origin.port)/"
            #expect(try bench.get(url, token).body == "reached")
            #expect(bench.resolver.lookups.withLock { $0.count } == 1)
            #expect(try bench.get(url, token).head.hasPrefix("HTTP/1.1 403 "), "the second answer is checked anew")
            #expect(try bench.get(url, token).body == "reached", "of mixed answers the allowed address is used")
            #expect(try bench.get(url, token).head.hasPrefix("HTTP/1.1 403 "))
            #expect(bench.resolver.lookups.withLock { $0.count } == 4)
        }
    }

    @Test("a name that is not allowed is not even looked up")
    func noLookup() async throws {
        try await onThread {
            let bench = try ProxyBench(["secret.attacker.example": ["8.8.8.8"]])
            for token in [try bench.token(["a.example", "8.8.8.0/24"]), try bench.token([])] {
                let answer = try bench.get("http://secret.attacker.example/", token)
                #expect(answer.head.hasPrefix("HTTP/1.1 403 "), "\(answer)")
            }
            #expect(bench.resolver.lookups.withLock { $0.isEmpty })
            #expect(try bench.denials(try bench.token([])).denials.map(\.reason) == ["not_allowed", "no_network"])
        }
    }

    @Test("200 runs at one proxy: each reads its own denials, and nobody else's")
    func manyRuns() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let tokens = try (0..<200).map { try bench.token([], run: "run-\($0)") }
            let failed = Locked<[String]>([])
            let threads = 20
            let done = Locked(0)
            for thread in 0..<threads {
                startThread(name: "client", stackBytes: 1 << 20) {
                    defer { done.withLock { $0 += 1 } }
                    for index in stride(from: thread, to: tokens.count, by: threads) {
                        let answer = try? bench.get("http://host-\(index).example/", tokens[index])
                        if answer?.head.hasPrefix("HTTP/1.1 403 ") != true {
                            failed.withLock { $0.append("run \(index): \(String(describing: answer))") }
                        }
                    }
                }
            }
            #expect(soon { done.withLock { $0 } == threads })
            #expect(failed.withLock { $0 } == [])
            for (index, token) in tokens.enumerated() {
                let report = try bench.denials(token)
                #expect(report.run == "run-\(index)" && report.denials.map(\.host) == ["host-\(index).example"], "\(report)")
            }
        }
    }

    @Test("without a good token nothing is done")
    func tokens() async throws {
        try await onThread {
            let origin = try Origin.answering("reached")
            let bench = try ProxyBench()
            let good = try bench.token(["127.0.0.1"])
            let forged = try EgressToken(run: "r", phase: "p", grant: .everyPublicHost, expires: Timestamp(seconds: 4_000_000_000)).signed(
                with: EgressTokenTests.key(9))
            for token in ["", "not-a-token", forged, String(good.dropLast(3)), good + "A"] {
                let answer = try bench.get("http://127.0.0.1:\(origin.port)/", token)
                #expect(answer.head.hasPrefix("HTTP/1.1 407 ") && !answer.body.contains(token.isEmpty ? "\u{0}" : token), "\(answer)")
            }
            let late = try bench.token(["127.0.0.1"], run: "other", seconds: -1)
            #expect(try bench.get("http://127.0.0.1:\(origin.port)/", late).head.hasPrefix("HTTP/1.1 403 "))
            #expect(origin.accepted.withLock { $0 } == 0)
            // A token reads what its own run was denied, also after its time.
            #expect(try bench.denials(late).denials.map(\.reason) == ["token_expired"])
            #expect(try bench.denials(good).denials.isEmpty)
            #expect(try bench.get("/.assay/other", good).head.hasPrefix("HTTP/1.1 404 "))
            #expect(try bench.get("/.assay/denials", forged).head.hasPrefix("HTTP/1.1 407 "))
            let direct = try bench.client()
            try direct.send("GET http://proxy/.assay/denials HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer \(good)\r\n\r\n")
            #expect(try direct.readAnswer().head.hasPrefix("HTTP/1.1 200 "))
            // Of another address it is refused from its first use on.
            #expect(try bench.get("http://127.0.0.1:\(origin.port)/", good).body == "reached")
            let (_, head) = try bench.connect(to: "127.0.0.1:\(origin.port)", good, from: "127.0.0.9")
            #expect(head.hasPrefix("HTTP/1.1 403 "), "\(head)")
            let thief = try bench.client(from: "127.0.0.9")
            try thief.send("GET /.assay/denials HTTP/1.1\r\nHost: proxy\r\n\(ProxyBench.authorization(good))\r\n")
            #expect(try thief.readAnswer().head.hasPrefix("HTTP/1.1 403 "))
            let lines = bench.logged.withLock { $0 }
            #expect(
                !lines.isEmpty && !lines.contains { $0.contains(good.suffix(20)) || $0.contains(late.suffix(20)) || $0.contains("e1.") }, "\(lines)")
        }
    }
}
