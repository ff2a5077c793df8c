/// A piece of a page. Text is kept as text and escaped when written. No case holds markup, so text from a trial cannot
/// become markup.
indirect enum HTML: Sendable {
    case text(String)
    case element(Tag, [Attribute], [HTML])
    case group([HTML])

    static let empty = HTML.group([])

    /// The name of an element: only literals of our source.
    struct Tag: Sendable, Hashable, ExpressibleByStringLiteral {
        let name: String
        init(stringLiteral value: StaticString) { name = value.description }

        /// Elements without an end tag (HTML, section 13.1.2).
        static let void: Set<Tag> = ["meta", "link", "input", "br", "hr", "img", "rect", "line", "polyline", "path"]
        /// The void elements of SVG, which are written with `/>`.
        static let closed: Set<Tag> = ["rect", "line", "polyline", "path"]
    }
}

/// An attribute. Names are literals, values are escaped, and links are made only from our own paths.
struct Attribute: Sendable {
    let name: String
    let value: String?

    private init(_ name: StaticString, _ value: String?) {
        self.name = name.description
        self.value = value
    }

    /// A value that is a literal of our source.
    static func fixed(_ name: StaticString, _ value: StaticString) -> Attribute { Attribute(name, value.description) }
    static func flag(_ name: StaticString) -> Attribute { Attribute(name, nil) }
    static func classes(_ names: CSSClass...) -> Attribute { Attribute("class", names.map(\.name).joined(separator: " ")) }
    static func classes(_ names: [CSSClass]) -> Attribute { Attribute("class", names.map(\.name).joined(separator: " ")) }
    static func link(_ link: SiteLink) -> Attribute { Attribute("href", link.text) }
    static func source(_ link: SiteLink) -> Attribute { Attribute("src", link.text) }
    static func id(_ anchor: Anchor) -> Attribute { Attribute("id", anchor.name) }
    static func refers(_ name: StaticString, _ anchor: Anchor) -> Attribute { Attribute(name, anchor.name) }
    static func number(_ name: StaticString, _ value: Double) -> Attribute { Attribute(name, Figures.coordinate(value)) }
    static func number(_ name: StaticString, _ value: Int) -> Attribute { Attribute(name, String(value)) }
    static func numbers(_ name: StaticString, _ values: [Int]) -> Attribute { Attribute(name, values.map(String.init).joined(separator: " ")) }
    static func points(_ points: [(x: Double, y: Double)]) -> Attribute {
        Attribute("points", points.map { "\(Figures.coordinate($0.x)),\(Figures.coordinate($0.y))" }.joined(separator: " "))
    }
    /// The accessible name, for assistive technology.
    static func label(_ text: String) -> Attribute { Attribute("aria-label", text) }
    static func title(_ text: String) -> Attribute { Attribute("title", text) }
    static func value(_ text: String) -> Attribute { Attribute("value", text) }
    /// The machine-readable form of a date.
    static func datetime(_ text: String) -> Attribute { Attribute("datetime", text) }
    static func policy(_ text: String) -> Attribute { Attribute("content", text) }
}

/// A class of our style sheet.
struct CSSClass: Sendable, Hashable, ExpressibleByStringLiteral {
    let name: String
    init(stringLiteral value: StaticString) { name = value.description }
    private init(name: String) { self.name = name }

    /// `h0` to `h10`: a share in tenths, for a cell's colour.
    static func heat(_ share: Double) -> CSSClass { CSSClass(name: "h\(Int((min(1, max(0, share)) * 10).rounded()))") }
}

/// An anchor within a page, made of our own words, ids and numbers.
struct Anchor: Sendable, Hashable, ExpressibleByStringLiteral {
    let name: String
    init(stringLiteral value: StaticString) { name = value.description }
    init(_ word: StaticString, _ number: Int) { name = "\(word)-\(number)" }
}

@resultBuilder
enum HTMLBuilder {
    static func buildExpression(_ html: HTML) -> [HTML] { [html] }
    static func buildExpression(_ text: String) -> [HTML] { [.text(text)] }
    static func buildExpression(_ parts: [HTML]) -> [HTML] { parts }
    static func buildBlock(_ parts: [HTML]...) -> [HTML] { parts.flatMap { $0 } }
    static func buildOptional(_ parts: [HTML]?) -> [HTML] { parts ?? [] }
    static func buildEither(first: [HTML]) -> [HTML] { first }
    static func buildEither(second: [HTML]) -> [HTML] { second }
    static func buildArray(_ parts: [[HTML]]) -> [HTML] { parts.flatMap { $0 } }
}

/// An element with content.
func tag(_ name: HTML.Tag, _ attributes: Attribute..., @HTMLBuilder content: () -> [HTML]) -> HTML { .element(name, attributes, content()) }
/// An element with text, or with nothing.
func tag(_ name: HTML.Tag, _ attributes: Attribute..., text: String? = nil) -> HTML { .element(name, attributes, text.map { [.text($0)] } ?? []) }
