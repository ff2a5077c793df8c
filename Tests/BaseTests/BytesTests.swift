import Testing

@testable import Base

@Suite struct BytesTests {
    @Test(
        "SHA-256 of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func sha256(text: String, digest: String) {
        #expect(SHA256.hex(of: Array(text.utf8)) == digest)
    }

    @Test func sha256InPieces() {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hash = SHA256()
        var at = 0
        for size in sequence(first: 1, next: { $0 + 7 }) {
            guard at < bytes.count else { break }
            hash.update(bytes[at..<min(at + size, bytes.count)])
            at += size
        }
        #expect(hash.hexDigest() == SHA256.hex(of: bytes))
        #expect(SHA256.hex(of: [UInt8](repeating: 0x61, count: 1_000_000)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test(
        "Base64 of RFC 4648's examples",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func base64(text: String, encoded: String) throws {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(try Base64.decode(encoded).get() == Array(text.utf8))
    }

    @Test("invalid Base64", arguments: [("%%%", 0), ("Zg=", 3), ("Zg==x", 4), ("Z", 1), ("Z===", 1)])
    func notBase64(text: String, offset: Int) {
        #expect(Base64.decode(text) == .failure(Base64.CorruptInput(offset: offset)))
    }

    @Test func base64Lines() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        let lines = Base64.encodeBytes(bytes, lineLength: 76)
        #expect(lines.split(separator: 0x0A).allSatisfy { $0.count <= 76 })
        #expect(lines.last == 0x0A)
        #expect(try Base64.decode(lines).get() == bytes)
    }

    @Test(
        "times are parsed and printed",
        arguments: [
            ("2026-01-02T03:04:05Z", 1_767_323_045, "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.5+01:30", 1_767_317_645, "2026-01-02T01:34:05.500Z"),
            ("1969-12-31T23:59:59Z", -1, "1969-12-31T23:59:59Z"),
            ("2024-02-29T00:00:00Z", 1_709_164_800, "2024-02-29T00:00:00Z"),
        ])
    func times(text: String, seconds: Int64, written: String) throws {
        let time = try #require(Timestamp(rfc3339: text))
        #expect(time.seconds == seconds)
        #expect(time.description == written)
    }

    @Test(
        "a time beyond the range becomes the last time that can be printed",
        arguments: [
            (1e300, "9999-12-31T23:59:59Z"), (Double.infinity, "9999-12-31T23:59:59Z"), (9.3e18, "9999-12-31T23:59:59Z"),
            (-1e300, "0001-01-01T00:00:00Z"),
            (Double.nan, "1970-01-01T00:00:00Z"), (1.5, "1970-01-01T00:00:01.500Z"), (-0.5, "1969-12-31T23:59:59.500Z"),
        ])
    func farAway(seconds: Double, written: String) {
        #expect(Timestamp(seconds: 0).adding(seconds: seconds).description == written)
    }

    @Test("invalid times", arguments: ["yesterday", "2026-02-29T00:00:00Z", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
    func notTimes(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test func logLinesCarryFieldsAndNoControls() throws {
        let lines = Locked<[String]>([])
        let log = Log(
            "test",
            destination: .init(minimum: .info, format: .json) { line in
                lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            })
        log.with(["object": "ns/name"]).info("hello", ["n": 1])
        log.debug("not written")
        let line = try #require(lines.withLock { $0.first })
        let value = try JSONValue(parsing: line)
        #expect(value["msg"] == "hello" && value["object"] == "ns/name" && value["n"] == 1 && value["logger"] == "test")
        #expect(lines.withLock { $0.count } == 1)
        #expect("a\u{1B}[2Jb\n".replacingControls == "a\\x1b[2Jb\\n")
    }

    @Test("counters and histograms are written as 0 for each combination of their labels, and a value that the catalogue does not have is `other`")
    func metricsFromTheStart() {
        let registry = MetricsRegistry()
        let counter = registry.counter(
            MetricDefinition(name: "c_total", kind: .counter, help: "Counts.", labels: [.part("of"), .of("result", ["bad", "good"])]), ["of": "me"])
        let histogram = registry.histogram(
            MetricDefinition(name: "h_seconds", kind: .histogram, help: "Times.", labels: [.of("phase", ["a", "b"])], bounds: [1]))
        let fresh = registry.prometheusText()
        #expect(fresh.contains("c_total{of=\"me\",result=\"bad\"} 0\nc_total{of=\"me\",result=\"good\"} 0\n"))
        #expect(fresh.contains("h_seconds_bucket{phase=\"a\",le=\"+Inf\"} 0\n") && fresh.contains("h_seconds_count{phase=\"b\"} 0\n"))
        counter.add(2, ["result": "good"])
        for name in ["job-1", "job-2", "job-3"] { counter.add(1, ["result": name]) }
        histogram.observe(0.5, ["phase": "b"])
        let text = registry.prometheusText()
        #expect(text.contains("c_total{of=\"me\",result=\"good\"} 2\n") && text.contains("c_total{of=\"me\",result=\"other\"} 3\n"))
        #expect(!text.contains("job-") && text.contains("h_seconds_bucket{phase=\"b\",le=\"1\"} 1\n"))
    }

    @Test("the catalogue's names and labels are those of Prometheus' conventions")
    func catalogue() {
        let all = MetricDefinition.all
        #expect(Set(all.map(\.name)).count == all.count && all.count >= 35)
        for metric in all {
            #expect(metric.name.wholeMatch(of: /assay(_[a-z]+)+/) != nil, "\(metric.name)")
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect(metric.help.hasSuffix(".") && metric.bounds == metric.bounds.sorted() && (metric.kind == .histogram) != metric.bounds.isEmpty)
            for label in metric.labels {
                #expect(
                    label.name.wholeMatch(of: /[a-z]+/) != nil && !["le", "job", "instance", "namespace", "pod"].contains(label.name),
                    "\(metric.name)")
                if let values = label.values { #expect(!values.isEmpty && Set(values).count == values.count, "\(metric.name) \(label.name)") }
            }
            // Series of one part of the program.
            #expect(metric.labels.reduce(1) { $0 * ($1.values?.count ?? 1) } <= 160, "\(metric.name) has too many series")
        }
    }

    @Test func metricsAsPrometheusText() {
        let registry = MetricsRegistry()
        registry.counter(MetricDefinition(name: "c_total", kind: .counter, help: "Counts.", labels: [.part("kind")]), ["kind": "a\"b"]).add(2)
        let gauge = registry.gauge(MetricDefinition(name: "g", kind: .gauge, help: "Level.", labels: [.part("of")]))
        gauge.set(1.5)
        let asked = Locked<Double?>(7)
        gauge.follow(["of": "asked"]) { asked.withLock { $0 } }
        #expect(registry.prometheusText().contains("g{of=\"asked\"} 7\n"))
        asked.withLock { $0 = nil }
        let h = registry.histogram(MetricDefinition(name: "h_seconds", kind: .histogram, help: "Times.", bounds: [0.1, 1]))
        h.observe(0.05)
        h.observe(5)
        #expect(
            registry.prometheusText() == """
                # HELP c_total Counts.
                # TYPE c_total counter
                c_total{kind="a\\"b"} 2
                # HELP g Level.
                # TYPE g gauge
                g 1.5
                # HELP h_seconds Times.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.1"} 1
                h_seconds_bucket{le="1"} 1
                h_seconds_bucket{le="+Inf"} 2
                h_seconds_sum 5.05
                h_seconds_count 2

                """)
    }
}
