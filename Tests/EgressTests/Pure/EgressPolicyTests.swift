import Base
import Testing

@testable import Egress

/// The cases of catalogue 70 as decisions: names that resolve to private addresses, IPv6 in all its forms.
@Suite("What a grant reaches")
struct EgressPolicyTests {
    static let policy = EgressPolicy(
        clusterNetworks: networks("10.96.0.0/12", "203.0.113.7/32", "2600:1f00::/40", "34.1.2.3/32"),
        deniedNetworks: networks("10.66.0.0/16", "8.8.4.0/24"))

    static func networks(_ texts: String...) -> [IPNetwork] { texts.compactMap { IPNetwork($0) } }

    @Test func theTableOfRangesIsWellFormed() {
        #expect(AddressClass.ranges.count == AddressClass.table.count)
        for (range, _) in AddressClass.ranges { #expect(range == range.masked, "\(range)") }
        #expect(Set(AddressClass.ranges.map(\.1)).union([.public]) == Set(AddressClass.allCases))
    }

    @Test(
        "the class of an address",
        arguments: [
            ("8.8.8.8", .public), ("1.1.1.1", .public), ("172.32.0.1", .public), ("172.15.255.255", .public), ("100.63.255.255", .public),
            ("100.128.0.1", .public), ("2606:4700::1", .public), ("2a00:1450::1", .public), ("64:ff9b::8.8.8.8", .public),
            ("0.0.0.0", .unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified), ("127.0.0.1", .loopback), ("127.255.0.1", .loopback),
            ("::1", .loopback), ("169.254.1.1", .linkLocal), ("fe80::1", .linkLocal), ("febf::1", .linkLocal),
            ("169.254.169.254", .metadata), ("168.63.129.16", .metadata), ("100.100.100.200", .metadata), ("fd00:ec2::254", .metadata),
            ("10.1.2.3", .private), ("172.16.0.1", .private), ("172.31.255.255", .private), ("192.168.0.1", .private), ("fd12::1", .private),
            ("fc00::1", .private), ("fec0::1", .private), ("100.64.0.1", .shared), ("100.127.255.255", .shared),
            ("224.0.0.1", .multicast), ("239.1.1.1", .multicast), ("ff02::1", .multicast), ("255.255.255.255", .reserved), ("240.0.0.1", .reserved),
            ("192.0.2.1", .documentation), ("2001:db8::1", .documentation), ("198.18.0.1", .reserved), ("192.0.0.1", .reserved),
            ("::ffff:10.0.0.1", .private), ("::ffff:127.0.0.1", .loopback), ("::ffff:169.254.169.254", .metadata), ("::ffff:8.8.8.8", .public),
            ("64:ff9b::10.0.0.1", .private), ("64:ff9b::a9fe:a9fe", .metadata), ("64:ff9b::127.0.0.1", .loopback), ("64:ff9b:1::1", .translated),
            ("2002:7f00:1::", .translated), ("2002:808:808::", .translated), ("192.88.99.1", .translated), ("2001::1", .reserved),
            ("2001:0:4136:e378::1", .reserved),
            ("::127.0.0.1", .reserved), ("::10.0.0.1", .reserved), ("4000::1", .reserved), ("5f00::1", .reserved), ("100::1", .reserved),
            ("3fff::1", .documentation),
        ] as [(String, AddressClass)])
    func classes(text: String, expected: AddressClass) throws {
        #expect(AddressClass(of: try #require(IPAddress(text))) == expected)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var hosts: [String]?
        var to: String
        var resolved: [String] = []
        /// The addresses, or the code of the denial.
        var result: [String]
        var testDescription: String { "\(hosts.map { "\($0)" } ?? "public") -> \(to) \(resolved)" }
    }

    static let cases: [Case] = [
        // Public: everything that is public, and nothing else.
        Case(hosts: nil, to: "example.com:443", resolved: ["93.184.216.34", "2606:2800::1"], result: ["93.184.216.34", "2606:2800::1"]),
        Case(hosts: nil, to: "93.184.216.34:443", result: ["93.184.216.34"]),
        Case(hosts: nil, to: "[2606:2800::1]:443", result: ["2606:2800::1"]),
        Case(hosts: nil, to: "evil.example:80", resolved: ["10.0.0.1"], result: ["address_not_public"]),
        Case(hosts: nil, to: "evil.example:80", resolved: ["169.254.169.254"], result: ["address_not_public"]),
        Case(hosts: nil, to: "evil.example:80", resolved: ["127.0.0.1", "::1"], result: ["address_not_public"]),
        Case(
            hosts: nil, to: "evil.example:80", resolved: ["::ffff:10.0.0.1", "fe80::1", "64:ff9b::a00:1", "2002:a00:1::", "0.0.0.0"],
            result: ["address_not_public"]),
        // Of mixed answers only what may be reached is left.
        Case(hosts: nil, to: "mixed.example:80", resolved: ["10.0.0.1", "8.8.8.8", "::1", "8.8.8.8"], result: ["8.8.8.8"]),
        Case(hosts: nil, to: "api.cluster:443", resolved: ["203.0.113.7"], result: ["cluster_address"]),
        Case(hosts: nil, to: "api.cluster:443", resolved: ["34.1.2.3"], result: ["cluster_address"]),
        Case(hosts: nil, to: "34.1.2.3:443", result: ["cluster_address"]),
        Case(hosts: nil, to: "[::ffff:34.1.2.3]:443", result: ["cluster_address"]),
        Case(hosts: nil, to: "[64:ff9b::34.1.2.3]:443", result: ["cluster_address"]),
        Case(hosts: nil, to: "[2600:1f00::5]:443", result: ["cluster_address"]),
        Case(hosts: nil, to: "10.97.0.1:443", result: ["cluster_address"]),
        Case(hosts: nil, to: "8.8.4.4:53", result: ["denied_by_proxy"]),
        Case(hosts: nil, to: "[64:ff9b::8.8.4.4]:53", result: ["denied_by_proxy"]),
        Case(hosts: nil, to: "127.0.0.1:80", result: ["address_not_public"]),
        Case(hosts: nil, to: "[::1]:80", result: ["address_not_public"]),
        // Nothing.
        Case(hosts: [], to: "example.com:443", result: ["no_network"]),
        Case(hosts: [], to: "93.184.216.34:443", result: ["no_network"]),
        // Lists.
        Case(hosts: ["example.com"], to: "example.com:443", resolved: ["8.8.8.8"], result: ["8.8.8.8"]),
        Case(hosts: ["example.com"], to: "other.com:443", result: ["not_allowed"]),
        Case(hosts: ["example.com"], to: "8.8.8.8:443", result: ["not_allowed"]),
        Case(hosts: ["example.com:443"], to: "example.com:80", result: ["not_allowed"]),
        Case(hosts: ["example.com"], to: "example.com:443", resolved: ["10.0.0.1"], result: ["address_not_public"]),
        Case(hosts: ["8.8.8.0/24"], to: "8.8.8.8:53", result: ["8.8.8.8"]),
        Case(hosts: ["8.8.8.0/24"], to: "dns.google:53", result: ["not_allowed"]),
        // A private address is listed itself, or by a network of private addresses.
        Case(hosts: ["10.0.0.1"], to: "10.0.0.1:80", result: ["10.0.0.1"]),
        Case(hosts: ["10.0.0.1"], to: "[::ffff:10.0.0.1]:80", result: ["10.0.0.1"]),
        Case(hosts: ["10.0.0.1:80"], to: "10.0.0.1:81", result: ["address_not_public"]),
        Case(hosts: ["db.internal"], to: "db.internal:80", resolved: ["10.0.0.1"], result: ["address_not_public"]),
        Case(hosts: ["db.internal", "10.0.0.0/24"], to: "db.internal:80", resolved: ["10.0.0.1", "10.0.1.1"], result: ["10.0.0.1"]),
        Case(hosts: ["127.0.0.1"], to: "127.0.0.1:80", result: ["127.0.0.1"]),
        Case(hosts: ["169.254.169.254"], to: "169.254.169.254:80", result: ["169.254.169.254"]),
        Case(hosts: ["[::1]:80"], to: "[::1]:80", result: ["::1"]),
        Case(hosts: ["2002::/16"], to: "[2002:a00:1::]:80", result: ["2002:a00:1::"]),
        // What is wider than a range opens nothing of it.
        Case(hosts: ["0.0.0.0/0"], to: "8.8.8.8:80", result: ["8.8.8.8"]),
        Case(hosts: ["0.0.0.0/0"], to: "10.0.0.1:80", result: ["address_not_public"]),
        Case(hosts: ["0.0.0.0/0", "::/0"], to: "[::1]:80", result: ["address_not_public"]),
        Case(hosts: ["169.254.0.0/16"], to: "169.254.169.254:80", result: ["address_not_public"]),
        Case(hosts: ["169.254.0.0/16"], to: "169.254.1.1:80", result: ["169.254.1.1"]),
        Case(hosts: ["64:ff9b::/96"], to: "[64:ff9b::a00:1]:80", result: ["address_not_public"]),
        Case(hosts: ["64:ff9b::a00:1"], to: "[64:ff9b::a00:1]:80", result: ["64:ff9b::a00:1"]),
        // The cluster's part of a private network has to be named itself.
        Case(hosts: ["10.0.0.0/8"], to: "10.1.0.1:80", result: ["10.1.0.1"]),
        Case(hosts: ["10.0.0.0/8"], to: "10.97.0.1:80", result: ["cluster_address"]),
        Case(hosts: ["10.97.0.0/24"], to: "10.97.0.1:80", result: ["10.97.0.1"]),
        Case(hosts: ["34.0.0.0/8"], to: "34.1.2.3:443", result: ["cluster_address"]),
        Case(hosts: ["34.1.2.3"], to: "34.1.2.3:443", result: ["34.1.2.3"]),
        // What the proxy denies stays denied.
        Case(hosts: ["10.66.1.1", "10.66.0.0/16"], to: "10.66.1.1:80", result: ["denied_by_proxy"]),
    ]

    @Test(arguments: cases)
    func decides(row: Case) throws {
        let grant = try row.hosts.map { EgressGrant.only(try $0.map { try HostPattern($0) }) } ?? .everyPublicHost
        let destination = try Destination(row.to)
        let addresses = row.resolved.compactMap { IPAddress($0) }
        try #require(addresses.count == row.resolved.count)
        let result: [String] =
            switch Self.policy.admission(to: destination, by: grant) {
            case .connect(let addresses): addresses.map(\.text)
            case .denied(let reason): [reason.code]
            case .resolve:
                switch Self.policy.verdict(on: addresses, of: destination, by: grant) {
                case .connect(let addresses): addresses.map(\.text)
                case .denied(let reason): [reason.code]
                }
            }
        #expect(result == row.result)
        // A name that is not allowed is never looked up.
        if row.result == ["not_allowed"] || row.result == ["no_network"] { #expect(row.resolved.isEmpty) }
    }

    @Test func aPublicGrantMayListPrivateHostsAsWell() throws {
        let grant = EgressGrant(everyPublicHost: true, hosts: [try HostPattern("10.0.0.5")])
        let policy = EgressPolicy()
        #expect(policy.admission(to: try Destination("10.0.0.5:80"), by: grant) == .connect([try #require(IPAddress("10.0.0.5"))]))
        #expect(policy.admission(to: try Destination("8.8.8.8:80"), by: grant) == .connect([try #require(IPAddress("8.8.8.8"))]))
        let name = try Destination("model.internal:80")
        #expect(policy.verdict(on: [try #require(IPAddress("10.0.0.5"))], of: name, by: grant) == .connect([try #require(IPAddress("10.0.0.5"))]))
    }

    @Test("a public address of the proxy's own machine is reachable only where it is listed")
    func ownAddresses() throws {
        let (own, other) = (try #require(IPAddress("93.184.216.34")), try #require(IPAddress("93.184.216.35")))
        let policy = EgressPolicy()
        let literal = try Destination("93.184.216.34:80")
        let name = try Destination("me.example:80")
        #expect(policy.admission(to: literal, by: .everyPublicHost, own: [own]) == .denied(.ownAddress(own)))
        #expect(policy.verdict(on: [own], of: name, by: .everyPublicHost, own: [own]) == .denied(.ownAddress(own)))
        #expect(policy.verdict(on: [own, other], of: name, by: .everyPublicHost, own: [own]) == .connect([other]))
        let wide = EgressGrant.only([try HostPattern("93.184.216.0/24")])
        #expect(policy.admission(to: literal, by: wide, own: [own]) == .denied(.ownAddress(own)))
        let exact = EgressGrant.only([try HostPattern("93.184.216.34")])
        #expect(policy.admission(to: literal, by: exact, own: [own]) == .connect([own]))
        #expect(DenialReason.ownAddress(own).explanation.contains("the machine on which the proxy runs"))
        // The kernel knows which addresses are this machine's.
        for (text, isOwn) in [("127.0.0.1", true), ("::1", true), ("8.8.8.8", false), ("2606:4700::1", false)] {
            #expect(LocalAddress.isOwn(try #require(IPAddress(text))) == isOwn, "\(text)")
        }
    }

    @Test func theFamiliesTakeTurns() {
        let all = ["::2", "::3", "::4", "10.0.0.1", "10.0.0.2"].compactMap { IPAddress($0) }
        #expect(Dialer.alternating(all).map(\.text) == ["::2", "10.0.0.1", "::3", "10.0.0.2", "::4"])
        #expect(Dialer.alternating([]).isEmpty)
        #expect(Dialer.alternating(Array(all[3...])).map(\.text) == ["10.0.0.1", "10.0.0.2"])
    }
}
