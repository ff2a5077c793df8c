import Base
import Testing

@Suite("Redaction") struct RedactorTests {
    private func redacted(_ text: String, _ secrets: [String]) -> String { Redactor(secrets: secrets).redact(text) }

    private static let token = "sk-live/AbC+d3f?4567 x"
    private static let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ\n-----END KEY-----"

    @Test(
        "catalogue 58: a secret is found in every form in which programs write it",
        arguments: [
            // unchanged
            ("[\(token)]", token, "[[redacted]]"),
            ("\(token)\(token)", token, "[redacted][redacted]"),
            ("sk-live/AbC+d3f?4567", token, "sk-live/AbC+d3f?4567"),
            // percent-encoded: every byte, only the required ones, upper and lower case, a blank as +
            ("q=sk-live%2FAbC%2Bd3f%3F4567%20x&", token, "q=[redacted]&"),
            ("q=sk-live%2fAbC%2bd3f%3f4567+x&", token, "q=[redacted]&"),
            ("q=sk-live/AbC%2Bd3f?4567%20x&", token, "q=[redacted]&"),
            ("q=%73%6B%2D%6C%69%76%65%2F%41%62%43%2B%64%33%66%3F%34%35%36%37%20%78&", token, "q=[redacted]&"),
            // inside JSON, and JSON inside JSON
            (#"{"k":"sk-live\/AbC+d3f?4567 x"}"#, token, #"{"k":"[redacted]"}"#),
            (#"{"k":"sk-live\u002fAbC\u002Bd3f?4567 x"}"#, token, #"{"k":"[redacted]"}"#),
            (#"{"k":"a\"b\\c\td1234"}"#, "a\"b\\c\td1234", #"{"k":"[redacted]"}"#),
            (#"{"k":"{\"k\":\"a\\\"b\\\\c\\td1234\"}"}"#, "a\"b\\c\td1234", #"{"k":"{\"k\":\"[redacted]\"}"}"#),
            (#"{"k":"gr\u00fc\u00dfe-\ud83d\ude00-1"}"#, "grüße-😀-1", #"{"k":"[redacted]"}"#),
            ("{\"k\":\"grüße-😀-1\"}", "grüße-😀-1", #"{"k":"[redacted]"}"#),
            (#""\"gr\\u00fc\\u00dfe-\\ud83d\\ude00-1\"""#, "grüße-😀-1", #""\"[redacted]\"""#),
            (#""\"gr\\u00FC\\u00DFe-\\uD83D\\uDE00-1\"""#, "grüße-😀-1", #""\"[redacted]\"""#),
            (#""\"abc\\/d<ef>g&hij\"""#, "abc/d<ef>g&hij", #""\"[redacted]\"""#),
            (#""\"abc\\\/d<ef>g&hij\"""#, "abc/d<ef>g&hij", #""\"[redacted]\"""#),
            (#""\"abc/d\\u003cef\\u003eg\\u0026hij\"""#, "abc/d<ef>g&hij", #""\"[redacted]\"""#),
            (#""\"abc/d\\u003Cef\\u003Eg\\u0026hij\\u002B\\u0022\"""#, "abc/d<ef>g&hij+\"", #""\"[redacted]\"""#),
            // values that look like escapes
            ("a%41%42%43%44z %2541", "a%41%42%43%44z", "[redacted] %2541"),
            ("a%2541%2542%2543%2544z", "a%41%42%43%44z", "[redacted]"),
            (#"x\n\n\n\ny"#, #"x\n\n\n\ny"#, "[redacted]"),
            // several lines: unchanged, with a terminal's line ends, in JSON, as words of a shell, one by one
            ("<\(key)>", key, "<[redacted]>"),
            ("<\(key.split(separator: "\n").joined(separator: "\r\n"))>", key, "<[redacted]>"),
            ("<\(key.split(separator: "\n").joined(separator: "\\n"))>", key, "<[redacted]>"),
            ("<\(key.split(separator: "\n").joined(separator: "\\\\n"))>", key, "<[redacted]>"),
            ("<\(key.split(separator: "\n").joined(separator: " "))>", key, "<[redacted]>"),
            ("  1 MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", key, "  1 [redacted]"),
            ("-----BEGIN KEY-----", key, "-----BEGIN KEY-----"),
            // a Secret that ends with a newline
            ("<12345678>", "12345678\n", "<[redacted]>"),
            ("<12345678\n>", "12345678\n", "<[redacted]>"),
            // similar text that is not the secret
            ("1234567 2345678 12345 678 1234%5678", "12345678", "1234567 2345678 12345 678 1234%5678"),
            (#"1234\u00358 12\x345678"#, "12345678", #"1234\u00358 12\x345678"#),
        ] as [(String, String, String)])
    func forms(text: String, secret: String, wanted: String) {
        #expect(redacted(text, [secret]) == wanted)
    }

    @Test(
        "of secrets that contain or overlap each other, nothing remains",
        arguments: [
            ("a sup3rsecret b sup3rsecret-longer c sup3rsecre", ["sup3rsecret", "sup3rsecret-longer"], "a [redacted] b [redacted] c sup3rsecre"),
            ("sup3rsecret-longe", ["sup3rsecret", "sup3rsecret-longer"], "[redacted]-longe"),
            ("xx-sup3rsecret-xx", ["sup3rsecret", "xx-sup3rsecret"], "[redacted]-xx"),
            ("<abcdefghijklmnop>", ["abcdefghij", "ghijklmnop"], "<[redacted]>"),
            ("<abcdefghijABCDEFGHIJ>", ["abcdefghij", "ABCDEFGHIJ"], "<[redacted][redacted]>"),
            ("aaaaaaaaaaaaaaaaaaaaaaaab", ["aaaaaaaa"], "[redacted]b"),
            ("short or empty", ["short", ""], "short or empty"),
        ] as [(String, [String], String)])
    func several(text: String, secrets: [String], wanted: String) {
        #expect(redacted(text, secrets) == wanted)
        #expect(redacted(text, secrets.reversed()) == wanted)
    }

    @Test("base64 at every alignment, in both alphabets, with and without padding, in lines")
    func base64() throws {
        for secret in ["12345678", "\u{FF}\u{FE}\u{FB}?>~~?>\u{3FF}>?", "abcdefghi", String(repeating: "Long-", count: 40)] {
            let redactor = Redactor(secrets: [secret])
            for before in 0..<7 {
                for after in 0..<4 {
                    let around =
                        Array(repeating: UInt8(ascii: "q"), count: before) + Array(secret.utf8)
                        + Array(repeating: UInt8(ascii: "Z"), count: after)
                    let standard = Base64.encode(around)
                    let url = standard.map { $0 == "+" ? "-" : $0 == "/" ? "_" : String($0) }.joined()
                    let bare = String(standard.prefix { $0 != "=" })
                    let lines = String(decoding: Base64.encodeBytes(around, lineLength: 76), as: UTF8.self)
                    let percent = standard.map { "+/=".contains($0) ? "%" + hex(Array(String($0).utf8)) : String($0) }.joined()
                    var texts = [standard, url, bare, lines, percent]
                    texts.append(lines.split(separator: "\n").joined(separator: "\r\n    "))
                    texts.append(lines.split(separator: "\n").joined(separator: "\\n"))
                    texts.append(lines.split(separator: "\n").joined(separator: "\\\\n"))
                    texts.append(standard.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "\\/"))
                    for text in texts {
                        let (out, count) = redactor.redact(Array("<\(text)>".utf8))
                        #expect(count == 1, "\(text)")
                        let rest = String(decoding: out, as: UTF8.self)
                        // The rest: the letters of the surrounding bytes, including letters that contain bits of them, and the padding.
                        let letters = rest.split(separator: "[redacted]", omittingEmptySubsequences: false).joined().split(separator: "%3d").joined()
                            .filter { $0.isLetter || $0.isNumber || "+/-_".contains($0) }
                        #expect(letters.count <= (before + 2) / 3 * 4 + (after + 2) / 3 * 4 + 4, "\(text) -> \(rest)")
                        if before % 3 == 0, after == 0 { #expect(letters.count == before / 3 * 4, "\(text) -> \(rest)") }
                    }
                }
            }
        }
        // Only the secret, as `echo $TOKEN | base64` and `printf %s $TOKEN | base64` print it.
        #expect(redacted(Base64.encode(Array("12345678\n".utf8)), ["12345678"]) == "[redacted]K", "the newline's own letter")
        #expect(redacted(Base64.encode(Array("12345678".utf8)), ["12345678"]) == "[redacted]")
        #expect(redacted(Base64.encode(Array("user:12345678".utf8)), ["12345678"]).hasPrefix("dXNlcj"))
    }

    @Test("text without a secret stays unchanged, whatever bytes it has")
    func nothingElse() {
        var random = SeededRandom(seed: 7)
        let redactor = Redactor(secrets: [Self.token, Self.key, "12345678", "hunter2-hunter2"])
        for _ in 0..<40 {
            let bytes = (0..<2000).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            #expect(redactor.redact(bytes).bytes == bytes)
        }
        let marks = Array(#"%\u%4\n%%25\\\u00e\ud83d\"\/=+-_ "#.utf8)
        for _ in 0..<200 {
            let bytes = (0..<300).map { _ in marks[Int.random(in: marks.indices, using: &random)] }
            let (out, count) = redactor.redact(bytes)
            #expect(out == bytes && count == 0)
        }
    }

    /// A slow and simple reference: marks the bytes of each occurrence, then replaces the marked bytes.
    private func naive(_ text: [UInt8], _ secrets: [[UInt8]]) -> [UInt8] {
        var spans: [Range<Int>] = []
        for secret in secrets {
            for start in text.indices where text[start...].starts(with: secret) { spans.append(start..<(start + secret.count)) }
        }
        spans.sort { $0.lowerBound < $1.lowerBound }
        var merged: [Range<Int>] = []
        for span in spans {
            if let last = merged.last, span.lowerBound < last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, span.upperBound)
            } else {
                merged.append(span)
            }
        }
        var out: [UInt8] = []
        var at = 0
        for span in merged {
            out += text[at..<span.lowerBound] + Redactor.replacement
            at = span.upperBound
        }
        return out + text[at...]
    }

    private func chunked(_ text: [UInt8], _ redactor: Redactor, _ random: inout SeededRandom, upTo size: Int) -> (bytes: [UInt8], count: Int) {
        var stream = Redactor.Stream(redactor)
        var out: [UInt8] = []
        var at = 0
        while at < text.count {
            let next = min(text.count, at + Int.random(in: 1...size, using: &random))
            out += stream.append(text[at..<next])
            at = next
        }
        out += stream.finish()
        return (out, stream.count)
    }

    @Test("for random secrets, texts and chunks the result is that of a naive search")
    func oracle() {
        var random = SeededRandom(seed: 42)
        for round in 0..<400 {
            // Only two or three letters, so that there are many overlaps.
            let letters = Array((round % 2 == 0 ? "ab" : "a. ").utf8)
            func word(_ length: Int) -> [UInt8] { (0..<length).map { _ in letters[Int.random(in: letters.indices, using: &random)] } }
            // Without white space at its ends, which does not belong to a secret.
            let secrets = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                [UInt8(ascii: "a")] + word(Int.random(in: 6...12, using: &random)) + [UInt8(ascii: "a")]
            }
            let text = word(Int.random(in: 0...400, using: &random))
            let wanted = naive(text, secrets)
            let redactor = Redactor(secrets: secrets.map { .init(name: "", value: $0) })
            #expect(redactor.redact(text).bytes == wanted)
            #expect(chunked(text, redactor, &random, upTo: round % 20 + 1).bytes == wanted)
        }
    }

    @Test("encoded secrets among other text, in any chunks")
    func encoded() {
        var random = SeededRandom(seed: 4711)
        let secrets = [Self.token, Self.key, "pässwörd-\u{1F600}", "hunter2-hunter2", "hunter2-hunter2-and-more"]
        let redactor = Redactor(secrets: secrets)
        func percent(_ bytes: [UInt8], _ upper: Bool) -> [UInt8] {
            bytes.flatMap { byte -> [UInt8] in
                if (0x61...0x7A).contains(byte), Bool.random(using: &random) { return [byte] }
                let digits = hex([byte])
                return Array("%\(upper ? digits.uppercased() : digits)".utf8)
            }
        }
        func json(_ bytes: [UInt8]) -> [UInt8] { Array(JSONValue.string(String(decoding: bytes, as: UTF8.self)).text.utf8.dropFirst().dropLast()) }
        for round in 0..<300 {
            var text: [UInt8] = []
            var wanted: [UInt8] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                // No letters of base64 and no escapes next to a secret, because they could belong to the encoded form.
                let filler = Array(["<", "; ", "!!\n", "\u{1}\u{2}", "::", "''"].randomElement(using: &random)?.utf8 ?? "".utf8)
                text += filler
                wanted += filler
                let secret = Array((secrets.randomElement(using: &random) ?? "").utf8)
                switch Int.random(in: 0..<6, using: &random) {
                case 0: text += secret
                case 1: text += percent(secret, round % 2 == 0)
                case 2: text += json(secret)
                case 3: text += json(json(secret))
                case 4: text += Base64.encodeBytes(secret)
                default: text += Base64.encodeBytes(secret, lineLength: 16).dropLast()
                }
                wanted += Redactor.replacement
            }
            text += Array("!".utf8)
            wanted += Array("!".utf8)
            #expect(redactor.redact(text).bytes == wanted, "\(String(decoding: text, as: UTF8.self))")
            #expect(chunked(text, redactor, &random, upTo: round % 40 + 1).bytes == wanted)
        }
    }

    @Test("of secrets that look like escapes, among parts of themselves, none remains, whatever the chunks")
    func entangled() {
        var random = SeededRandom(seed: 88_172_645)
        let alphabets = ["a%25", "a\\n\"u0", "aQUJD+/=-_", "ab \n", "\\u0061%61ab"].map { Array($0.utf8) }
        for round in 0..<1500 {
            let letters = alphabets[round % alphabets.count]
            func word(_ length: Int) -> [UInt8] { (0..<length).map { _ in letters[Int.random(in: letters.indices, using: &random)] } }
            let secrets = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                [UInt8(ascii: "a")] + word(Int.random(in: 6...14, using: &random)) + [UInt8(ascii: "a")]
            }
            let redactor = Redactor(secrets: secrets.map { .init(name: "", value: $0) })
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let secret = secrets[Int.random(in: secrets.indices, using: &random)]
                switch Int.random(in: 0..<7, using: &random) {
                case 0: text += secret
                case 1: text += secret.prefix(Int.random(in: 0...secret.count, using: &random))
                case 2: text += Base64.encodeBytes(word(Int.random(in: 0...4, using: &random)) + secret, lineLength: 8)
                case 3: text += secret.flatMap { Bool.random(using: &random) ? [$0] : Array("%\(hex([$0]))".utf8) }
                case 4: text += secret.flatMap { Bool.random(using: &random) ? [$0] : Array("\\u00\(hex([$0]))".utf8) }
                case 5: text += JSONValue.string(String(decoding: secret, as: UTF8.self)).serialized()
                default: text += word(Int.random(in: 0...20, using: &random))
                }
            }
            let whole = redactor.redact(text)
            let pieces = chunked(text, redactor, &random, upTo: round % 17 + 1)
            #expect(pieces.bytes == whole.bytes && pieces.count == whole.count, "\(String(decoding: text, as: UTF8.self).debugDescription)")
            #expect(naive(whole.bytes, secrets) == whole.bytes, "\(String(decoding: text, as: UTF8.self).debugDescription)")
            var rebuilt: [UInt8] = []
            var at = 0
            for occurrence in redactor.occurrences(in: text) {
                rebuilt += text[at..<occurrence.lowerBound] + Redactor.replacement
                at = occurrence.upperBound
            }
            #expect(rebuilt + text[at...] == whole.bytes, "the remaining bytes are unchanged")
        }
    }

    @Test func whatWasReplacedIsCountedByName() {
        let redactor = Redactor(secrets: [
            .init(name: "TOKEN", value: Array("sup3rsecret".utf8)), .init(name: "LONGER", value: Array("sup3rsecret-longer".utf8)),
            .init(name: "PIN", value: Array("1234".utf8)), .init(name: "BLANK", value: Array("          ".utf8)), .init(name: "NONE", value: []),
        ])
        #expect(redactor.tooShort == ["PIN", "BLANK"])
        var stream = Redactor.Stream(redactor)
        _ = stream.append(Array("sup3rsecret sup3rsecret-longer \(Base64.encode(Array("sup3rsecret".utf8)))".utf8)[...])
        _ = stream.finish()
        #expect(stream.counts == ["TOKEN": 2, "LONGER": 1])
        #expect(stream.count == 3)
        #expect(Redactor(secrets: ["short"]).isEmpty)
    }

    @Test func occurrencesAreWhereTheSecretsAre() {
        let redactor = Redactor(secrets: ["abc/defgh"])
        #expect(redactor.occurrences(in: Array("logs/abc/defgh/x/abc%2Fdefgh".utf8)) == [5..<14, 17..<28])
        #expect(redactor.occurrences(in: []) == [])
    }

    @Test("a text constructed to slow the search down is searched in linear time")
    func hostile() {
        // Each byte can begin, continue and almost end an occurrence.
        let secrets = (0..<40).map { String(repeating: "a", count: 200 + $0) + "b" }
        let redactor = Redactor(secrets: secrets)
        let time = SystemTime()
        func seconds(_ text: [UInt8]) -> Double {
            let begun = time.monotonic()
            _ = redactor.redact(text)
            return time.monotonic() - begun
        }
        let short = [UInt8](repeating: UInt8(ascii: "a"), count: 20_000)
        _ = seconds(short)
        let one = (0..<3).map { _ in seconds(short) }.min() ?? 0
        let eight = (0..<3).map { _ in seconds(short + short + short + short + short + short + short + short) }.min() ?? 0
        #expect(eight < one * 30, "eight times the text took \(eight / one) times as long")
    }
}
