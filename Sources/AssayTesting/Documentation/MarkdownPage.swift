import Base

/// A page in Markdown, in the parts that tests check: headings, links, blocks of code and words in code.
public struct MarkdownPage: Sendable {
    /// A fenced block of code.
    public struct Block: Sendable, CustomStringConvertible {
        public var page: String
        /// The line in the page of the block's first line, from 1.
        public var line: Int
        /// The first word after the fence; empty without one.
        public var language: String
        /// Ends with a newline; without the indentation of the fence.
        public var text: String

        public var description: String { "\(page):\(line)" }
    }

    /// A piece of text and the line that it begins in, from 1.
    public struct Piece: Sendable, Hashable {
        public var line: Int
        public var text: String
    }

    /// The path from the root of the repository.
    public let path: String
    public private(set) var blocks: [Block] = []
    /// What links lead to, as it is written.
    public private(set) var links: [Piece] = []
    /// What stands between backticks outside of blocks; a line break in it is a space.
    public private(set) var code: [Piece] = []
    /// What `#` in a link to this page may name, as GitHub derives it from the headings.
    public private(set) var anchors: Set<String> = []

    public init(path: String, text: String) {
        self.path = path
        var fence: (indentation: Int, block: Block)?
        var paragraph: [Substring] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
            let content = line.drop { $0 == " " }
            if let open = fence {
                if content.hasPrefix("```") {
                    blocks.append(open.block)
                    fence = nil
                } else {
                    let indentation = min(open.indentation, line.count - content.count)
                    fence?.block.text += line.dropFirst(indentation) + "\n"
                }
                continue
            }
            if content.hasPrefix("```") || content.isEmpty || content.hasPrefix("#") {
                read(paragraph, endingBefore: number)
                paragraph = []
            }
            if content.hasPrefix("```") {
                let language = content.dropFirst(3).split(separator: " ").first.map(String.init) ?? ""
                fence = (line.count - content.count, Block(page: path, line: number + 2, language: language, text: ""))
            } else if line.hasPrefix("#") {
                anchors.insert(anchor(of: line))
                read([line], endingBefore: number + 1)
            } else if !content.isEmpty {
                paragraph.append(line)
            }
        }
        if let open = fence { blocks.append(open.block) }
        read(paragraph, endingBefore: lines.count)
    }

    /// Takes code and links out of the lines of a paragraph.
    private mutating func read(_ lines: [Substring], endingBefore end: Int) {
        guard !lines.isEmpty else { return }
        let first = end - lines.count + 1
        let text = lines.joined(separator: "\n")
        func line(of index: String.Index, in text: String) -> Int { first + text[..<index].count { $0 == "\n" } }
        for match in text.matches(of: /(?s)(`+)(.+?)\1(?!`)/) {
            let words = match.output.2.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            code.append(Piece(line: line(of: match.range.lowerBound, in: text), text: words))
        }
        let plain = text.replacing(/(?s)(`+)(.+?)\1(?!`)/) { String(repeating: "\n", count: $0.output.0.count { $0 == "\n" }) }
        for match in plain.matches(of: /\]\(([^)\s]+)\)/) {
            links.append(Piece(line: line(of: match.range.lowerBound, in: plain), text: String(match.output.1)))
        }
    }

    /// The anchor of a heading: in lower case, without punctuation, with hyphens for blanks, and numbered when the page has it already.
    private func anchor(of heading: Substring) -> String {
        let title = heading.drop { $0 == "#" }.drop { $0 == " " }
        let shown = title.replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.output.1 }
        let kept = shown.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }
        let name = String(kept.map { $0 == " " ? "-" : $0 })
        guard anchors.contains(name) else { return name }
        var number = 1
        while anchors.contains("\(name)-\(number)") { number += 1 }
        return "\(name)-\(number)"
    }
}

extension MarkdownPage {
    /// The pages of a checkout for its readers: those at its root and in the folders below, found by looking, so that a new page is among them.
    ///
    /// - Throws: `FileError` when a folder or a page cannot be read.
    public static func all(in root: String) throws(FileError) -> [MarkdownPage] {
        var paths = ["test-dataset/README.md"]
        for name in try names(in: root) where name.hasSuffix(".md") { paths.append(name) }
        for folder in ["docs", "charts", "examples", "manifests"] { try add(below: folder, in: root, to: &paths) }
        var pages: [MarkdownPage] = []
        for path in paths.sorted() {
            pages.append(MarkdownPage(path: path, text: String(decoding: try FileReading.bytes("\(root)/\(path)"), as: UTF8.self)))
        }
        return pages
    }

    private static func add(below folder: String, in root: String, to paths: inout [String]) throws(FileError) {
        for name in try names(in: "\(root)/\(folder)") {
            let path = "\(folder)/\(name)"
            if FileEntry.kind("\(root)/\(path)") == .directory { try add(below: path, in: root, to: &paths) }
            if name.hasSuffix(".md") { paths.append(path) }
        }
    }

    private static func names(in folder: String) throws(FileError) -> [String] {
        guard let names = Directory.names(in: folder) else { throw FileError("list", folder) }
        return names
    }
}
