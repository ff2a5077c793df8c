/// Writes a page as bytes. This is the only code that writes markup.
///
/// Text and attribute values are escaped for HTML. Control characters, escape sequences and text direction marks are made
/// visible (`InertText`).
struct HTMLWriter {
    private(set) var bytes: [UInt8] = []

    static func document(_ root: HTML) -> [UInt8] {
        var writer = HTMLWriter()
        writer.bytes.reserveCapacity(32 << 10)
        writer.raw("<!doctype html>\n")
        writer.write(root)
        writer.raw("\n")
        return writer.bytes
    }

    mutating func write(_ html: HTML) {
        switch html {
        case .text(let text): escape(text, inAttribute: false)
        case .group(let parts): for part in parts { write(part) }
        case .element(let tag, let attributes, let content):
            raw("<")
            raw(tag.name)
            for attribute in attributes {
                raw(" ")
                raw(attribute.name)
                guard let value = attribute.value else { continue }
                raw("=\"")
                escape(value, inAttribute: true)
                raw("\"")
            }
            if HTML.Tag.void.contains(tag), content.isEmpty {
                raw(HTML.Tag.closed.contains(tag) ? "/>" : ">")
                return
            }
            raw(">")
            // The HTML parser drops a line break right after <pre>.
            if tag == "pre" { raw("\n") }
            for part in content { write(part) }
            raw("</")
            raw(tag.name)
            raw(">")
        }
    }

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func escape(_ text: String, inAttribute: Bool) {
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            var at = 0
            while at < utf8.count {
                let replacement: StaticString
                switch utf8[at] {
                case UInt8(ascii: "&"): replacement = "&amp;"
                case UInt8(ascii: "<"): replacement = "&lt;"
                case UInt8(ascii: ">"): replacement = "&gt;"
                case UInt8(ascii: "\"") where inAttribute: replacement = "&quot;"
                case UInt8(ascii: "'") where inAttribute: replacement = "&#39;"
                case let byte:
                    // Fast path for printable ASCII, which is most text.
                    if byte >= 0x20 && byte < 0x7F {
                        at += 1
                        continue
                    }
                    guard let found = InertText.replacement(utf8, at, keepsLines: !inAttribute) else {
                        at += 1
                        continue
                    }
                    bytes.append(contentsOf: utf8[start..<at])
                    bytes.append(contentsOf: found.text.utf8)
                    at += found.length
                    start = at
                    continue
                }
                bytes.append(contentsOf: utf8[start..<at])
                replacement.withUTF8Buffer { bytes.append(contentsOf: $0) }
                at += 1
                start = at
            }
            bytes.append(contentsOf: utf8[start...])
        }
    }
}
