import EvalFormats
import Testing

@Suite(".harborignore")
struct IgnoreRulesTests {
    /// What git makes of them (`git check-ignore`).
    @Test(
        "patterns match as git's",
        arguments: [
            ("*.tmp", "a.tmp", false, true), ("*.tmp", "x/y/a.tmp", false, true), ("*.tmp", "a.tmp.txt", false, nil),
            ("/a", "a", false, true), ("/a", "x/a", false, nil), ("a/b", "a/b", false, true), ("a/b", "x/a/b", false, nil),
            ("drafts/", "drafts", true, true), ("drafts/", "drafts", false, nil), ("drafts/", "x/drafts", true, true),
            ("**/b", "b", false, true), ("**/b", "x/y/b", false, true), ("a/**", "a/x/y", false, true), ("a/**", "a", true, nil),
            ("a/**/b", "a/b", false, true), ("a/**/b", "a/x/y/b", false, true), ("# a", "# a", false, nil), ("\\#a", "#a", false, true),
            ("\\!a", "!a", false, true), ("a ", "a", false, true), ("a\\ ", "a ", false, true), ("", "a", false, nil), ("/", "a", false, nil),
            ("*\n!keep", "keep", false, false), ("!keep\n*", "keep", false, true), ("[ab].txt", "b.txt", false, true), ("?", "ab", false, nil),
            ("*", ".hidden", false, true), ("a\r\nb", "b", false, true),
        ] as [(String, String, Bool, Bool?)])
    func patterns(text: String, path: String, isFolder: Bool, expected: Bool?) {
        #expect(IgnoreRules(text).decision(path.split(separator: "/").map(String.init), isFolder: isFolder) == expected, "\(text) and \(path)")
    }
}
