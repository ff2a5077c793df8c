import AssayTesting
import Foundation

/// The pages of this checkout, and what they tell a reader to type.
enum Pages {
    static let all = (try? MarkdownPage.all(in: Checkout.root.path)) ?? []

    static var paths: [String] { all.map(\.path) }

    static func page(_ path: String) -> MarkdownPage? { all.first { $0.path == path } }

    static let blocks = all.flatMap(\.blocks)

    /// The commands of all shell sessions, and of the steps of workflows.
    static let commands: [ShellCommand] = blocks.flatMap { block in
        ShellCommand.all(in: block) + (block.language == "yaml" ? steps(of: block) : [])
    }

    static func commands(of program: String) -> [ShellCommand] { commands.filter { $0.words.first == program } }

    /// What the lines `run: …` of a workflow run.
    private static func steps(of block: MarkdownPage.Block) -> [ShellCommand] {
        block.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { number, line -> [ShellCommand] in
            guard let match = line.firstMatch(of: /^\s*(?:- )?run: (\S.*)$/), match.output.1 != "|" else { return [] }
            return ShellCommand.all(in: String(match.output.1), page: block.page, line: block.line + number)
        }
    }

    /// The history of the project names what is no more.
    static let history = "CHANGELOG.md"

    /// Code within a sentence.
    struct Code {
        /// The page and the line.
        var place: String
        var text: String
    }

    /// Code within sentences, without that of the history.
    static let code: [Code] = all.filter { $0.path != history }.flatMap { page in
        page.code.map { Code(place: "\(page.path):\($0.line)", text: $0.text) }
    }
}
