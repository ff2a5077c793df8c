import EvalModel
import Testing

@Suite("paths within a repository")
struct SourcePathTests {
    @Test(
        "a path is brought into one form",
        arguments: [
            ("tasks", "tasks"), ("tasks/", "tasks"), ("./tasks//x/.", "tasks/x"), (".", ""), ("", ""), ("a b/ç", "a b/ç"), (".github", ".github"),
            (".gitignore", ".gitignore"), ("..x", "..x"), ("x..", "x.."), ("git", "git"), ("a/-b", "a/-b"), ("a:b", "a:b"),
        ])
    func accepted(path: String, text: String) throws {
        #expect(try SourcePath(path).text == text)
    }

    @Test(
        "catalogue 46: `../`, `.git`, NUL and 5 KB are refused, in every spelling",
        arguments: [
            "../x", "..", "a/../../b", "a/..", "/etc", "//x", ".git", "a/.git/config", ".GIT", ".Git/hooks", ".git.", ".git ", ".git . .", "git~1",
            "GIT~1/x", ".git::$INDEX_ALLOCATION", ".g\u{200C}it", ".git\u{FEFF}", "a\u{0}b", "a\nb", "a\u{7F}", "a\\b", "..\\x", "-x",
            "--upload-pack=x",
            ":(top)x", ":/x", String(repeating: "a", count: 300), String(repeating: "a/", count: 2560),
        ])
    func refused(path: String) {
        let error = #expect(throws: SourcePathError.self) { try SourcePath(path) }
        #expect((error?.description.utf8.count ?? 1000) < 400)
        #expect(error?.description.unicodeScalars.contains { $0.value < 0x20 } == false)
    }

    @Test("appending cannot leave either")
    func appending() throws {
        let root = try SourcePath("a")
        #expect(try root.appending("b/c").text == "a/b/c")
        #expect(try SourcePath("").appending("b").text == "b")
        #expect(try root.appending(".").text == "a")
        #expect(throws: SourcePathError.self) { try root.appending("../..") }
        #expect(throws: SourcePathError.self) { try root.appending("/etc") }
        #expect(root.name == "a")
        #expect(try SourcePath(".").isRoot)
    }
}
