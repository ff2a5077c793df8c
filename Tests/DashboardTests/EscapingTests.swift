import Base
import EvalModel
import Testing

@testable import Dashboard

/// Text of a trial is shown and has no effect.
@Suite struct EscapingTests {
    private func html(_ text: String) -> String { written(tag("p", text: text)) }

    private func written(_ html: HTML) -> String {
        var writer = HTMLWriter()
        writer.write(html)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(
        "catalogue 55: text stays text, whatever it contains",
        arguments: [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a & b &amp; \"c\" 'd'", "a &amp; b &amp;amp; \"c\" 'd'"),
            ("\u{1B}[31mred\u{1B}[0m\u{7}", "\\x1b[31mred\\x1b[0m\\x07"),
            ("\u{0}\u{8}\u{7F}\u{9B}2J", "\\x00\\x08\\x7f\\x9b2J"),
            ("one\r\ntwo\rthree\tfour\n", "one\ntwo\\x0dthree\tfour\n"),
            // Direction marks (CVE-2021-42574), zero-width characters, tags, separators.
            ("a\u{202E}b\u{2066}c\u{200B}d\u{FEFF}e\u{2028}f\u{061C}g", "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}e\\u{2028}f\\u{61c}g"),
            ("x\u{E0041}y", "x\\u{e0041}y"),
            ("grüße 你好 👩‍💻 \u{FFFD}", "grüße 你好 👩‍💻 \u{FFFD}"),
        ])
    func text(_ text: String, _ wanted: String) {
        #expect(html(text) == "<p>\(wanted)</p>")
    }

    @Test("catalogue 55: invalid UTF-8 becomes replacement characters and never merges with our own bytes")
    func invalidBytes() {
        let text = String(decoding: [0xFF, 0x3C, 0xC2, 0x3C, 0xE2, 0x80, 0xF3, 0xA0, 0x81], as: UTF8.self)
        let shown = html(text)
        #expect(!shown.dropFirst(3).dropLast(4).contains("<"))
        #expect(shown.contains("\u{FFFD}"))
    }

    @Test("catalogue 55: text cannot end an attribute, and contains no line break")
    func attributes() {
        let value = "\"><img src=x onerror='alert(1)'>\n\u{1B}"
        let shown = written(tag("a", .title(value), .label(value), text: "x"))
        let inert = "&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;\\x0a\\x1b"
        #expect(shown == "<a title=\"\(inert)\" aria-label=\"\(inert)\">x</a>")
    }

    @Test("catalogue 55: JSON in a script cannot end the script or the line")
    func script() throws {
        let text = "</script><!-- & \u{2028}\u{2029} \" \\"
        let bytes = EmbeddedJSON.call("assayJob", ["name": .string(text)])
        let shown = String(decoding: bytes, as: UTF8.self)
        #expect(!shown.contains("<") && !shown.contains(">") && !shown.contains("&") && !shown.contains("\u{2028}") && !shown.contains("\u{2029}"))
        let json = shown.dropFirst("assayJob(".count).dropLast(");\n".count)
        #expect(try JSONValue(parsing: String(json))["name"]?.string == text)
    }

    @Test("cutting does not divide characters")
    func cutting() {
        let bytes = Array("aé漢👩".utf8)
        for limit in 0...bytes.count {
            #expect(!String(decoding: InertText.prefix(bytes[...], limit), as: UTF8.self).contains("\u{FFFD}"))
            #expect(!String(decoding: InertText.suffix(bytes[...], limit), as: UTF8.self).contains("\u{FFFD}"))
            #expect(InertText.prefix(bytes[...], limit).count <= limit)
        }
    }

    @Test(
        "only names that a site uses are served or removed",
        arguments: [
            ("index.html", true), ("runs-12.html", true), ("job/0123456789abcdef-2.html", true), ("run/01/23456789abcdef.html", true),
            ("raw/01/23456789abcdef/3.txt", true), ("data/0123456789abcdef.js", true), ("assets/app.js", true),
            ("", false), ("notes.html", false), ("runs-.html", false), ("runs-1-2.html", false), ("job/../index.html", false),
            ("run/01/../../index.html", false),
            ("run/01/23456789ABCDEF.html", false), ("raw/01/23456789abcdef/3.html", false), ("assets/../index.html", false),
            (".assay-dashboard.json", false),
            ("/index.html", false), ("assets//app.js", false), ("data/0123456789abcdef.js\0", false),
        ])
    func names(_ name: String, _ isOurs: Bool) {
        #expect((SitePath(found: name) != nil) == isOurs)
    }

    @Test("links are relative to their page")
    func links() throws {
        let id = try #require(RunID("0123456789abcdef"))
        #expect(SiteLink(.index, from: .run(id)).text == "../../index.html")
        #expect(SiteLink(.run(id), from: .job(id)).text == "../run/01/23456789abcdef.html")
        #expect(SiteLink(.job(id, 2), from: .index).text == "job/0123456789abcdef-2.html")
        #expect(SiteLink(comparing: id, with: id, from: .job(id)).text == "../compare.html?a=0123456789abcdef&b=0123456789abcdef")
    }

    @Test(
        "addresses to listen on",
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1:8080"), (":80", "127.0.0.1:80"), ("8080", "127.0.0.1:8080"), ("0.0.0.0", "0.0.0.0:0"),
            ("localhost:1", "127.0.0.1:1"),
            ("", nil), ("256.0.0.1:1", nil), ("1.2.3:4", nil), ("example.com:80", nil), ("127.0.0.1:", nil), ("127.0.0.1:65536", nil),
            ("[::1]:80", nil),
            ("127.0.0.1:-1", nil), ("+1.0.0.1:80", nil),
        ])
    func addresses(_ text: String, _ wanted: String?) {
        let address = try? ListenAddress(parsing: text)
        #expect(address.map { "\($0.host):\($0.port)" } == wanted)
    }
}
