import Foundation
import Testing

@testable import AssayTesting

/// Every link within the pages leads to a file, and to a heading of it; every page can be found from the index.
@Suite struct LinkTests {
    /// The path from the root of what a link of a page names; nil for an address on the web.
    private static func target(of link: String, in page: String) -> (path: String, anchor: String?)? {
        guard !link.contains("://"), !link.hasPrefix("mailto:") else { return nil }
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let anchor = parts.count > 1 ? parts[1] : nil
        guard !parts[0].isEmpty else { return (page, anchor) }
        let folder = URL(filePath: "/\(page)").deletingLastPathComponent()
        return (String(URL(filePath: parts[0], relativeTo: folder).standardizedFileURL.path.dropFirst()), anchor)
    }

    @Test("links lead to files and to headings", arguments: Pages.paths)
    func links(path: String) throws {
        let page = try #require(Pages.page(path))
        for link in page.links {
            guard let (target, anchor) = Self.target(of: link.text, in: path) else { continue }
            #expect(target.isEmpty || Checkout.exists(target), "\(path):\(link.line) links to \(link.text), which does not exist")
            guard let anchor, let linked = Pages.page(target) else { continue }
            #expect(linked.anchors.contains(anchor), "\(path):\(link.line) links to \(link.text), and \(target) has no such heading")
        }
    }

    @Test("docs/README.md links to every page of docs")
    func index() throws {
        let index = try #require(Pages.page("docs/README.md"))
        let linked = Set(index.links.compactMap { Self.target(of: $0.text, in: index.path)?.path })
        for path in Pages.paths where path.hasPrefix("docs/") && path != index.path {
            #expect(linked.contains(path), "docs/README.md does not link to \(path)")
        }
        #expect(Pages.page("README.md")?.links.contains { $0.text == "docs/README.md" } == true)
    }

    @Test("files that pages name in code exist")
    func named() {
        for code in Pages.code {
            guard let match = code.text.wholeMatch(of: /(?:scripts|docs|Sources|Tests|examples|manifests|charts|test-dataset)\/[A-Za-z0-9_.\/-]*/)
            else {
                continue
            }
            #expect(Checkout.exists(String(match.output)), "\(code.place) names \(match.output), which does not exist")
        }
    }

    @Test("headings become anchors as on GitHub, and code is no link")
    func reading() {
        let text = """
            # A `page`: its parts

            See [one](other.md#x) and `[no](link.md)`,
            then [two](#a-page-its-parts).

            ```yaml
            # no heading
            ```

            ## What is *not* there?
            ## What is not there
            ### [Linked](x.md) words, ä_b
            """
        let page = MarkdownPage(path: "docs/x.md", text: text)
        #expect(page.anchors == ["a-page-its-parts", "what-is-not-there", "what-is-not-there-1", "linked-words-ä_b"])
        #expect(page.links == [.init(line: 3, text: "other.md#x"), .init(line: 4, text: "#a-page-its-parts"), .init(line: 12, text: "x.md")])
        #expect(page.code == [.init(line: 1, text: "page"), .init(line: 3, text: "[no](link.md)")])
        #expect(page.blocks.map(\.text) == ["# no heading\n"] && page.blocks.map(\.line) == [7] && page.blocks.map(\.language) == ["yaml"])
    }

    @Test("a session is split into commands as a shell does it")
    func splitting() {
        let block = MarkdownPage.Block(
            page: "p.md", line: 5, language: "console",
            text: """
                $ A=1 assay run 'a job.yaml' --target "$T" | tee out   # assay never
                output; assay no
                $ for x in a b; do assay plan $x > out 2>&1; done
                $ assay results gate \\
                >   nightly && assay doctor <<<"$text"

                """)
        #expect(
            ShellCommand.all(in: block).map(\.description) == [
                "p.md:5: assay run a job.yaml --target $T", "p.md:5: tee out", "p.md:7: x in a b", "p.md:7: assay plan $x",
                "p.md:8: assay results gate nightly", "p.md:9: assay doctor",
            ])
        #expect(ShellCommand.all(in: .init(page: "p.md", line: 1, language: "", text: "$ assay run\n")).isEmpty)
    }
}
