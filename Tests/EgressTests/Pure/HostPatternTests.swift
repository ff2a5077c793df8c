import Base
import Testing

@testable import Egress

@Suite("Host patterns")
struct HostPatternTests {
    @Test(
        "an entry names hosts, ports and addresses",
        arguments: [
            ("example.com", "example.com:443", true), ("example.com", "EXAMPLE.com.:80", true), ("Example.COM.", "example.com:1", true),
            ("example.com", "a.example.com:443", false), ("example.com", "badexample.com:443", false),
            ("*.example.com", "a.example.com:443", true), ("*.example.com", "b.a.example.com:443", true),
            ("*.example.com", "A.EXAMPLE.COM.:443", true),
            ("*.example.com", "example.com:443", false), ("*.example.com", "aexample.com:443", false),
            ("*.example.com", "example.com.evil.org:443", false),
            ("example.com:8443", "example.com:8443", true), ("example.com:8443", "example.com:443", false),
            ("*.example.com:8443", "a.example.com:8443", true), ("*.example.com:8443", "a.example.com:80", false),
            ("192.0.2.1", "192.0.2.1:80", true), ("192.0.2.1", "192.0.2.2:80", false), ("192.0.2.1:5432", "192.0.2.1:5432", true),
            ("192.0.2.1:5432", "192.0.2.1:80", false), ("192.0.2.0/24", "192.0.2.77:80", true), ("192.0.2.0/24", "192.0.3.77:80", false),
            ("2001:db8::1", "[2001:db8::1]:80", true), ("2001:DB8:0::1", "[2001:db8::0:1]:80", true),
            ("[2001:db8::1]:443", "[2001:db8::1]:443", true),
            ("[2001:db8::1]:443", "[2001:db8::1]:80", false), ("2001:db8::/32", "[2001:db8:1::7]:80", true),
            ("2001:db8::/32", "[2001:db9::7]:80", false),
            ("192.0.2.1", "[::ffff:192.0.2.1]:80", true), ("::ffff:192.0.2.1", "192.0.2.1:80", true),
            ("my_service.internal", "my_service.internal:80", true), ("xn--bcher-kva.example", "XN--BCHER-KVA.example:80", true),
            ("localhost", "localhost:80", true), ("0.0.0.0/0", "example.com:80", false), ("0.0.0.0/0", "[2001:db8::1]:80", false),
        ] as [(String, String, Bool)])
    func names(pattern: String, destination: String, isNamed: Bool) throws {
        let parsed = try HostPattern(pattern)
        #expect(parsed.names(try Destination(destination)) == isNamed)
        // What a token holds is the canonical text.
        #expect(try HostPattern(parsed.description) == parsed)
    }

    @Test(
        "what is no pattern is refused with what to write instead",
        arguments: [
            ("", "is empty"), ("a b", "white space"), ("https://example.com/", "is a URL: write only its host"), ("u@example.com", "user name"),
            ("*", "network mode public"), ("a.*.com", "only allowed as the first label"), ("*example.com", "only allowed as the first label"),
            ("*.*.com", "more than one *"), ("*.10.0.0.1", "write a network"), ("*.", "is empty"), ("bücher.example", "xn--"),
            ("example.com/path", "is no network"), ("10.0.0.0/8:80", "is no network"), ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"), ("10.0.0.0/33", "is no network"), ("10.0.0.0/08", "is no network"),
            ("::ffff:10.0.0.0/104", "write it as IPv4"), ("example.com:0", "no valid port"), ("example.com:65536", "no valid port"),
            ("example.com:http", "no valid port"), ("example.com:", "no valid port"), ("[::1", "closing bracket"),
            ("[example.com]:80", "is no IPv6 address"),
            ("2001:db8::zz", "is no IPv6 address"), ("fe80::1%eth0", "zone"), ("1.2.3", "looks like an IPv4 address"),
            ("127.1", "looks like an IPv4 address"),
            ("0x7f.1", "looks like an IPv4 address"), ("2130706433", "looks like an IPv4 address"), ("010.0.0.1", "looks like an IPv4 address"),
            ("a.0x7f", "looks like an IPv4 address"), ("a..b", "two dots"), (".example.com", "begins with one"), ("-a.com", "is no host name"),
            ("a-.com", "is no host name"), ("a;b.com", "is no host name"), ("a\u{0}b", "is no host name"),
            (String(repeating: "a", count: 64), "63 letters"),
            (Array(repeating: "abcdefgh", count: 30).joined(separator: "."), "253 letters"),
        ] as [(String, String)])
    func refuses(text: String, part: String) {
        let error = #expect(throws: HostPatternError.self) { try HostPattern(text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasPrefix("the allowed host \"") == true)
    }

    @Test(
        "a destination needs a port, and only forms that have one meaning",
        arguments: [
            "example.com", "example.com:", "example.com:x", "example.com:443:1", "::1:443", "[::1]", "[::1]443", "exa mple.com:1", ":443",
            "a%41.com:1",
        ])
    func badDestinations(text: String) { #expect(throws: HostSyntaxError.self) { try Destination(text) } }

    @Test func destinationsAreWrittenAsInAURL() throws {
        #expect(try Destination("EXAMPLE.com.", defaultPort: 80).description == "example.com:80")
        #expect(try Destination("[2001:DB8::1]:443").description == "[2001:db8::1]:443")
        #expect(try Destination("[::ffff:10.0.0.1]:443").description == "10.0.0.1:443")
    }

    @Test(
        "listeners",
        arguments: [
            ("0.0.0.0:3128", "0.0.0.0:3128"), ("[::]:0", "[::]:0"), ("unix:/run/a.sock", "unix:/run/a.sock"), ("127.0.0.1:80", "127.0.0.1:80"),
        ])
    func listeners(text: String, canonical: String) throws { #expect(try EgressListener(parsing: text).description == canonical) }

    @Test(arguments: ["3128", "localhost:3128", "unix:relative", "0.0.0.0", "0.0.0.0:99999", "unix:/" + String(repeating: "a", count: 200)])
    func badListeners(text: String) { #expect(throws: HostSyntaxError.self) { try EgressListener(parsing: text) } }
}
