import Git
import Testing

@testable import Reconcilers

@Suite struct PushTokenFileTests {
    @Test(
        "a token of the operator's own is for the repositories below its address, and no others",
        arguments: [
            ("https://git.example.com/org/results.git", true), ("https://git.example.com/org", true), ("https://GIT.example.com/org/a/b", true),
            ("https://git.example.com/organisation/results.git", false), ("https://git.example.com/org/../other/x", false),
            ("https://git.example.com/org/%2e%2e/x", false), ("https://git.example.com/org//x", false), ("https://git.example.com:8443/org/x", false),
            ("https://git.example.com.evil.org/org/x", false), ("ssh://git.example.com/org/x", false),
        ])
    func covers(text: String, expected: Bool) throws {
        let token = try PushTokenFile(parsing: "https://git.example.com/org=/run/token")
        #expect(token.covers(try GitURL(parsing: text)) == expected)
    }

    @Test(
        "texts that are not an address and a file",
        arguments: ["https://git.example.com/org", "=/x", "ssh://h/x=/y", "http://h/x=/y", "https://h/x=relative"])
    func refused(text: String) { #expect(throws: GitError.self) { try PushTokenFile(parsing: text) } }
}
