import EvalModel

/// The settings common to all pages of a site.
struct SiteFrame: Sendable, Hashable {
    /// Shown on every page.
    var title: String
    /// Whether the pages ask their server for a newer version of themselves.
    var isLive = false

    /// What a browser may load for a page: only our own files. Nothing inline, nothing from elsewhere, no form, no frame.
    var policy: String {
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
            + (isLive ? "; connect-src 'self'" : "")
    }
}

/// One page of the site.
struct Page {
    enum Section: CaseIterable {
        case overview, jobs, runs, matrix, compare

        var name: String {
            switch self {
            case .overview: "Overview"
            case .jobs: "Jobs"
            case .runs: "Runs"
            case .matrix: "Matrix"
            case .compare: "Compare"
            }
        }

        var path: SitePath {
            switch self {
            case .overview: .index
            case .jobs: .jobs(1)
            case .runs: .runs(1)
            case .matrix: .matrix(1)
            case .compare: .compare
            }
        }
    }

    let path: SitePath
    let title: String
    let section: Section
    let content: [HTML]

    init(_ path: SitePath, title: String, section: Section, @HTMLBuilder content: () -> [HTML]) {
        self.path = path
        self.title = title
        self.section = section
        self.content = content()
    }

    func link(_ target: SitePath, at anchor: Anchor? = nil) -> Attribute { .link(SiteLink(target, from: path, at: anchor)) }

    func bytes(_ frame: SiteFrame) -> [UInt8] {
        var attributes: [Attribute] = [.fixed("lang", "en")]
        if frame.isLive { attributes.append(.fixed("data-live", "on")) }
        return HTMLWriter.document(.element("html", attributes, [head(frame), body(frame)]))
    }

    private func head(_ frame: SiteFrame) -> HTML {
        tag("head") {
            tag("meta", .fixed("charset", "utf-8"))
            tag("meta", .fixed("http-equiv", "Content-Security-Policy"), .policy(frame.policy))
            tag("meta", .fixed("name", "viewport"), .fixed("content", "width=device-width, initial-scale=1"))
            tag("meta", .fixed("name", "color-scheme"), .fixed("content", "light dark"))
            tag("meta", .fixed("name", "referrer"), .fixed("content", "no-referrer"))
            tag("meta", .fixed("name", "robots"), .fixed("content", "noindex"))
            tag("title", text: path == .index ? frame.title : "\(title) · \(frame.title)")
            tag("link", .fixed("rel", "icon"), .fixed("type", "image/svg+xml"), link(.icon))
            tag("link", .fixed("rel", "stylesheet"), link(.style))
            tag("script", .flag("defer"), .source(SiteLink(.script, from: path)))
        }
    }

    private func body(_ frame: SiteFrame) -> HTML {
        tag("body") {
            tag("a", .classes("to-content"), .link(SiteLink("content")), text: "Skip to content")
            tag("header", .classes("top")) {
                tag("a", .classes("brand"), link(.index)) {
                    tag("span", .classes("mark"), .fixed("aria-hidden", "true"))
                    tag("span", text: frame.title)
                }
                tag("nav", .fixed("aria-label", "Site")) {
                    tag("ul") {
                        for item in Section.allCases {
                            tag("li") {
                                item == section
                                    ? tag(
                                        "a", link(item.path), item.path == path ? .fixed("aria-current", "page") : .fixed("aria-current", "true"),
                                        text: item.name)
                                    : tag("a", link(item.path), text: item.name)
                            }
                        }
                    }
                }
            }
            tag("main", .id("content"), .fixed("tabindex", "-1")) { content }
            tag("footer") {
                tag("p") {
                    "Times are in UTC. A pass is a completed run with a reward of exactly 1; the pass rate leaves out what infrastructure ended and what was skipped."
                }
                tag("p", .id("fresh"), .fixed("role", "status"))
            }
        }
    }
}

/// Numbered pages of a list.
struct Pagination {
    let page: Int
    let count: Int
    let target: (Int) -> SitePath

    static func pages(of items: Int, size: Int) -> Int { max(1, (items + size - 1) / size) }

    func links(from path: SitePath, label: String) -> HTML {
        guard count > 1 else { return .empty }
        let near = Set([1, 2, page - 1, page, page + 1, count - 1, count]).filter { (1...count).contains($0) }.sorted()
        return tag("nav", .classes("pages"), .label(label)) {
            tag("ul") {
                for (index, number) in near.enumerated() {
                    if index > 0, near[index - 1] != number - 1 { tag("li", .fixed("aria-hidden", "true"), text: "\u{2026}") }
                    tag("li") {
                        number == page
                            ? tag(
                                "a", .link(SiteLink(target(number), from: path)), .fixed("aria-current", "page"), .label("Page \(number)"),
                                text: "\(number)")
                            : tag("a", .link(SiteLink(target(number), from: path)), .label("Page \(number)"), text: "\(number)")
                    }
                }
            }
        }
    }
}

extension Array {
    /// The items of a page, counted from 1.
    func slice(page: Int, size: Int) -> ArraySlice<Element> {
        let start = Swift.min(count, (page - 1) * size)
        return self[start..<Swift.min(count, start + size)]
    }
}
