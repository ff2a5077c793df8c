import EvalModel

/// A file of the site, made of our own words, ids and numbers. No name from a run becomes part of a path.
struct SitePath: Sendable, Hashable, Comparable {
    let text: String

    static let index = SitePath(text: "index.html")
    static let compare = SitePath(text: "compare.html")
    static let style = SitePath(text: "assets/style.css")
    static let script = SitePath(text: "assets/app.js")
    static let icon = SitePath(text: "assets/icon.svg")
    static func jobs(_ page: Int) -> SitePath { SitePath(text: "jobs\(suffix(page)).html") }
    static func runs(_ page: Int) -> SitePath { SitePath(text: "runs\(suffix(page)).html") }
    static func matrix(_ page: Int) -> SitePath { SitePath(text: "matrix\(suffix(page)).html") }
    static func job(_ id: RunID, _ page: Int = 1) -> SitePath { SitePath(text: "job/\(id.rawValue)\(suffix(page)).html") }
    static func run(_ id: RunID) -> SitePath { SitePath(text: "run/\(id.path).html") }
    /// A run's file, unchanged, by its position in the run's list of files.
    static func raw(_ id: RunID, _ number: Int) -> SitePath { SitePath(text: "raw/\(id.path)/\(number).txt") }
    /// A job's figures for the comparison.
    static func jobData(_ id: RunID) -> SitePath { SitePath(text: "data/\(id.rawValue).js") }

    private static func suffix(_ page: Int) -> String { page == 1 ? "" : "-\(page)" }

    private init(text: String) { self.text = text }

    /// A file found on disk; nil when its name is not one that a site uses.
    init?(found text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        func isHex(_ text: Substring, _ count: Int) -> Bool {
            text.utf8.count == count && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        }
        func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) } }
        func stem(_ name: Substring, _ ending: String) -> Substring? { name.hasSuffix(ending) ? name.dropLast(ending.count) : nil }
        let known: Bool
        switch (parts.first, parts.count) {
        case (_, 1):
            let words = stem(parts[0], ".html").map { $0.split(separator: "-", omittingEmptySubsequences: false) } ?? []
            known =
                words.count == 1
                ? ["index", "compare", "jobs", "runs", "matrix"].contains(words[0])
                : words.count == 2 && ["jobs", "runs", "matrix"].contains(words[0]) && isNumber(words[1])
        case ("assets", 2): known = ["style.css", "app.js", "icon.svg"].contains(parts[1])
        case ("job", 2):
            let words = stem(parts[1], ".html").map { $0.split(separator: "-", omittingEmptySubsequences: false) } ?? []
            known = !words.isEmpty && isHex(words[0], RunID.length) && (words.count == 1 || words.count == 2 && isNumber(words[1]))
        case ("data", 2): known = stem(parts[1], ".js").map { isHex($0, RunID.length) } ?? false
        case ("run", 3): known = isHex(parts[1], 2) && (stem(parts[2], ".html").map { isHex($0, RunID.length - 2) } ?? false)
        case ("raw", 4): known = isHex(parts[1], 2) && isHex(parts[2], RunID.length - 2) && (stem(parts[3], ".txt").map(isNumber) ?? false)
        default: known = false
        }
        guard known else { return nil }
        self.text = text
    }

    /// The number of parent folders.
    var depth: Int { text.utf8.count { $0 == UInt8(ascii: "/") } }

    static func < (a: SitePath, b: SitePath) -> Bool { a.text < b.text }
}

/// A link of a page. It is relative, so that the site works at any URL and from a disk.
struct SiteLink: Sendable, Hashable {
    let text: String

    /// A link from a page to another file, optionally to an anchor in it.
    init(_ target: SitePath, from page: SitePath, at anchor: Anchor? = nil) {
        text = String(repeating: "../", count: page.depth) + target.text + (anchor.map { "#\($0.name)" } ?? "")
    }

    /// A link within the page.
    init(_ anchor: Anchor) { text = "#\(anchor.name)" }

    /// A link to the comparison of two jobs.
    init(comparing first: RunID, with second: RunID, from page: SitePath) {
        text = SiteLink(.compare, from: page).text + "?a=\(first.rawValue)&b=\(second.rawValue)"
    }
}
