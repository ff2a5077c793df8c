import Base
import Testing

@testable import PodmanNode

@Suite("The seccomp profile of pods without a network")
struct SocketProfileTests {
    private static let rules: JSONValue = [
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            ["names": ["read", "socketcall", "socketpair", "io_uring_setup"], "action": "SCMP_ACT_ALLOW", "args": []],
            ["names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [["index": 0, "value": 16, "op": "SCMP_CMP_NE"]]],
        ],
    ]

    @Test("allows sockets of the pod's own namespaces only, and keeps all other rules")
    func restricted() throws {
        let found = try #require(SocketProfile.restricted(Self.rules))
        let rules = try #require(found["syscalls"]?.array)
        #expect(found["defaultAction"] == "SCMP_ACT_ERRNO" && rules[0]["names"] == ["read", "socketpair"])
        let sockets = rules.dropFirst()
        #expect(sockets.allSatisfy { $0["names"] == ["socket"] && $0["action"] == "SCMP_ACT_ALLOW" })
        let families = sockets.compactMap { rule in rule["args"]?.array?.first }
        #expect(families.allSatisfy { $0["value"]?.int == 0xFFFF_FFFF && $0["op"] == "SCMP_CMP_MASKED_EQ" })
        #expect(families.compactMap { $0["valueTwo"]?.int } == [1, 2, 10, 16, 17, 38])
        #expect(SocketProfile.restricted(["syscalls": "none"]) == nil)
        #expect(SocketProfile.restricted(["defaultAction": "SCMP_ACT_ALLOW", "syscalls": []]) == nil)
    }
}
